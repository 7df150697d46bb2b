"""Words of the model and spaCy's tokens."""

import re

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from spacy_sener.words import Words, split, words_of

ODD = "a-b_c\u00e9\u0301 \u6771\u4eac\u200b\U0001f469\u200d\U0001f680 5%\t\n\u00a0?q=1 U.S. don't"
TEXTS = [
    "",
    " \n\t",
    "A well-known 12.50 \u20ac state-of-the-art e-mail: ana@x.org (https://a.b/c?d=e).",
    "\u6771\u4eac\u306b\u884c\u304f\u3002 \ud55c\uad6d\uc5b4",
    "\U0001f469\u200d\U0001f680 \ufeffx\u00adyz\u200b e\u0301 \ufe0f end",
    "don't  stop\n\n\n now\u00a0then",
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


def assert_right(doc: Doc, words: Words) -> None:
    """Every visible character is in a word, and every word in its tokens."""
    spans = split(doc.text)
    assert words.texts == [doc.text[start:end] for start, end in spans]
    assert "".join(words.texts) == re.sub(r"\s", "", doc.text)
    for (start, end), first, last in zip(spans, words.first, words.last, strict=True):
        tokens = doc[int(first) : int(last) + 1]
        assert tokens.start_char <= start < tokens[0].idx + len(tokens[0])
        assert tokens[-1].idx < end <= tokens.end_char


@pytest.mark.parametrize("text", TEXTS)
def test_words_lie_in_their_tokens(nlp: Language, text: str) -> None:
    doc = nlp.make_doc(text)
    assert_right(doc, words_of(doc, "gliner"))


@given(text=st.text(st.sampled_from(ODD), max_size=40))
def test_any_text(nlp: Language, text: str) -> None:
    doc = nlp.make_doc(text)
    assert_right(doc, words_of(doc, "gliner"))


@given(
    tokens=st.lists(st.text(st.sampled_from(ODD), min_size=1, max_size=6), max_size=10),
    data=st.data(),
)
def test_any_tokens_whitespace_in_them_included(
    nlp: Language, tokens: list[str], data: st.DataObject
) -> None:
    spaces = [data.draw(st.booleans()) for _ in tokens]
    doc = Doc(nlp.vocab, tokens, spaces)
    assert_right(doc, words_of(doc, "gliner"))


def test_tokens_as_words_leave_whitespace_out(nlp: Language) -> None:
    doc = Doc(nlp.vocab, [" ", "a-b", "\n", "c", "\u200b"])
    words = words_of(doc, "tokens")
    assert words.texts == ["a-b", "c", "\u200b"]
    assert words.first.tolist() == words.last.tolist() == [1, 3, 4]


@given(text=st.text(st.sampled_from(ODD), max_size=40), data=st.data())
def test_words_that_share_a_character_with_tokens(
    nlp: Language, text: str, data: st.DataObject
) -> None:
    doc = nlp.make_doc(text)
    if not len(doc):
        return
    start = data.draw(st.integers(0, len(doc) - 1))
    end = data.draw(st.integers(start, len(doc) - 1))
    span = doc[start : end + 1]
    first, last = words_of(doc, "gliner").overlapping(start, end)
    overlapping = [
        i
        for i, (begin, stop) in enumerate(split(text))
        if begin < span.end_char and span.start_char < stop
    ]
    assert list(range(first, last + 1)) == overlapping
