"""Texts that carry spans: the offsets must hold however the text was put together."""

import pytest
from homepages.text import Span, Text, fill, join, label, parse_markup
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.text(st.sampled_from("abc é\n.{}"), min_size=1, max_size=12).filter(
    lambda text: text == text.strip()
)


def covered(text: Text) -> list[tuple[str, str]]:
    return [(text.string[span.start : span.end], span.label) for span in text.spans]


@given(st.lists(WORDS, min_size=1, max_size=6), st.sampled_from(["", " ", "\n- "]))
def test_joined_labels_cover_their_own_words(words: list[str], separator: str) -> None:
    joined = join(separator, [label("word", word) for word in words])
    assert joined.string == separator.join(words)
    assert covered(joined) == [(word, "word") for word in words]


@given(WORDS, WORDS, WORDS)
def test_nested_labels_cover_their_own_words(before: str, inner: str, after: str) -> None:
    text = before + label("outer", "(" + label("inner", inner) + ")") + after
    assert covered(text) == [(f"({inner})", "outer"), (inner, "inner")]


@given(WORDS, WORDS)
def test_filled_slots_keep_their_labels(name: str, place: str) -> None:
    values = {"name": label("name", name), "place": label("place", place)}
    text = fill("{{x}} {name} of {place}, {name}.", values.__getitem__)
    assert text.string == f"{{x}} {name} of {place}, {name}."
    assert covered(text) == [(name, "name"), (place, "place"), (name, "name")]


def test_markup_and_labels_agree() -> None:
    text = parse_markup("x <a>one <b>two</b></a> <b>three</b>")
    assert text.string == "x one two three"
    assert sorted(text.spans) == [Span(2, 9, "a"), Span(6, 9, "b"), Span(10, 15, "b")]


def test_record_puts_outer_spans_first() -> None:
    record = parse_markup("<a><b>one</b> two</a>").record("d")
    assert record == {
        "id": "d",
        "text": "one two",
        "spans": [{"start": 0, "end": 7, "label": "a"}, {"start": 0, "end": 3, "label": "b"}],
    }


@pytest.mark.parametrize("markup", ["<a>x", "x</a>", "<a>x<b>y</a></b>", "<a>x</b>"])
def test_unbalanced_markup_is_an_error(markup: str) -> None:
    with pytest.raises(ValueError, match="clos"):
        parse_markup(markup)


@pytest.mark.parametrize("words", ["", " ", " x", "x\n"])
def test_no_label_without_words_or_with_space_at_an_end(words: str) -> None:
    with pytest.raises(ValueError, match="'a' span"):
        label("a", words)
