"""Ways through the page in a real browser: links, keys, and what the address says then."""

from html import escape

import pytest
from displacy.helpers import make_doc
from displacy.tabs import LINE, Open, nested, rows

from spacy_sener.displacy import render


def test_the_outline_jumps_into_folded_blocks(open_page: Open) -> None:
    doc = make_doc(LINE * 200, [(17, 3000, "outer"), (2000, 2100, "inner")])
    tab = open_page(render(doc, page=True))
    tab.get_by_label("Fold outer").check()
    tab.get_by_role("link", name="inner").click()
    tab.wait_for_function("document.activeElement.matches('.chip')")
    assert tab.evaluate("document.activeElement.querySelector('b').textContent") == "inner"
    chip = tab.locator(".chip").nth(1)
    assert chip.is_visible()
    tab.wait_for_function("document.activeElement.getBoundingClientRect().top < 40")
    assert chip.bounding_box()["y"] >= 0
    assert not tab.get_by_label("Fold outer").is_checked()


def test_the_outline_jumps_without_script(open_page: Open) -> None:
    doc = make_doc(LINE * 200, [(2000, 2100, "only")])
    tab = open_page(render(doc, page=True), java_script_enabled=False)
    tab.get_by_role("link", name="only").click()
    tab.wait_for_timeout(200)
    assert 0 <= tab.locator(".chip").bounding_box()["y"] < 40


def test_keys_go_from_block_to_block(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    current = "document.activeElement.closest('.chip')?.querySelector('b').textContent"
    visited = []
    for key in "nnnnp":
        tab.keyboard.press(key)
        visited.append(tab.evaluate(current))
    assert visited == ["outer", "inner", "cross", "cross", "inner"]


def test_blocks_fold_by_keyboard(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    fold = tab.get_by_label("Fold outer")
    fold.focus()
    for key in ("Enter", "Space"):
        tab.keyboard.press(key)
        assert fold.is_checked() == (key == "Enter")


def test_the_first_tab_stop_skips_to_the_text(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the text"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.tagName") == "MAIN"


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_block_that_a_key_went_to_folds(open_page: Open, key: str) -> None:
    tab = open_page(render(nested(), page=True))
    tab.keyboard.press("n")
    tab.keyboard.press(key)
    assert rows(tab) == ["1", "2", "7", "8", "9", "10", "11"]
    assert tab.evaluate("scrollY") == 0, "Space scrolls otherwise"
    tab.keyboard.press(key)
    assert len(rows(tab)) == 11


def test_keys_leave_a_block_of_one_row_as_it_is(open_page: Open) -> None:
    tab = open_page(render(make_doc("word " * 40, [(0, 30, "x")]), page=True))
    for key in ("n", "Enter", "Space"):
        tab.keyboard.press(key)
    assert rows(tab) == ["1"]


def test_a_link_of_the_outline_changes_the_address(open_page: Open) -> None:
    tab = open_page(render(nested(), page=True))
    tab.get_by_role("link", name="inner").click()
    assert tab.url.endswith("#blocks-m1")


@pytest.mark.parametrize("key", ["Control", "Shift"])
def test_links_open_in_a_tab_or_window_of_their_own(open_page: Open, key: str) -> None:
    tab = open_page(render(nested(), page=True))
    with tab.context.expect_page() as opened:
        tab.get_by_role("link", name="inner").click(modifiers=[key])
    assert opened.value.url.endswith("#blocks-m1")
    assert "#" not in tab.url


def test_a_page_in_a_frame_without_an_address(open_page: Open) -> None:
    page = escape(render(nested(), page=True))
    tab = open_page(f'<!DOCTYPE html><iframe width=1000 height=700 srcdoc="{page}"></iframe>')
    frame = tab.frames[1]
    frame.get_by_role("link", name="inner").click()
    focus = "document.activeElement.querySelector('b').textContent"
    assert frame.evaluate(focus) == "inner"
