"""JSON lines, one document a line: with character offsets or with lists of words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .files import numbered_lines
from .records import Reader, Record, TextRecord, WordsRecord
from .report import Report

Fields = dict[str, Any]
Parser = Callable[[Fields, Any, str], Record]


def read_jsonl(path: Path, report: Report, *, parse: Parser) -> Iterator[Record]:
    """The records of a file; blank lines are skipped.

    The document's name is the record's `doc_id` or `id`, or else its place in the file.
    """
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise ValueError(f"expected a JSON object, but found {type(fields).__name__}")
            doc_id = fields.get("doc_id", fields.get("id", f"{path.name}:{number}"))
            yield parse(fields, doc_id, f"line {number}")
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error


def parse_any(fields: Fields, doc_id: Any, where: str) -> Record:
    """Offsets where `text` is a string, words where it is a list."""
    parse = parse_words if isinstance(fields.get("text"), list) else parse_offsets
    return parse(fields, doc_id, where)


def parse_offsets(
    fields: Fields, doc_id: Any, where: str, *, text_key: str = "text", items_key: str = "spans"
) -> TextRecord:
    """`{"text": str, "spans": [{"start", "end", "label"}, ...]}`, in characters, ends exclusive."""
    text = _field(fields, text_key, str, "a string")
    return TextRecord(doc_id, where, text, _field(fields, items_key, list, "a list"))


def parse_words(fields: Fields, doc_id: Any, where: str) -> WordsRecord:
    """`{"text": [words], "entity": [[start, end, [words], label], ...]}`, in words."""
    words = _field(fields, "text", list, "a list of words")
    if not all(isinstance(word, str) for word in words):
        raise ValueError("'text' should be a list of words, but not all of its items are strings")
    return WordsRecord(doc_id, where, words, _field(fields, "entity", list, "a list"))


def _field(fields: Fields, key: str, kind: type, description: str) -> Any:
    if key not in fields:
        raise ValueError(f"the record has no '{key}'; its keys are {sorted(fields)}")
    if not isinstance(fields[key], kind):
        raise ValueError(f"'{key}' should be {description}, but is {type(fields[key]).__name__}")
    return fields[key]


READERS: dict[str, Reader] = {
    "jsonl": partial(read_jsonl, parse=parse_any),
    "offsets": partial(read_jsonl, parse=parse_offsets),
    "tokens": partial(read_jsonl, parse=parse_words),
    "raw": partial(
        read_jsonl, parse=partial(parse_offsets, text_key="raw", items_key="raw_entity")
    ),
}
