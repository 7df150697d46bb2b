"""The block view in a real browser: what can be seen, clicked, typed, copied and printed."""

from typing import Any

import pytest
import spacy
from displacy.helpers import make_doc
from displacy.tabs import LINE, Open, box, nested, rows, shown
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_sener.displacy import render

NASTY = (
    """</script><script>alert(1)</script></style><img src=x onerror=alert(1)>"' onclick='alert(1)"""
    """ javascript:alert(1) <!-- \u202eabc\u202c \u200b\u0000 {{7*7}} ${alert(1)} &lt;b&gt;"""
)


@pytest.mark.parametrize("script", [True, False])
def test_the_legend_filters_by_label(open_page: Open, script: bool) -> None:
    tab = open_page(render(nested(), page=True), java_script_enabled=script)
    assert shown(tab, ".chip") == ["outer", "inner", "cross"]
    box(tab, "inner").uncheck()
    assert shown(tab, ".chip") == ["outer", "cross"]
    assert shown(tab, "li") == ["outer", "cross"]
    assert len(shown(tab, ".bar")) == 5 + 5
    box(tab, "short").uncheck()
    assert shown(tab, "sup") == []
    assert tab.locator(".under").first.evaluate("e => getComputedStyle(e).backgroundImage") == (
        "none"
    )
    box(tab, "inner").check()
    assert shown(tab, ".chip") == ["outer", "inner", "cross"]


def test_all_and_none_of_the_legend(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    tab.get_by_role("button", name="None").click()
    assert shown(tab, ".chip, .bar, sup, li") == []
    assert tab.get_by_role("status").last.text_content() == "0 of 5 spans shown."
    tab.get_by_role("button", name="All", exact=True).click()
    assert len(shown(tab, ".chip")) == 3


def test_the_slider_hides_spans_of_a_lower_score(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    slider = tab.get_by_label("Score at least")
    assert slider.get_attribute("min") == "0.55"
    slider.fill("0.8")
    tab.wait_for_function("document.querySelector('output').value === '0.80'")
    assert shown(tab, ".chip") == shown(tab, "li") == ["outer", "cross"]
    assert shown(tab, "sup") == ["short 0.90"]
    assert tab.get_by_role("status").last.text_content() == "3 of 5 spans shown."
    slider.press("End")
    tab.wait_for_function("document.querySelector('output').value === '1.00'")
    assert shown(tab, ".chip, sup, .bar") == []
    slider.press("Home")
    tab.wait_for_function("document.querySelector('output').value === '0.55'")
    assert len(shown(tab, ".chip")) == 3


def test_the_slider_of_scores_that_are_no_probabilities(open_page: Open) -> None:
    tab = open_page(render(make_doc("a b", [(0, 1, "x"), (1, 2, "x")], [3.2, 10.5]), page=True))
    slider = tab.get_by_label("Score at least")
    slider.fill("10.5")
    tab.wait_for_function("document.querySelector('output').value === '10.50'")
    assert shown(tab, "sup") == ["x 10.50"]
    slider.press("Home")
    tab.wait_for_function("document.querySelector('output').value === '3.20'")
    assert shown(tab, "sup") == ["x 3.20", "x 10.50"]


def test_without_script_there_is_no_slider(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True), java_script_enabled=False)
    assert not tab.get_by_label("Score at least").is_visible()
    assert shown(tab, "button") == []


def test_without_scores_there_is_no_slider() -> None:
    assert '<div class="score' not in render(make_doc("one", [(0, 1, "a")]), page=True)


@pytest.mark.parametrize("script", [True, False])
def test_blocks_fold_to_their_first_row(open_page: Open, script: bool) -> None:
    tab = open_page(render(nested(), page=True), java_script_enabled=script)
    fold = tab.get_by_label("Fold outer")
    fold.check()
    assert rows(tab) == ["1", "2", "7", "8", "9", "10", "11"]
    assert tab.get_by_text("⋯ folded").first.is_visible()
    fold.uncheck()
    assert rows(tab) == [str(number) for number in range(1, 12)]


def test_folds_nest_and_say_so(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    cross, outer = tab.get_by_label("Fold cross"), tab.get_by_label("Fold outer")
    cross.check()
    assert rows(tab) == ["1", "2", "3", "4", "8", "9", "10", "11"]
    assert (cross.get_attribute("aria-expanded"), outer.get_attribute("aria-expanded")) == (
        "false",
        "true",
    )
    outer.check()
    outer.uncheck()
    assert rows(tab) == ["1", "2", "3", "4", "8", "9", "10", "11"]
    tab.get_by_role("button", name="Unfold all").click()
    assert len(rows(tab)) == 11
    tab.get_by_role("button", name="Fold all", exact=True).click()
    assert rows(tab) == ["1", "2", "8", "9", "10", "11"]


def test_no_text_is_lost_with_a_folded_block_that_is_filtered_out(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    tab.get_by_label("Fold outer").check()
    box(tab, "outer").uncheck()
    assert len(rows(tab)) == 11


def test_the_browser_finds_folded_text(open_page: Open) -> None:
    """`beforematch` is what the search of a page sends."""
    tab = open_page(render(nested(), page=True))
    tab.get_by_label("Fold outer").check()
    row = tab.locator(".row").nth(3)
    assert row.get_attribute("hidden") == "until-found"
    row.dispatch_event("beforematch")
    assert not tab.get_by_label("Fold outer").is_checked()
    assert len(rows(tab)) == 11


TEXT = "[...document.querySelectorAll('.text')].map((text) => text.textContent).join('')"
COPY = """([from, to]) => {
  const texts = document.querySelectorAll(".text");
  const range = document.createRange();
  const walker = document.createTreeWalker(texts[0], NodeFilter.SHOW_TEXT);
  if (from) range.setStart(walker.nextNode(), from);
  else range.setStartBefore(document.body.firstChild);
  if (to) range.setEnd(texts[texts.length - 1].lastChild, to);
  else range.setEndAfter(document.body.lastChild);
  document.getSelection().removeAllRanges();
  document.getSelection().addRange(range);
  const event = new ClipboardEvent("copy", {
    clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
  texts[0].dispatchEvent(event);
  return event.clipboardData.getData("text/plain");
}"""


def test_what_is_copied_is_the_text(open_page: Open) -> None:
    text = "A sentence with five words. " * 100 + "\nShort line\r\n\n\tindented  blanks "
    tab = open_page(render(make_doc(text, [(0, 200, "a"), (5, 8, "b")]), page=True))
    assert tab.locator(".row").count() > 5
    assert tab.evaluate(COPY, [0, 0]) == text
    assert tab.evaluate(COPY, [2, 3]) == text[2 : text.rindex("\n") + 4]
    assert (
        tab.evaluate("[...document.querySelectorAll('.text')].map(t => t.textContent).join('')")
        == text
    )


def test_copied_documents_stay_apart(open_page: Open) -> None:
    tab = open_page(render([make_doc("one"), make_doc("two"), make_doc("three")], page=True))
    assert tab.evaluate(COPY, [0, 0]) == "one\n\ntwo\n\nthree"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("n_words", [2, 30])
def test_hostile_text_and_labels_do_nothing(open_page: Open, n_words: int, whole: bool) -> None:
    doc = make_doc(f"{NASTY}\n" * n_words, [(0, 5 * n_words, NASTY), (1, 2, NASTY)], [0.5, 0.6])
    doc.user_data["title"] = NASTY
    tab = open_page(render([doc, doc], page=whole, options={"title": NASTY}))
    visible = NASTY.replace("\0", "\ufffd")
    assert tab.evaluate(TEXT) == doc.text.replace("\0", "\ufffd") * 2
    assert tab.evaluate("document.querySelectorAll('script').length") == 1
    assert tab.evaluate("document.querySelectorAll('img, [onclick], [onerror]').length") == 0
    assert tab.locator("h2").first.text_content() == visible
    if whole:
        assert tab.title().split() == visible.split()
    tab.get_by_role("checkbox").first.press("Space")
    tab.keyboard.press("n")


def test_two_views_in_one_notebook_do_not_meet(open_page: Open) -> None:
    html = "<!DOCTYPE html><body>" + render(nested()) + render(nested())
    tab = open_page(html)
    box(tab, "inner").first.uncheck()
    tab.get_by_label("Fold outer").nth(1).check()
    assert shown(tab, ".sener:first-of-type .chip") == ["outer", "cross"]
    assert shown(tab, ".sener:last-of-type .chip") == ["outer"]  # the others are folded away
    assert len(rows(tab)) == 11 + 7


def test_nothing_is_seen_outside_of_a_view_in_a_notebook(open_page: Open) -> None:
    tab = open_page(f"<!DOCTYPE html><body><p style='height: 90px'>{render(nested())}")
    above = {"x": 0, "y": 0, "width": 1280, "height": 80}
    blank = tab.screenshot(clip=above)
    tab.locator(".skip").evaluate("link => link.remove()")
    assert tab.screenshot(clip=above) == blank


def compared() -> Example:
    """Each of the seven verdicts once, on blocks and short spans."""
    text = " ".join(["word"] * 400)
    gold = [(0, 30, "a"), (40, 70, "b"), (80, 110, "a"), (120, 150, "a"), (160, 190, "a")]
    gold += [(200, 230, "a")]
    predicted = [(0, 30, "a"), (40, 70, "a"), (85, 110, "a"), (120, 155, "a"), (165, 195, "a")]
    predicted += [(240, 270, "a")]
    shorts = [(start + 300, start + 303, "c") for start in (0, 50)]
    scores = [0.9] * 8
    return Example(make_doc(text, predicted + shorts, scores), make_doc(text, gold + shorts[:1]))


def test_the_slider_hides_pairs_as_a_whole(open_page: Open) -> None:
    """A gold span is not shown as an error of a predicted one that is hidden."""
    spans = [(0, 3, "short"), (17, 102, "block"), (120, 122, "missed")]
    shifted = [(1, 3, "short"), (17, 100, "block"), (130, 132, "sure")]
    scores = [0.9, 0.8, 1.0]
    example = Example(make_doc(LINE * 10, shifted, scores), make_doc(LINE * 10, spans))
    tab = open_page(render(example, page=True))
    status = tab.get_by_role("status").last
    assert status.text_content() == "4 of 4 spans shown."
    tab.get_by_label("Score at least").press("End")
    tab.wait_for_function("document.querySelector('output').value === '1.00'")
    assert shown(tab, ".chip, sup, .bar") == ["○ missed", "✗ sure 1.00"]
    assert status.text_content() == "2 of 4 spans shown."


@pytest.mark.parametrize("script", [True, False])
def test_the_seven_verdicts_are_shown_and_filter(open_page: Open, script: bool) -> None:
    tab = open_page(render(compared(), page=True), java_script_enabled=script)
    verdicts = tab.locator(".chip .verdict").all_text_contents()
    assert verdicts == [
        "✓ found",
        "≠ wrong label: gold is b",
        "⇤ gold of wrong start",
        "⇤ wrong start",
        "⇥ wrong end",
        "⇥ gold of wrong end",
        "↔ gold of wrong ends",
        "↔ wrong ends",
        "○ missed",
        "✗ spurious",
    ]
    assert shown(tab, "sup") == ["✓ c 0.90", "✗ c 0.90"]
    box(tab, "found").uncheck()
    box(tab, "wrong start").uncheck()
    assert len(shown(tab, ".chip")) == 7
    assert shown(tab, "sup") == ["✗ c 0.90"]


def test_counts_of_verdicts_count_pairs_once() -> None:
    html = render(compared())
    for name, count in [("found", 2), ("wrong start", 1), ("missed", 1), ("spurious", 2)]:
        assert f"{name}</span> <small>{count}</small>" in html


def multilingual() -> Doc:
    """spaCy calls the language of such documents "xx", which is none."""
    doc = spacy.blank("xx").make_doc("one two")
    doc.spans["sc"] = [Span(doc, 0, 1, label="x")]
    return doc


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("make", [nested, compared, multilingual])
def test_axe_finds_nothing(open_page: Open, make: Any, width: int, scheme: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe").Axe()
    viewport = {"width": width, "height": 800}
    tab = open_page(render(make(), page=True), viewport=viewport, color_scheme=scheme)
    found = axe.run(tab).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_dark_mode_follows_the_system_and_the_notebook(open_page: Open) -> None:
    paper = "getComputedStyle(document.querySelector('.sener')).backgroundColor"
    tab = open_page(render(nested(), page=True), color_scheme="dark")
    dark = tab.evaluate(paper)
    tab.emulate_media(color_scheme="light")
    assert tab.evaluate(paper) == "rgb(255, 255, 255)" != dark
    tab.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert tab.evaluate(paper) == dark


def test_print_shows_everything_and_no_controls(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    tab.get_by_label("Fold outer").check()
    tab.emulate_media(media="print", color_scheme="dark")
    assert len(rows(tab)) == 11
    assert not tab.get_by_label("Score at least").is_visible()
    assert not tab.locator(".outline").is_visible()
    assert not tab.locator(".fold").first.is_visible()
    assert len(shown(tab, ".bar")) == 12
    assert len(shown(tab, "fieldset label")) == 4
    assert shown(tab, "input, button") == []
    paper = "getComputedStyle(document.querySelector('.sener')).backgroundColor"
    assert tab.evaluate(paper) == "rgb(255, 255, 255)"
    assert tab.pdf().startswith(b"%PDF")


def test_print_without_script_leaves_out_what_the_legend_does(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True), java_script_enabled=False)
    tab.get_by_label("Fold outer").check()
    box(tab, "inner").uncheck()
    tab.emulate_media(media="print")
    assert len(shown(tab, "fieldset label")) == 3
    assert shown(tab, ".chip") == ["outer", "cross"]
    assert len(rows(tab)) == 11


@pytest.mark.parametrize("width", [390, 1280])
def test_the_text_has_room_beside_any_number_of_lanes(open_page: Open, width: int) -> None:
    doc = make_doc(LINE * 400, [(3 * n, 3000 + 3 * n, "x") for n in range(500)])
    tab = open_page(render(doc, page=True), viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator(".text").first.bounding_box()["width"] > width / 3


def test_line_numbers_are_beside_the_first_line_of_any_height(open_page: Open) -> None:
    tab = open_page(render(make_doc("a b c d", [(0, n, "x") for n in range(1, 5)])))
    heights = tab.locator(".text").evaluate(
        "text => ['', '::before'].map(part => getComputedStyle(text, part).lineHeight)"
    )
    assert heights[0] == heights[1] == "36px"


def test_corner_marks_turn_with_the_direction_of_the_text(open_page: Open) -> None:
    doc = spacy.blank("he").make_doc("מילה " * 60)
    doc.spans["sc"] = [Span(doc, 10, 50, label="x")]
    marks = (
        open_page(render(doc))
        .locator(".mark.seen")
        .evaluate_all("marks => marks.map(mark => getComputedStyle(mark, '::before').content)")
    )
    assert [mark[1] for mark in marks] == ["⌝", "⌞"]


@pytest.mark.parametrize("width", [320, 390, 1280, 1920])
def test_nothing_is_wider_than_the_window(open_page: Open, width: int) -> None:
    text = "word " * 50 + "w" * 500 + " word\n" + "x\t" * 300
    spans = [(0, 50, "L" * 200), (50, 51, "M" * 200), (0, 52, "a long label of words " * 5)]
    tab = open_page(
        render(make_doc(text, spans), page=True), viewport={"width": width, "height": 800}
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_minified_page_looks_the_same(open_page: Open) -> None:
    shots = [
        open_page(render(nested(), page=True, minify=minify)).screenshot()
        for minify in (False, True)
    ]
    assert shots[0] == shots[1]
