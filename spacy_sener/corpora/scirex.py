"""SciREX: JSON lines of whole papers with spans in word positions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .jsonl import Fields, count_unread, read_jsonl, required, required_words
from .records import Record, WordsRecord
from .report import Report

# What else a paper holds, with the name for the report.
UNREAD = {
    "coref": "coreference clusters",
    "n_ary_relations": "n-ary relations",
    "method_subrelations": "methods within methods",
}


def read_scirex(path: Path, report: Report) -> Iterator[Record]:
    """`{"doc_id", "words": [...], "ner": [[start, end, label], ...]}`, ends exclusive.

    Sentences and sections (`[start, end]`) are not needed; clusters and relations are counted.
    """
    yield from read_jsonl(path, parse=partial(_parse, report=report))


def _parse(fields: Fields, doc_id: Any, where: str, *, report: Report) -> WordsRecord:
    words = required_words(fields, "words")
    items = required(fields, "ner", list, "a list")
    count_unread(fields, UNREAD, report)
    return WordsRecord(doc_id, where, words, items)
