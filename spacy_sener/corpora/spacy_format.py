"""spaCy's own format as one of annotated files: spans tidied, and what is odd in the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from ..extensions import LABELS
from ..scores import span_scores
from .annotation import Annotation, set_spans, trimmed
from .asked_labels import read_labels
from .docbin import damage_named, load_docbin
from .records import check_id
from .report import Report


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
