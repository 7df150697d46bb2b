"""Spans that become entities, beside those that there are."""

from itertools import pairwise

import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.pipeline.span_ruler import prioritize_new_ents_filter
from spacy.tokens import Doc, Span

from spacy_sener.pipeline.groups import with_entities

VOCAB = spacy.blank("en").vocab
N_TOKENS = 12
ENDS = st.lists(st.integers(0, N_TOKENS), unique=True, max_size=8).map(sorted)


def disjoint(doc: Doc, ends: list[int], label: str) -> list[Span]:
    """Every second stretch between the ends."""
    return [Span(doc, start, end, label=label) for start, end in list(pairwise(ends))[::2]]


@given(old=ENDS, new=ENDS)
def test_entities_stay_where_no_span_is(old: list[int], new: list[int]) -> None:
    doc = Doc(VOCAB, words=["a"] * N_TOKENS)
    doc.ents = disjoint(doc, old, "OLD")
    spans = disjoint(doc, new, "NEW")
    expected = prioritize_new_ents_filter(doc.ents, spans)
    doc.ents = with_entities(spans, doc)
    assert sorted(expected) == list(doc.ents)
