"""The block view, read back from its HTML."""

import re
from html.parser import HTMLParser

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_sener.displacy import BLOCK_TOKENS, render

NLP = spacy.blank("en")
NASTY = """<img src=x onerror=alert(1)>"'&"""


class Page(HTMLParser):
    """Collects the elements, and the text of every line without what was added to it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.lines: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(html)
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in ("meta", "input"):
            self._open.append((tag, attributes.get("class", "")))
        if attributes.get("class") == "text":
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = [name for _, name in self._open]
        added = any(tag == "sup" or name.startswith("mark") for tag, name in self._open)
        if "text" in inside and not added:
            self.lines[-1] += data

    def classes(self, name: str) -> list[dict[str, str]]:
        return [attrs for _, attrs in self.elements if name in attrs.get("class", "").split()]


def make_doc(
    text: str, spans: list[tuple[int, int, str]], scores: list[float] | None = None
) -> Doc:
    doc = NLP.make_doc(text)
    doc.spans["sc"] = [Span(doc, start, end, label=label) for start, end, label in spans]
    if scores is not None:
        doc.spans["sc"].attrs["scores"] = scores
    return doc


@given(st.data())
def test_the_text_and_its_lines_stay_as_they_are(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("ab<&> \n\t."), max_size=60))
    n_tokens = len(NLP.make_doc(text))
    starts = st.integers(0, max(0, n_tokens - 1))
    spans = []
    for start in data.draw(st.lists(starts, max_size=5 * bool(n_tokens))):
        spans.append((start, data.draw(st.integers(start + 1, n_tokens)), "L"))
    page = Page(render(make_doc(text, spans)))
    assert page.lines == text.split("\n")


def test_block_has_bar_chip_and_corner_marks() -> None:
    text = "Before it . " + "word " * 30 + "\n" + "word " * 30 + ". After it"
    html = render(make_doc(text, [(3, 65, "block")], [0.97]))
    page = Page(html)
    assert [bar["class"] for bar in page.classes("bar")] == ["bar l0 first", "bar l0 last"]
    assert len(page.classes("chip")) == 1
    assert "<b>block</b> 0.97 · 62 tokens" in html
    assert html.count("⌜") == html.count("⌟") == 1
    assert "<sup" not in html


def test_no_corner_marks_at_the_ends_of_lines() -> None:
    html = render(make_doc("\n".join(["word " * 30] * 3), [(0, 61, "block")]))
    assert "⌜" not in html
    assert len(Page(html).classes("bar")) == 2


def test_short_span_is_underlined_and_named_after_its_end() -> None:
    html = render(make_doc("one two three", [(0, 2, "pair")], [0.8]))
    assert re.search(
        r'<span class="under"[^>]*>one two</span><sup class="l0">pair 0.80</sup>', html
    )
    assert not Page(html).classes("bar")


def test_block_length_decides() -> None:
    doc = make_doc("word " * 40, [(0, BLOCK_TOKENS, "x"), (0, BLOCK_TOKENS - 1, "y")])
    page = Page(render(doc))
    assert [chip["class"] for chip in page.classes("chip")] == ["chip l0"]


def test_low_scores_are_dashed() -> None:
    doc = make_doc("word " * 90, [(0, 30, "x"), (30, 60, "x")], [0.9, 0.5])
    classes = [bar["class"] for bar in Page(render(doc)).classes("bar")]
    assert classes == ["bar l0 first last", "bar l0 low first last"]


def test_blocks_that_touch_one_line_never_share_a_lane() -> None:
    """Two blocks that meet inside a line would else be drawn as one."""
    text = "\n".join(["word " * 40] * 3)  # 41 tokens a line, with the line break
    doc = make_doc(text, [(0, 60, "x"), (60, 100, "x"), (90, 120, "x")])
    bars = Page(render(doc)).classes("bar")
    lanes = [int(bar["style"].removeprefix("grid-column:")) for bar in bars]
    # Line by line: the first block; the first and the second; the second and the third.
    assert lanes == [1, 1, 2, 2, 1]


@pytest.mark.parametrize("n_words", [2, 30])
def test_everything_is_escaped(n_words: int) -> None:
    doc = make_doc(f"{NASTY} " * n_words, [(0, n_words, NASTY)])
    doc.user_data["doc_id"] = NASTY
    html = render(doc, title=NASTY)
    assert "<img" not in html
    assert {tag for tag, _ in Page(html).elements}.isdisjoint({"img", "script", "link", "iframe"})
    # A label never reaches a class name or the style sheet.
    assert NASTY not in "".join(attrs.get("class", "") for _, attrs in Page(html).elements)


def test_legend_counts_labels_over_all_documents() -> None:
    docs = [make_doc("one two", [(0, 1, "b"), (1, 2, "a")]), make_doc("one", [(0, 1, "b")])]
    html = render(docs)
    assert html.index("a (1)") < html.index("b (2)")
    assert len(Page(html).classes("t0")) == len(Page(html).classes("t1")) == 1
    assert ".blocks:has(.t1:not(:checked))" in html


def test_colors_are_taken_and_checked() -> None:
    doc = make_doc("one", [(0, 1, "a")])
    assert "--k0:rgb(1, 2, 3)" in render(doc, colors={"a": "rgb(1, 2, 3)"})
    with pytest.raises(ValueError, match="not a CSS colour"):
        render(doc, colors={"a": "red}</style><script>"})


def test_page_needs_nothing_from_outside() -> None:
    html = render(make_doc("one", [(0, 1, "a")]))
    assert html.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?:|src=|url\(|@import|<script", html)
    assert render(make_doc("one", []), page=False).startswith("<div")
    assert Page(render([])).lines == []


def test_missing_key_is_an_error_that_lists_the_others() -> None:
    with pytest.raises(ValueError, match=r"spans_key 'other' is not in doc.spans.*\['sc'\]"):
        render(make_doc("one", []), spans_key="other")
