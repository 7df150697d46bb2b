"""What a reader of a format gives: one annotated document, before there are tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .asked_labels import AskedLabels
from .report import Report


@dataclass(frozen=True)
class TextRecord:
    """A text with annotations in characters.

    doc_id: The document's name, for `doc.user_data["doc_id"]`; a string or a number.
    where (str): Its place in the file, e.g. "line 7", for the report.
    items: Annotations as they stand in the file: mappings with `start`, `end` (exclusive), `label`
        and perhaps `score` and the `text` at their place, or lists that begin with start and end
        and finish with the label. They may be wrong: `annotation.valid_annotations` sorts that out.
    labels: Those that the document is asked for, if it says so.
    """

    doc_id: Any
    where: str
    text: str
    items: Sequence[Any]
    labels: AskedLabels | None = None


@dataclass(frozen=True)
class WordsRecord:
    """A list of words with annotations in word positions; else as `TextRecord`."""

    doc_id: Any
    where: str
    words: list[str]
    items: Sequence[Any]
    labels: AskedLabels | None = None


Record = TextRecord | WordsRecord
# Reads a file, or a folder, and counts in the report what cannot become an item of a record.
# Raises ValueError with the file and the line for what is not of the format.
Reader = Callable[[Path, Report], Iterator[Record]]

ID_KEYS = ("doc_id", "id")
"""Under which a record of named fields has its document's name, the first that there is."""
# What spaCy stores as a whole number.
MIN_ID, MAX_ID = -(2**63), 2**64 - 1


def id_of(fields: Mapping[str, Any], default: str) -> Any:
    """The document's name, as it is there, or else the default."""
    return next((fields[key] for key in ID_KEYS if fields.get(key) is not None), default)


def check_id(doc_id: Any) -> None:
    """Raise ValueError for what cannot be a document's name."""
    if isinstance(doc_id, str):
        doc_id.encode()  # raises UnicodeEncodeError, which is one, for half a surrogate pair
        return
    is_number = type(doc_id) is float or (type(doc_id) is int and MIN_ID <= doc_id <= MAX_ID)
    if not is_number:
        raise ValueError(f"a document's name should be a string or a number, but is {doc_id!r}")
