"""Annotated files of every known format as spaCy documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from ..extensions import LABELS
from . import brat, conll, gliner, jsonl, label_studio, scirex, squad, uima, webanno
from .detect import FOLDER_FORMATS, detect_format
from .offsets import doc_from_offsets
from .records import Reader, Record, TextRecord, check_id
from .report import Report
from .spacy_format import read_docbin
from .words import doc_from_words

READERS: dict[str, Reader] = {
    **jsonl.READERS,
    "label-studio": label_studio.read_label_studio,
    "brat": brat.read_brat,
    "squad": squad.read_squad,
    "scirex": scirex.read_scirex,
    "gliner": gliner.read_gliner,
    "conll": conll.read_conll,
    "webanno": webanno.read_webanno,
    "uima": uima.read_uima,
}
FORMATS = ("auto", *READERS, "spacy")


def read_docs(
    path: Path, nlp: Language, *, report: Report, spans_key: str = "sc", record_format: str = "auto"
) -> Iterator[Doc]:
    """The documents of a file or folder, one by one, with annotations in `doc.spans[spans_key]`.

    `doc.user_data["doc_id"]` is the document's name, as far as the format has one, or else its
    place in the file.

    record_format (str): One of `FORMATS`; "auto" looks at the file.
    report (Report): Filled while the documents are read.
    Raises ValueError, naming file and line, for what is not of that format.
    """
    if record_format not in FORMATS:
        raise ValueError(f"format should be one of {FORMATS}, but is {record_format!r}")
    name = detect_format(path) if record_format == "auto" else record_format
    if path.is_dir() and name not in FOLDER_FORMATS:
        raise ValueError(f"{path} is a folder; {name} reads one file at a time: name one of them")
    if name == "spacy":
        yield from read_docbin(path, nlp.vocab, spans_key=spans_key, report=report)
        return
    records = READERS[name](path, report)
    yield from docs_from_records(path, records, nlp, spans_key=spans_key, report=report)


def docs_from_records(
    path: Path, records: Iterable[Record], nlp: Language, *, spans_key: str, report: Report
) -> Iterator[Doc]:
    """As `doc_from_record` builds them. Raises ValueError with their place in the file."""
    for record in records:
        try:
            doc = doc_from_record(nlp, record, spans_key=spans_key, report=report)
        except ValueError as error:  # of spaCy, e.g. for half a surrogate pair
            raise ValueError(f"{path}, {record.where}: {error}") from error
        yield doc


def doc_from_record(nlp: Language, record: Record, *, spans_key: str, report: Report) -> Doc:
    """Build the document, with what can be kept of its annotations; the rest is in the report."""
    check_id(record.doc_id)
    where = f"{record.doc_id} ({record.where})"
    if isinstance(record, TextRecord):
        doc = doc_from_offsets(
            nlp, record.text, record.items, spans_key=spans_key, report=report, where=where
        )
    else:
        doc = doc_from_words(
            nlp.vocab, record.words, record.items, spans_key=spans_key, report=report, where=where
        )
    doc.user_data["doc_id"] = record.doc_id
    if record.labels:
        doc._.set(LABELS, record.labels)
    report.add_doc(doc, spans_key)
    return doc
