"""Copies of documents that leave out what somebody, or a pipeline, said of them."""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from ..extensions import copy_labels


def without_annotations(nlp: Language, reference: Doc) -> Doc:
    """The same text, in tokens of the pipeline; in the same ones, where nothing says what is
    between them."""
    if reference.has_unknown_spaces:
        return Doc(nlp.vocab, words=[token.text for token in reference])
    return nlp.make_doc(reference.text)


def to_annotate(nlp: Language, doc: Doc) -> Doc:
    """The same without annotations, but by its name and asked for the same labels."""
    bare = without_annotations(nlp, doc)
    copy_labels(doc, to=bare)
    for name in ("title", "doc_id"):
        if name in doc.user_data:
            bare.user_data[name] = doc.user_data[name]
    return bare


def same_tokens(doc: Doc, vocab: Vocab) -> Doc:
    """Words and spaces of a document alone, in this vocabulary."""
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    return Doc(vocab, words=words, spaces=spaces)
