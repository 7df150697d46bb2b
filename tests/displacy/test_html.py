"""The block view, read back from its HTML."""

import re

import catalogue
import pytest
from displacy.helpers import NLP, Page, make_doc
from hypothesis import given
from hypothesis import strategies as st
from spacy import displacy as spacy_displacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from spacy_sener.displacy import render
from spacy_sener.displacy.marks import BLOCK_TOKENS

NASTY = """</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&`\u202e\u200b"""


@st.composite
def documents(draw: st.DrawFn) -> Doc:
    """Text with odd whitespace and lines of any length; spans that nest, cross and meet."""
    words = st.text(st.sampled_from('ab<&>" \n\t\r.'), max_size=60)
    text = draw(words) + draw(st.sampled_from(["", "word, more. " * 200, "x" * 2000])) + draw(words)
    n_tokens = len(NLP.make_doc(text))
    spans = []
    for start in draw(st.lists(st.integers(0, max(0, n_tokens - 1)), max_size=6 * bool(n_tokens))):
        end = draw(st.integers(start, n_tokens) | st.integers(start, min(n_tokens, start + 4)))
        spans.append((start, end, draw(st.sampled_from("LM"))))
    return make_doc(text, spans)


@given(st.lists(documents(), max_size=2), st.booleans())
def test_the_text_stays_as_it_is(docs: list[Doc], minify: bool) -> None:
    page = Page(render(docs, page=True, minify=minify))
    assert "".join(page.rows) == "".join(doc.text for doc in docs)


@given(documents())
def test_every_line_begins_a_row(doc: Doc) -> None:
    page = Page(render(doc))
    numbers = [text.attributes["data-n"] for text in page.find("text")]
    lines: list[str] = []
    for number, text in zip(numbers, page.rows, strict=True):
        if number.isdigit():
            assert int(number) == len(lines) + 1
            lines.append(text)
        else:
            lines[-1] += text
    assert "".join(lines) == doc.text
    assert [line.removesuffix("\n") for line in lines] == doc.text.split("\n")


@given(documents())
def test_blocks_that_touch_one_row_never_share_a_lane(doc: Doc) -> None:
    html = render(doc)
    for row in re.findall(r'<div class="row.*', html):
        lanes = re.findall(r'<b class="bar [^>]*--lane:(\d+)', row)
        assert len(lanes) == len(set(lanes))


def test_text_of_token_lists_is_shown_as_it_is() -> None:
    doc = Doc(NLP.vocab, words=["Do", "n't", ",", "\n", " ", "x"])
    doc.spans["sc"] = [doc[1:3]]
    assert "".join(Page(render(doc)).rows) == doc.text


def test_nul_is_shown_as_the_replacement_character() -> None:
    assert Page(render(make_doc("a\0b"))).rows == ["a\ufffdb"]


def test_block_has_bar_chip_and_corner_marks() -> None:
    text = "Before it . " + "word " * 30 + "\n" + "word " * 30 + ". After it"
    page = Page(render(make_doc(text, [(3, 65, "block")], [0.97])))
    assert [bar.classes for bar in page.find("bar")] == [
        ["bar", "l0", "s0", "first"],
        ["bar", "l0", "s0", "last"],
    ]
    assert [chip.text for chip in page.find("chip")] == ["block 0.97 · 62 tokens"]
    assert [mark.attributes["aria-label"] for mark in page.find("seen")] == [
        "start of block",
        "end of block",
    ]
    assert not [element for element in page.elements if element.tag == "sup"]


def test_corner_marks_at_the_ends_of_lines_are_only_read_out() -> None:
    page = Page(render(make_doc("\n".join(["word " * 30] * 3), [(0, 61, "block")])))
    assert not page.find("seen")
    assert len(page.find("mark")) == len(page.find("bar")) == 2


def test_a_block_that_starts_on_a_line_break_is_drawn_where_its_words_are() -> None:
    page = Page(render(make_doc("one\n" + "word " * 30, [(1, 32, "block")])))
    assert [bar.classes[-2:] for bar in page.find("bar")] == [["first", "last"]]


def test_short_span_is_underlined_and_named_after_its_end() -> None:
    html = render(make_doc("one two three", [(0, 2, "pair")], [0.8]))
    pattern = r'<span class="under [^>]*>one two</span><sup class="l0 s0" data-t="pair 0.80"></sup>'
    assert re.search(pattern, html)
    assert not Page(html).find("bar")


def test_crossing_short_spans_are_drawn_in_pieces() -> None:
    html = render(make_doc("a b c", [(0, 2, "x"), (1, 3, "y")]))
    text = re.search(r'<div class="text".*?>(.*)</div></div>', html)[1]
    assert re.sub(r' (?:class|style|title)="[^"]*"', "", text) == (
        '<span>a <span>b</span></span><sup data-t="x"></sup><span> c</span><sup data-t="y"></sup>'
    )


def test_lines_under_inner_spans_are_next_to_the_words() -> None:
    html = render(make_doc("a b c d", [(0, 4, "x"), (0, 2, "x"), (0, 1, "x"), (2, 3, "x")]))
    assert re.findall(r"--level:(\d)", html) == ["2", "1", "0", "0"]


def test_block_length_decides() -> None:
    doc = make_doc("word " * 40, [(0, BLOCK_TOKENS, "x"), (0, BLOCK_TOKENS - 1, "y")])
    assert [chip.classes[1] for chip in Page(render(doc)).find("chip")] == ["l0"]


def test_low_scores_are_dashed() -> None:
    doc = make_doc("word " * 90, [(0, 30, "x"), (30, 60, "x")], [0.9, 0.5])
    classes = [bar.classes for bar in Page(render(doc)).find("bar")]
    assert [("low" in names) for names in classes] == [False, True]


def test_inner_blocks_are_right_of_those_around_them() -> None:
    text = "\n".join(["word " * 40] * 6)  # 41 tokens a line, with the line break
    doc = make_doc(text, [(0, 41, "x"), (35, 240, "y"), (90, 120, "z")])
    lanes = re.findall(r'class="bar l(\d)[^>]*--lane:(\d)', render(doc))
    assert dict(lanes) == {"0": "0", "1": "1", "2": "2"}


def test_long_lines_are_cut_where_blocks_start_and_end() -> None:
    text = "word " * 100 + "start " + "word " * 100 + "end " + "word " * 100
    page = Page(render(make_doc(text, [(100, 202, "block")])))
    assert [row.strip()[:5] for row in page.rows] == ["word ", "start", "word "]
    assert [text.attributes["data-n"] for text in page.find("text")] == ["1", "⤷", "⤷"]
    assert [bar.classes[-2:] for bar in page.find("bar")] == [["first", "last"]]


def test_long_rows_are_cut_after_sentences() -> None:
    rows = Page(render(make_doc("One more sentence of words. " * 500))).rows
    assert len(rows) > 10
    assert {row.strip()[-6:] for row in rows} == {"words."}


def test_long_rows_are_not_cut_after_abbreviations() -> None:
    text = "word " * 120 + "end... " + "word " * 40 + "by A.I. Doe and Dr. " + "word " * 100
    assert [row.strip()[-6:] for row in Page(render(make_doc(text))).rows] == ["end...", "d word"]


def test_long_blocks_can_be_folded_to_their_first_row() -> None:
    text = "\n".join(["word " * 30] * 4) + " after"
    page = Page(render([make_doc("one"), make_doc(text, [(0, 92, "a"), (0, 123, "b")])]))
    folds = [fold.attributes for fold in page.find("fold")]
    # Rows count over all documents; the last one has text that is not of the block.
    assert [(fold["data-first"], fold["data-last"]) for fold in folds] == [("2", "3"), ("2", "3")]
    assert all(fold["aria-expanded"] == "true" for fold in folds)


@pytest.mark.parametrize("n_words", [2, 30])
@pytest.mark.parametrize("page", [True, False])
def test_everything_is_escaped(n_words: int, page: bool) -> None:
    doc = make_doc(f"{NASTY} " * n_words, [(0, n_words, NASTY)], [0.5])
    doc.user_data["doc_id"] = NASTY
    gold = make_doc(doc.text, [(0, n_words, f"gold {NASTY}")])
    compared = Example(make_doc(doc.text, [(0, n_words, NASTY)], [0.5]), gold)
    html = render([doc, compared], page=page, options={"title": NASTY})
    read = Page(html)
    assert ("gold is gold &lt;" in html) == (n_words > 2)  # where there is room for it
    assert "<img" not in html
    assert html.count("<script>") == html.count("</script") == 1
    assert {element.tag for element in read.elements}.isdisjoint({"img", "link", "iframe"})
    names = {name for element in read.elements for name in element.attributes}
    assert not [name for name in names if name.startswith("on")]
    # A label never reaches a class name, the style sheet or the script.
    code = "".join(e.text for e in read.elements if e.tag in ("style", "script"))
    assert "alert" not in code + "".join(e.attributes.get("class", "") for e in read.elements)


def test_legend_counts_labels_over_all_documents() -> None:
    docs = [make_doc("one two", [(0, 1, "b"), (1, 2, "a")]), make_doc("one", [(0, 1, "b")])]
    html = render(docs)
    assert html.index("<bdi>a</bdi></span> <small>1<") < html.index("<bdi>b</bdi></span> <small>2<")


def test_outline_has_the_blocks() -> None:
    doc = make_doc("word " * 60, [(0, 50, "a"), (2, 40, "b"), (3, 4, "c")])
    page = Page(render(doc, page=True))
    items = [element for element in page.elements if element.tag == "li"]
    assert [item.text.split()[0] for item in items] == ["a", "b"]
    targets = {element.attributes.get("id") for element in page.elements}
    links = [e.attributes["href"][1:] for e in page.elements if e.tag == "a"]
    assert set(links) <= targets


def test_outline_shows_no_words_after_a_block() -> None:
    gold = make_doc("a b c " + "word " * 40, [(0, 40, "x")])
    page = Page(render(Example(make_doc(gold.text, [(0, 2, "x")]), gold)))
    items = [element.text for element in page.elements if element.tag == "li"]
    assert items[0].endswith("word wo"), "cut at the end of what is shown"
    assert items[1].endswith("a b")


def test_colors_come_from_options_registered_ones_and_spacy() -> None:
    doc = make_doc("one two three", [(0, 1, "org"), (1, 2, "x"), (2, 3, "y")])
    assert ".l0{--given:#7aecec}" in render(doc)
    registry.displacy_colors.register("sener-test", func={"X": "teal", "Y": "red"})
    try:
        html = render(doc, options={"colors": {"x": "rgb(1, 2, 3)"}})
    finally:
        catalogue.REGISTRY.pop(("spacy", "displacy_colors", "sener-test"))
    assert ".l1{--given:rgb(1, 2, 3)}" in html
    assert ".l2{--given:red}" in html


@pytest.mark.parametrize("color", ["RGB(1, 2, 3)", "#4E9ECF", "Teal", "oklch(0.5 0.1 20DEG)"])
def test_the_case_of_a_color_is_of_no_matter(color: str) -> None:
    html = render(make_doc("one", [(0, 1, "a")]), options={"colors": {"a": color}})
    assert f"--given:{color}}}" in html


@pytest.mark.parametrize("color", ["red}</style><script>", "url(https://x)", "#12345", 3])
def test_what_is_not_a_color_is_an_error(color: object) -> None:
    with pytest.raises(ValueError, match="not a CSS colour"):
        render(make_doc("one", [(0, 1, "a")]), options={"colors": {"a": color}})


def test_more_labels_than_the_palette_have_colors_of_their_own() -> None:
    doc = make_doc("word " * 40, [(n, n + 1, f"label{n}") for n in range(40)])
    assert len(set(re.findall(r"--given:([^}]*)}", render(doc)))) == 40


def test_ents_says_which_labels_to_draw() -> None:
    doc = make_doc("one two", [(0, 1, "a"), (1, 2, "b")])
    html = render(doc, options={"ents": ["B"]})
    assert 'data-t="b"' in html
    assert 'data-t="a"' not in html


@pytest.mark.parametrize("page", [True, False])
def test_page_needs_nothing_from_outside(page: bool) -> None:
    html = render(make_doc("one", [(0, 1, "a")]), page=page)
    assert html.startswith("<!DOCTYPE html>" if page else "<div")
    assert not re.search(r"https?:|src=|url\(|@import|<link", html)


def test_a_page_is_the_same_each_time_and_elements_have_their_own_ids() -> None:
    doc = make_doc("word " * 30, [(0, 30, "a")])
    assert render(doc, page=True) == render(doc, page=True)
    ids = [set(re.findall(r' id="([^"]+)"', render(doc))) for _ in range(2)]
    assert len(ids[0]) >= 3
    assert ids[0].isdisjoint(ids[1])


@pytest.mark.parametrize("docs", [[], [make_doc("")], [make_doc("\n\n")]])
def test_documents_without_words(docs: list[Doc]) -> None:
    assert "".join(Page(render(docs, page=True)).rows) == "".join(doc.text for doc in docs)


def test_part_of_a_document_is_drawn_with_what_is_inside_it() -> None:
    doc = make_doc("a b c d e", [(0, 2, "x"), (2, 4, "y"), (3, 4, "z")], [0.1, 0.2, 0.3])
    html = render(doc[2:5])
    assert Page(html).rows == ["c d e"]
    assert re.findall('data-t="(.*?)"', html) == ["z 0.30", "y 0.20"]


def test_spans_without_tokens_are_left_out() -> None:
    doc = make_doc("a b", [(1, 1, "x"), (1, 2, "y")], [0.1, 0.2])
    assert re.findall('data-t="(.*?)"', render(doc)) == ["y 0.20"]


def test_scores_that_are_no_numbers_are_left_out() -> None:
    doc = make_doc("a b", [(0, 1, "x"), (1, 2, "y")], [float("nan"), 0.2])
    assert re.findall('data-t="(.*?)"', render(doc)) == ["x", "y 0.20"]


def test_equal_spans_have_scores_of_their_own() -> None:
    doc = make_doc("a b", [(0, 1, "x"), (0, 1, "x")], [0.9, 0.2])
    for drawn in (doc, doc[0:1]):
        assert sorted(re.findall('data-t="(.*?)"', render(drawn))) == ["x 0.20", "x 0.90"]


@pytest.mark.parametrize(
    ("scores", "ends"), [([0.57, 0.9], ("0.55", "1")), ([3.2, 7.53], ("3.2", "7.55"))]
)
def test_the_slider_goes_from_the_lowest_score_to_the_highest(
    scores: list[float], ends: tuple[str, str]
) -> None:
    html = render(make_doc("a b", [(0, 1, "x"), (1, 2, "x")], scores))
    assert re.search(r'min="(.*?)" max="(.*?)"', html).groups() == ends
    html = render(make_doc("a b", [(0, 1, "x"), (1, 2, "x")], [-score for score in scores]))
    assert float(re.search(r'min="(.*?)"', html)[1]) <= -max(scores)


def test_scores_must_be_as_many_as_spans() -> None:
    with pytest.raises(ValueError, match="has 1 spans, but attrs"):
        render(make_doc("a b", [(0, 1, "x")], [0.1, 0.2]))


def test_missing_key_is_an_error_that_lists_the_others() -> None:
    with pytest.raises(ValueError, match=r"'other' is not in doc.spans.*\['sc'\]"):
        render(make_doc("one"), options={"spans_key": "other"})


def test_gold_without_annotation_is_an_error_that_says_so() -> None:
    example = Example(make_doc("one", [(0, 1, "a")]), NLP.make_doc("one"))
    with pytest.raises(ValueError, match="the reference of an Example has no annotation"):
        render(example)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": {}}, "'color' unknown; style 'block' has 'spans_key'"),
        ({"ents": "PER"}, "a list of labels, not 'PER'"),
        ({"ents": [1]}, r"a list of labels, not \[1\]"),
        ({"ents": 1}, "a list of labels, not 1"),
        ({"colors": ["red"]}, r"a mapping of labels to CSS colours, not \['red'\]"),
    ],
)
def test_wrong_options_are_errors(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(make_doc("one"), options=options)


def test_other_styles_are_those_of_spacy() -> None:
    doc = make_doc("one", [(0, 1, "a")])
    assert 'class="spans"' in render(doc, style="span")
    with pytest.raises(ValueError, match="style: 'blocks' is unknown"):
        render(doc, style="blocks")


def test_what_is_no_document_is_an_error() -> None:
    with pytest.raises(ValueError, match="one is a str"):
        render(["text"])


def test_right_to_left_text_says_so() -> None:
    import spacy

    doc = spacy.blank("he").make_doc("שלום עולם")
    doc.spans["sc"] = [Span(doc, 0, 1, label="x")]
    assert 'lang="he" dir="rtl"' in render(doc)


@pytest.mark.parametrize(
    ("text", "direction"),
    [("قالت Ada للصحيفة إنها", "rtl"), ("Ada said مرحبا", "ltr"), ("12 %", "ltr")],
)
def test_of_a_language_without_a_direction_the_text_has_one(text: str, direction: str) -> None:
    import spacy

    doc = spacy.blank("xx").make_doc(text)
    doc.spans["sc"] = []
    assert f'lang="mul" dir="{direction}"' in render(doc)


@pytest.mark.parametrize(
    ("user_data", "heading"),
    [
        ({"title": "T", "doc_id": "x7"}, ["T"]),
        ({"title": None, "doc_id": "x7"}, ["x7"]),
        ({"title": "", "doc_id": 0}, ["0"]),
        ({"title": " "}, []),
    ],
)
def test_a_document_is_headed_by_its_title_or_else_its_id(
    user_data: dict[str, object], heading: list[str]
) -> None:
    doc = make_doc("one")
    doc.user_data.update(user_data)
    page = Page(render(doc))
    assert [element.text for element in page.elements if element.tag == "h2"] == heading
    [section] = [element for element in page.elements if element.tag == "section"]
    assert section.attributes["aria-label"] == (*heading, "Document 1")[0]


def test_the_page_is_in_english_and_its_texts_in_their_own_language() -> None:
    import spacy

    docs = [spacy.blank(lang).make_doc("") for lang in ("de", "xx")]
    for doc in docs:
        doc.spans["sc"] = []
    assert re.findall(r'<(\w+)[^>]* lang="(\w*)"', render(docs, page=True)) == [
        ("html", "en"),
        ("section", "de"),
        ("section", "mul"),
    ]


def test_without_a_title_there_is_one() -> None:
    assert "<title>Spans</title>" in render(make_doc("one"), page=True, options={"title": None})


def test_wrapper_set_in_spacy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_displacy, "RENDER_WRAPPER", lambda html: f"<figure>{html}</figure>")
    assert render(make_doc("one")).startswith("<figure><div")
