"""Relations between spans, and where a document keeps them: `doc._.relations`."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spacy.tokens import Doc, Span


@dataclass(frozen=True)
class Relation:
    """That `head` stands in a relation to `tail`."""

    head: Span
    label: str
    """The relation's name."""
    tail: Span
    """Carries the relation's name as its label."""
    score: float
    """The tail's probability."""


_NAME = "relations"
# spaCy moves what is kept under ("._.", name, first character, last character) along when it joins
# documents or cuts one out of another; see `_kept`. By its space the name is that of no extension.
_KEPT_UNDER = ("._.", "spacy-sener relations")


def read_relations(doc: Doc) -> list[Relation]:
    """The relations of a document, `doc._.relations`: a list of its own at every call.

    To change them, set the whole list. They are kept in `doc.user_data` as plain values, so that
    they go where this goes: to bytes and disk, with `DocBin(store_user_data=True)`, into copies,
    into documents joined by `Doc.from_docs` and, if both ends are in it, into
    `span.as_doc(copy_user_data=True)`. Tokens may be merged: where an end is then only a part of a
    token, the whole token is taken.
    """
    text = doc.text  # spaCy puts it together anew at every call
    return [
        relation
        for key in _keys(doc)
        for value in _user_data(doc)[key]
        for relation in _restored(doc, text, key[2], value)
    ]


def write_relations(doc: Doc, relations: Iterable[Relation]) -> None:
    """Set `doc._.relations`. Raises ValueError for a relation between spans of another document."""
    relations = list(relations)
    for relation in relations:
        if relation.head.doc is not doc or relation.tail.doc is not doc:
            raise ValueError(f"Not a relation between spans of this document: {relation}.")
    for key in _keys(doc):
        del _user_data(doc)[key]
    if relations:
        key = (*_KEPT_UNDER, 0, len(doc.text))
        _user_data(doc)[key] = [_kept(each) for each in relations]


def add_extension() -> None:
    """Give all documents `doc._.relations`, as a component that finds relations does.

    Where it is another extension, a warning says that it was. Programs without such a component
    may have one of their own by this name: nothing is done when the module is imported.
    """
    if Doc.has_extension(_NAME):
        if Doc.get_extension(_NAME)[2] is read_relations:
            return
        warnings.warn(
            f"doc._.{_NAME} was another extension, and is that of spacy-sener now.", stacklevel=2
        )
    Doc.set_extension(_NAME, getter=read_relations, setter=write_relations, force=True)


def _keys(doc: Doc) -> list[tuple[Any, ...]]:
    """Those of relations: one, or as many as documents that were joined."""
    keys = [key for key in _user_data(doc) if isinstance(key, tuple)]
    return [key for key in keys if key[:2] == _KEPT_UNDER]


def _user_data(doc: Doc) -> dict[Any, Any]:
    return doc.user_data  # spaCy's own keys are not the strings that it declares


def _kept(relation: Relation) -> tuple[Any, ...]:
    """A relation as plain values; characters count from that of the key."""
    return (_kept_span(relation.head), relation.label, _kept_span(relation.tail), relation.score)


def _kept_span(span: Span) -> tuple[int, int, str, str, str, str]:
    return (span.start_char, span.end_char, span.label_, span.kb_id_, span.id_, span.text)


def _restored(doc: Doc, doc_text: str, offset: int, kept: Any) -> Iterable[Relation]:
    """The relation, or none where the document has not both of its ends."""
    head, label, tail, score = kept
    ends = [_restored_span(doc, doc_text, offset, each) for each in (head, tail)]
    if ends[0] is not None and ends[1] is not None:
        yield Relation(ends[0], label, ends[1], score)


def _restored_span(doc: Doc, doc_text: str, offset: int, kept: Any) -> Span | None:
    """The span, or None if it is not there.

    Where it was cut off, and the rest was joined with another document, its characters are those of
    that one, and have another text.
    """
    start, end, label, kb_id, span_id, text = kept
    if doc_text[max(0, start + offset) : end + offset] != text:
        return None
    return doc.char_span(
        start + offset,
        end + offset,
        label=label,
        kb_id=kb_id,
        span_id=span_id,
        alignment_mode="expand",
    )
