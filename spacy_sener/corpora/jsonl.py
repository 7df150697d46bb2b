"""JSON lines, and JSON lists, of documents: with character offsets or with lists of words.

The offsets are Prodigy's (`spans`), doccano's (`label` or `labels`, or `entities` with
`start_offset` and `end_offset`), those of spaCy 2 (`entities`, beside the text or in a list after
it), and our own export (`spans`, and `gliner_labels`: the labels that the document is asked for).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..extensions import LABELS
from .asked_labels import read_labels
from .files import numbered_lines
from .json_lists import json_list
from .records import Reader, Record, TextRecord, WordsRecord, id_of
from .report import Report
from .unique_keys import unique_keys

Fields = dict[str, Any]
# None for a record that is no document; it is in the report.
Parser = Callable[[Fields, Any, str], Record | None]

# Where annotations stand beside `text`, the first that there is.
ITEM_KEYS = ("spans", "entities", "label", "labels")
# The answers of Prodigy that are no gold; others under that name may be anybody's.
PRODIGY_REFUSED = ("reject", "ignore")
# What else records hold, with the name for the report.
UNREAD = {"relations": "relations", "Comments": "comments", "comments": "comments", "cats": "cats"}


def read_jsonl(path: Path, *, parse: Parser) -> Iterator[Record]:
    """The records of a file of JSON lines; blank lines are skipped.

    The document's name is the record's `doc_id` or `id`, or else its place in the file.
    """
    for number, line in numbered_lines(path):
        if line.strip():
            try:
                fields = json.loads(line, object_pairs_hook=unique_keys)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            yield from read_fields(path, fields, f"line {number}", parse)


def read_fields(path: Path, fields: Any, where: str, parse: Parser) -> Iterator[Record]:
    """The record, if it is one, that stands at a place of a file."""
    match fields:
        case [str(text), dict(annotations)]:  # as spaCy 2 was trained on
            fields = {"text": text, **annotations}
    try:
        if not isinstance(fields, dict):
            raise ValueError(f"expected a JSON object, but found {type(fields).__name__}")
        place = f"{path.name}:{where.split()[1].strip(',')}"
        record = parse(fields, id_of(fields, place), where)
    except ValueError as error:
        raise ValueError(f"{path}, {where}: {error}") from error
    if record is not None:
        yield record


def read_accepted_jsonl(path: Path, report: Report, *, parse: Parser) -> Iterator[Record]:
    """Records of these kinds, one a line; `parse_accepted` tells which are left out."""
    yield from read_jsonl(path, parse=partial(parse_accepted, parse=parse, report=report))


def read_any_json(path: Path, report: Report) -> Iterator[Record]:
    """Records of all these kinds in one list."""
    parse = partial(parse_accepted, parse=parse_any, report=report)
    for where, fields in json_list(path):
        yield from read_fields(path, fields, where, parse)


def parse_accepted(
    fields: Fields, doc_id: Any, where: str, *, parse: Parser, report: Report
) -> Record | None:
    """As `parse`; None where somebody rejected or ignored the record in Prodigy.

    Annotations under a key that is not read, as those under another are, are in the report.
    """
    if fields.get("answer") in PRODIGY_REFUSED:
        report.add_problem("rejected", f"{doc_id} ({where})", fields)
        return None
    count_unread(fields, UNREAD, report)
    for key in ITEM_KEYS:
        others = fields.get(key)
        if key != _items_key(fields) and isinstance(others, list) and others:
            item = {"key": key, "spans": others}
            report.add_problem("other spans key", f"{doc_id} ({where})", item)
    record = parse(fields, doc_id, where)
    labels = read_labels(fields, LABELS, report, f"{doc_id} ({where})")
    return replace(record, labels=labels) if record and labels else record


def parse_any(fields: Fields, doc_id: Any, where: str) -> Record:
    """Words where `text` is a list, else offsets under the first of `ITEM_KEYS` that there is."""
    if isinstance(fields.get("text"), list):
        return parse_words(fields, doc_id, where)
    if "text" not in fields and "raw" in fields:
        return parse_offsets(fields, doc_id, where, **RAW_KEYS)
    found = _items_key(fields)
    # Prodigy leaves out `spans` where there are none.
    if found is None and fields.get("answer") == "accept":
        fields, found = {**fields, "spans": []}, "spans"
    text_key = "data" if "text" not in fields and "data" in fields else "text"  # doccano 1.5
    return parse_offsets(fields, doc_id, where, text_key=text_key, items_key=found or "spans")


def _items_key(fields: Fields) -> str | None:
    """Under which of `ITEM_KEYS` the annotations of a text are."""
    is_text = isinstance(fields.get("text", fields.get("data")), str)
    return next((key for key in ITEM_KEYS if key in fields), None) if is_text else None


def parse_offsets(
    fields: Fields, doc_id: Any, where: str, *, text_key: str = "text", items_key: str = "spans"
) -> TextRecord:
    """`{"text": str, "spans": [{"start", "end", "label"}, ...]}`, in characters, ends exclusive."""
    text = required(fields, text_key, str, "a string")
    items = required(fields, items_key, list, "a list")
    return TextRecord(doc_id, where, text, [_with_start_and_end(item) for item in items])


def parse_words(fields: Fields, doc_id: Any, where: str) -> WordsRecord:
    """`{"text": [words], "entity": [[start, end, [words], label], ...]}`, in words."""
    words = required_words(fields, "text")
    return WordsRecord(doc_id, where, words, required(fields, "entity", list, "a list"))


def count_unread(fields: Fields, names: Mapping[str, str], report: Report) -> None:
    """Count in the report what a record has under these keys, by their names there."""
    for key, name in names.items():
        unread = fields.get(key)
        report.add_unread(name, len(unread) if isinstance(unread, list | dict) else 0)


def required(fields: Any, key: str, kind: type, description: str) -> Any:
    """The value of a key, which has to be there and of that type."""
    if not isinstance(fields, dict):
        raise ValueError(f"expected a JSON object, but found {type(fields).__name__}")
    if key not in fields:
        raise ValueError(f"the record has no '{key}'; its keys are {sorted(fields)}")
    if not isinstance(fields[key], kind):
        raise ValueError(f"'{key}' should be {description}, but is {type(fields[key]).__name__}")
    return fields[key]


def required_words(fields: Any, key: str) -> list[str]:
    """The value of a key, which has to be there and a list of words."""
    words: list[str] = required(fields, key, list, "a list of words")
    if not all(isinstance(word, str) for word in words):
        raise ValueError(f"'{key}' should be a list of words, but not all of its items are strings")
    return words


def _with_start_and_end(item: Any) -> Any:
    if isinstance(item, Mapping) and "start_offset" in item:
        return {**item, "start": item["start_offset"], "end": item.get("end_offset")}
    return item


RAW_KEYS = {"text_key": "raw", "items_key": "raw_entity"}
READERS: dict[str, Reader] = {
    "jsonl": partial(read_accepted_jsonl, parse=parse_any),
    "json": read_any_json,
    "offsets": partial(read_accepted_jsonl, parse=parse_offsets),
    "tokens": partial(read_accepted_jsonl, parse=parse_words),
    "raw": partial(read_accepted_jsonl, parse=partial(parse_offsets, **RAW_KEYS)),
}
