"""SciREX: JSON lines of whole papers with spans in word positions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .jsonl import Fields, read_jsonl, required, required_words
from .records import Record, WordsRecord
from .report import Report

# What else a paper holds, by the name in the report.
UNREAD = {
    "coreference clusters": "coref",
    "n-ary relations": "n_ary_relations",
    "methods within methods": "method_subrelations",
}


def read_scirex(path: Path, report: Report) -> Iterator[Record]:
    """`{"doc_id", "words": [...], "ner": [[start, end, label], ...]}`, ends exclusive.

    Sentences and sections (`[start, end]`) are not needed; clusters and relations are counted.
    """
    yield from read_jsonl(path, report, parse=partial(_parse, report=report))


def _parse(fields: Fields, doc_id: Any, where: str, *, report: Report) -> WordsRecord:
    words = required_words(fields, "words")
    items = required(fields, "ner", list, "a list")
    for kind, key in UNREAD.items():
        if isinstance(fields.get(key), list | dict):
            report.add_unread(kind, len(fields[key]))
    return WordsRecord(doc_id, where, words, items)
