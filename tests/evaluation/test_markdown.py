"""The report as a page: what comes from the data is text, whatever it holds."""

import re
from html import unescape

import pytest
from evaluation.evaluated import make_doc, make_example, report_on
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from spacy.training import Example

from spacy_sener.evaluation.markdown import escape, table, to_markdown

HTML = MarkdownIt("commonmark").enable("table").enable("strikethrough")
EVIL = [
    *("<script>alert(1)</script>", "a|b", "`code`", "*bold*", "[x](http://y)", "![i](j)", "&amp;"),
    *("line\nbreak", "\\|", "back\\", "__init__", "~~gone~~", "<!-- -->", "$x$", "# no", "| --- |"),
]


def cells(page: str) -> list[str]:
    """What a reader sees in the cells of the page's tables."""
    return [
        unescape(cell) for cell in re.findall(r"<t[dh](?: [^>]*)?>(.*?)</t[dh]>", page, re.DOTALL)
    ]


@pytest.mark.parametrize("text", EVIL)
def test_text_is_shown_as_it_is(text: str) -> None:
    page = HTML.render(table(["a", "b"], [[escape(text), "1"]]))
    assert cells(page) == ["a", "b", " ".join(text.split()), "1"]


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]) | st.just("\n")))
def test_any_text_stays_in_its_cell(text: str) -> None:
    page = HTML.render(table(["a", "b"], [[escape(text), "1"]]))
    assert cells(page) == ["a", "b", " ".join(text.split()), "1"]


def test_labels_and_texts_of_a_report() -> None:
    words = [word for text in EVIL for word in (text, "\n")]
    gold = make_doc([(2 * i, 2 * i + 1, text) for i, text in enumerate(EVIL)], words=words)
    gold.user_data["doc_id"] = "<b>|`"
    predicted = make_doc([(2 * i, 2 * i + 1, "x<i>|") for i in range(9)], [0.9] * 9, words=words)
    report = report_on([Example(predicted, gold)], reach=5, labels=EVIL)
    page = HTML.render(to_markdown({**report, "name": "<b>", "model": "`<i>`"}, []))
    assert not re.search(r"<(script|i|b|del|a|em|img|!--)\b", page)
    rows = [len(cells(row)) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    assert set(rows) == {3, 4, 5, 6, 8}
    assert all(f">{' '.join(text.split())}" in unescape(page) for text in EVIL)


def test_a_part_for_each_figure() -> None:
    report = report_on(
        [make_example([(0, 9, "A"), (1, 3, "B")], [(0, 8, "A"), (1, 3, "B")], [0.9, 0.7])] * 2,
        threshold=0.5,
        lowest_score=0.05,
        reach=3,
        labels=("A", "B"),
    )
    page = to_markdown(report, ["f_by_length.png"])
    for line in (
        "# Evaluation of test",
        "| F | 50.00 | 50.00 to 50.00 |",
        "| A | 0.00 | 0.00 | 0.00 | 2 | 2 |",
        "![F by length](f_by_length.png)",
        "| Nested | 100.00 | 2 |",
        "### End off",
        "The end is off in 2 spans, by 1.0 tokens on average; in 0 of them the predicted span "
        "reaches too far out.",
        "| 0.9 to 1.0 | 0.900 | 0.000 | 2 |",
        "2 of 4 gold spans can be found, which bounds recall at 50.00%.",
        "- 2 longer than the model reaches",
    ):
        assert line in page
    assert "thresholds.png" not in page


def test_without_any_span() -> None:
    page = to_markdown(report_on([make_example([], [])]), [])
    assert "| F | - | - |" in page
    assert "No span was predicted." in page
    assert "carry no scores" not in page
    assert "## Nested" not in page


def test_without_scores() -> None:
    page = to_markdown(report_on([make_example([], [(0, 1, "A")])]), [])
    assert "The predictions carry no scores" in page
    assert "No span was predicted" not in page


def test_scores_that_no_threshold_is_for() -> None:
    example = make_example([(0, 1, "A")], [(0, 1, "A"), (2, 3, "A")], [0.9, 0.7])
    page = to_markdown(report_on([example], by_score=False), ["reliability.png"])
    assert "a score of 0.70 or more. A span is right" in page
    assert "![Share of right spans by score](reliability.png)" in page
    assert "| 0.9 to 1.0 | 0.900 | 1.000 | 1 |" in page
    assert "What another threshold would give is not known" in page
    assert "carry no scores" not in page
