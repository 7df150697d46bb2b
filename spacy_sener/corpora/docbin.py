"""spaCy's own binary format: documents as they are, with tokens, spans and scores."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Corpus, Example
from spacy.vocab import Vocab

from ..extensions import LABELS
from ..scores import span_scores
from . import files
from .annotation import Annotation, set_spans, trimmed
from .asked_labels import read_labels
from .files import plain_path, read_bytes
from .records import check_id
from .report import Report

# A file may unpack to so many times its size, whatever that is. zlib can pack a thousandfold.
USUAL_RATIO = 100


def read_docbin(path: Path, vocab: Vocab, *, spans_key: str, report: Report) -> Iterator[Doc]:
    """The documents of a .spacy file, which has to fit into memory, though not as documents.

    Where there is no group of spans under the key, named entities are taken, if there are any.
    Spans under other keys stay as they are. Spans under the key are trimmed, each is taken once,
    and none without a label. All that, scores that are not a number for each span, and labels asked
    for (`doc._.gliner_labels`) that cannot be used, is in the report.
    """
    for number, doc in enumerate(_docs(path, vocab, spans_key, report), 1):
        try:
            check_id(doc.user_data["doc_id"])
            _check_labels(doc, report, number)
        except ValueError as error:
            raise ValueError(f"{path}, document {number}: {error}") from error
        report.add_doc(doc, spans_key)
        yield doc


def _docs(path: Path, vocab: Vocab, spans_key: str, report: Report) -> Iterator[Doc]:
    docs = load_docbin(path).get_docs(vocab)
    with damage_named(path):
        for number, doc in enumerate(docs, 1):
            doc.user_data.setdefault("doc_id", f"{path.name}:{number}")
            where = _place(doc, number)
            _take_spans(doc, spans_key, report, where)
            _check_scores(doc.spans[spans_key], report, where)
            _tidy(doc, spans_key, report, where)
            yield doc


def require_docbin(path: Path) -> None:
    """Raise ValueError, with what to do, for a file of another kind. A folder may hold some."""
    if path.is_file() and path.suffix != ".spacy":
        name = plain_path(path).with_suffix(".spacy").name
        raise ValueError(
            f"{path} is no .spacy file. Make one of it: python -m spacy sener convert {path} {name}"
        )


class BoundedCorpus(Corpus):
    """spaCy's `Corpus`, but that files are read as `load_docbin` does."""

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """The documents of these files but for empty ones, and no more than `limit`. 0: all."""
        docs = (doc for path in locs for doc in load_docs(Path(path), vocab) if len(doc))
        return islice(docs, max(self.limit, 0) or None)


def read_examples(path: Path, nlp: Language) -> Iterator[Example]:
    """What spaCy's corpus reads of a .spacy file, or of all in a folder.

    Raises ValueError, naming the file, as `load_docbin` does.
    """
    return BoundedCorpus(path)(nlp)


def load_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """The documents of a .spacy file as they are, one by one; raises as `load_docbin` does."""
    docs = load_docbin(path).get_docs(vocab)
    with damage_named(path):
        yield from docs


def load_docbin(path: Path) -> DocBin:
    """What a .spacy file holds. Raises ValueError if it is damaged, or a small one unpacks to more
    than is held in memory."""
    data = read_bytes(path)
    limit = max(files.MAX_UNPACKED, USUAL_RATIO * len(data))
    try:
        if _unpacks_to_more(data, limit):
            raise ValueError(f"it is larger than {limit} bytes, unpacked")
        return DocBin().from_bytes(data)
    except Exception as error:  # whatever zlib or msgpack make of other bytes
        raise ValueError(f"{path}: not a whole .spacy file: {error}") from error


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise ValueError for what spaCy makes of documents in a damaged file."""
    try:
        yield
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path}: not a whole .spacy file: {error}") from error


def _unpacks_to_more(data: bytes, limit: int) -> bool:
    """Whether what zlib packed is larger than that; no more than a chunk of it is held at once."""
    unpacker, size = zlib.decompressobj(), 0
    for start in range(0, len(data), files.CHUNK):
        rest = data[start : start + files.CHUNK]  # of a short piece, what is left is soon copied
        while rest and size <= limit:
            size += len(unpacker.decompress(rest, files.CHUNK))
            rest = unpacker.unconsumed_tail
    return size > limit


def _place(doc: Doc, number: int) -> str:
    return f"{doc.user_data['doc_id']} (document {number})"


def _take_spans(doc: Doc, spans_key: str, report: Report, where: str) -> None:
    for key, group in doc.spans.items():
        if key != spans_key and group:
            report.add_problem("other spans key", where, {"key": key, "spans": len(group)})
    if doc.spans.get(spans_key):
        report.add_unread("named entities", len(doc.ents))
        return
    is_empty = spans_key in doc.spans
    if doc.ents:
        problem = "beside an empty group" if is_empty else "from doc.ents"
        report.add_problem(problem, where, {"ents": len(doc.ents)})
    if not is_empty:
        doc.spans[spans_key] = list(doc.ents)


def _check_scores(group: SpanGroup, report: Report, where: str) -> None:
    """Keep scores if each span has one: a finite number, or NaN or None for having none."""
    scores = group.attrs.get("scores")
    try:
        span_scores(group)
        is_usable = not np.isinf(np.array(scores, dtype=float)).any()
    except ValueError:
        is_usable = False
    if not is_usable:
        report.add_problem("unusable score", where, {"spans": len(group), "scores": scores})
        del group.attrs["scores"]


def _check_labels(doc: Doc, report: Report, number: int) -> None:
    """Keep the labels asked for that can be used; raises ValueError as `read_labels` does."""
    labels = doc._.get(LABELS)
    if labels is not None:
        fields = {
            LABELS: list(labels) if isinstance(labels, tuple) else labels
        }  # as msgpack has it
        where = _place(doc, number)
        doc._.set(LABELS, read_labels(fields, LABELS, report, where) or None)


def _tidy(doc: Doc, spans_key: str, report: Report, where: str) -> None:
    """Trim the spans, and leave out copies and what has no label, as in other formats.

    What else the group has stays.
    """
    group = doc.spans[spans_key]
    kept = []
    for span, score in zip(group, span_scores(group), strict=True):
        item = {"start": span.start, "end": span.end, "label": span.label_}
        if not span.label_.strip():
            report.add_problem("unlabelled", where, item)
            continue
        annotation = Annotation(span.start, span.end, span.label_, item, score)
        is_space = (token.is_space for token in span)
        ends = trimmed(annotation, is_space, report=report, where=where)
        if ends is not None:
            tidy = Span(doc, *ends, label=span.label, kb_id=span.kb_id, span_id=span.id)
            kept.append((annotation, tidy))
    set_spans(doc, kept, spans_key, report, where)
    others = {name: value for name, value in group.attrs.items() if name != "scores"}
    doc.spans[spans_key].attrs.update(others)
