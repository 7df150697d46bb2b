"""The formats of annotated JSON records, and which of them a record has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Doc

from .offsets import doc_from_offsets
from .report import Report
from .words import doc_from_words

Format = Literal["auto", "offsets", "tokens", "raw"]
Record = dict[str, Any]
RecordReader = Callable[..., Doc]


def read_record(
    nlp: Language,
    record: Record,
    *,
    record_format: Format,
    spans_key: str,
    report: Report,
    where: str,
) -> Doc:
    """Turn one record into a `Doc`.

    - `offsets`: `{"text": str, "spans": [{"start", "end", "label"}, ...]}`, in characters;
    - `tokens`: `{"text": [words], "entity": [[start, end, [words], label], ...]}`, in words;
    - `raw`: `{"raw": str, "raw_entity": [[start, end, label], ...]}`, in characters;
    - `auto`: `offsets` where `text` is a string, `tokens` where it is a list.

    All ends are exclusive. Raises ValueError where the record has not the format's keys.
    """
    chosen = _detect(record) if record_format == "auto" else record_format
    doc = READERS[chosen](nlp, record, spans_key=spans_key, report=report, where=where)
    report.add_doc(doc, spans_key)
    return doc


def _detect(record: Record) -> str:
    return "tokens" if isinstance(record.get("text"), list) else "offsets"


def _read_offsets(
    nlp: Language, record: Record, *, text_key: str, items_key: str, **options: Any
) -> Doc:
    text = _field(record, text_key, str, "a string")
    return doc_from_offsets(nlp, text, _field(record, items_key, list, "a list"), **options)


def _read_words(nlp: Language, record: Record, **options: Any) -> Doc:
    words = _field(record, "text", list, "a list of words")
    if not all(isinstance(word, str) for word in words):
        raise ValueError("'text' should be a list of words, but not all of its items are strings")
    return doc_from_words(nlp.vocab, words, _field(record, "entity", list, "a list"), **options)


def _field(record: Record, key: str, kind: type, description: str) -> Any:
    if key not in record:
        raise ValueError(f"the record has no '{key}'; its keys are {sorted(record)}")
    if not isinstance(record[key], kind):
        raise ValueError(f"'{key}' should be {description}, but is {type(record[key]).__name__}")
    return record[key]


READERS: dict[str, RecordReader] = {
    "offsets": partial(_read_offsets, text_key="text", items_key="spans"),
    "tokens": _read_words,
    "raw": partial(_read_offsets, text_key="raw", items_key="raw_entity"),
}
