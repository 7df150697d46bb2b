"""Texts that nobody annotated: plain text, JSON lines, or documents without their annotations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..extensions import LABELS
from .asked_labels import read_labels
from .copies import to_annotate
from .files import files_below, plain_suffix, read_text
from .jsonl import Fields, read_jsonl, required
from .readers import docs_from_records
from .records import Record, TextRecord, WordsRecord
from .report import Report
from .spacy_format import read_docbin

SUFFIXES = (".txt", ".jsonl", ".spacy")
# Where the text of a record is, the first that there is, as `jsonl.parse_any` has it.
TEXT_KEYS = ("text", "raw", "data")


def read_texts(path: Path, nlp: Language) -> Iterator[Doc]:
    """The texts of a file, or of the files in a folder by their names, one by one.

    A `.txt` file is one text, and a `.jsonl` file has a `text` (or `raw`, or `data`) in every line,
    which may be a list of words. Annotations that there are, in a `.spacy` file for instance, are
    passed over; the labels that a document is asked for are kept. Each may be packed (`.gz`,
    `.xz`).

    Raises ValueError at once if the name, or that of no file in a folder, is such a one, and, while
    it is read, naming file and line, for what is not such a file, and if there is no text.
    """
    return _read_files(path, _files(path), nlp)


def _read_files(path: Path, files: list[Path], nlp: Language) -> Iterator[Doc]:
    n_texts = 0
    for file in files:
        for doc in _read_file(file, nlp):
            n_texts += 1
            yield doc
    if not n_texts:
        raise ValueError(f"{path} has no texts")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if plain_suffix(path) not in SUFFIXES:
            raise ValueError(f"{path} should end in one of {', '.join(SUFFIXES)}")
        return [path]
    files = [file for file in files_below(path) if plain_suffix(file) in SUFFIXES]
    if not files:
        raise ValueError(f"{path} has no files that end in one of {', '.join(SUFFIXES)}")
    return files


def _read_file(path: Path, nlp: Language) -> Iterator[Doc]:
    report = Report()  # of annotations, which nobody wants here
    if plain_suffix(path) == ".spacy":
        for annotated in read_docbin(path, nlp.vocab, spans_key="sc", report=report):
            yield to_annotate(nlp, annotated)
        return
    records: Iterator[Record]
    if plain_suffix(path) == ".txt":
        records = iter([TextRecord(path.name, str(path), read_text(path), [])])
    else:
        records = read_jsonl(path, parse=partial(_parse, report=report))
    yield from docs_from_records(path, records, nlp, spans_key="sc", report=report)


def _parse(fields: Fields, doc_id: Any, where: str, *, report: Report) -> Record:
    labels = read_labels(fields, LABELS, report, where) or None
    key = next((key for key in TEXT_KEYS if key in fields), "text")
    text = fields.get(key)
    if isinstance(text, list) and all(isinstance(word, str) for word in text):
        return WordsRecord(doc_id, where, text, [], labels)
    text = required(fields, key, str, "a string, or a list of words")
    return TextRecord(doc_id, where, text, [], labels)
