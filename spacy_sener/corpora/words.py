"""Texts that come as a list of words, with annotations in word positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from .annotation import Annotation, set_spans, trimmed, valid_annotations
from .report import Report


def doc_from_words(
    vocab: Vocab,
    words: list[str],
    items: Iterable[Any],
    *,
    spans_key: str,
    report: Report,
    where: str,
) -> Doc:
    """A `Doc` whose tokens are exactly these words, with its annotations.

    Where spaces stood in the text is not known: every word is followed by one, and the document
    says so (`doc.has_unknown_spaces`). spaCy then trains and evaluates on these very words instead
    of tokenising the text anew. Words of whitespace or control characters stay words; an empty one,
    which spaCy does not allow, becomes a space, so that the positions hold.

    items: `[start, end, words, label]`, end exclusive; a list of words that are not those of the
        document is counted in the report.
    where (str): The document's name, for the report.
    """
    for position in (position for position, word in enumerate(words) if not word):
        report.add_problem("empty word", where, position)
    doc = Doc(vocab, words=[word or " " for word in words])
    annotations = valid_annotations(items, len(words), report=report, where=where)
    set_spans(doc, _spans(doc, words, annotations, report, where), spans_key, report, where)
    return doc


def _spans(
    doc: Doc, words: list[str], annotations: Iterable[Annotation], report: Report, where: str
) -> Iterator[tuple[Annotation, Span]]:
    for annotation in annotations:
        covered = words[annotation.start : annotation.end]
        listed = annotation.item[2] if isinstance(annotation.item, list) else None
        if isinstance(listed, list) and listed != covered:
            report.add_problem("other words", where, annotation.item)
        blank = (not word.strip() for word in covered)
        ends = trimmed(annotation, blank, report=report, where=where)
        if ends is not None:
            yield annotation, Span(doc, *ends, label=annotation.label)
