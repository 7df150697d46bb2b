"""Texts with character offsets, as annotation tools write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .annotation import Annotation, set_spans, trimmed, valid_annotations
from .report import Report


def doc_from_offsets(
    nlp: Language, text: str, items: Iterable[Any], *, spans_key: str, report: Report, where: str
) -> Doc:
    """Tokenise a text, and put its annotations into `doc.spans[spans_key]`.

    Whitespace at the ends of an annotation is trimmed. One that begins or ends inside a token is
    widened to whole tokens. Both are counted in the report, like everything that is left out.

    text (str): The text, kept character for character.
    items: Annotations with character offsets, end exclusive. Where one lists its `text` as well,
        and other characters but whitespace stand at its place, it is left out.
    where (str): The document's name, for the report.
    """
    doc = nlp.make_doc(text)
    annotations = valid_annotations(items, len(text), report=report, where=where)
    set_spans(doc, _aligned(doc, annotations, report, where), spans_key, report, where)
    return doc


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same but for whitespace, which tools write in their own ways."""
    return one == other or "".join(one.split()) == "".join(other.split())


def _aligned(
    doc: Doc, annotations: Iterable[Annotation], report: Report, where: str
) -> Iterator[tuple[Annotation, Span]]:
    text = doc.text
    for annotation in annotations:
        characters = text[annotation.start : annotation.end]
        listed = annotation.item.get("text") if isinstance(annotation.item, Mapping) else None
        if isinstance(listed, str) and not same_text(listed, characters):
            report.add_problem("other text", where, annotation.item)
            continue
        ends = trimmed(annotation, map(str.isspace, characters), report=report, where=where)
        if ends is None:
            continue
        span = doc.char_span(*ends, label=annotation.label, alignment_mode="expand")
        assert span is not None  # there is a non-space character, and it lies in a token
        if (span.start_char, span.end_char) != ends:
            report.add_problem("ends inside a token", where, annotation.item)
        yield annotation, span
