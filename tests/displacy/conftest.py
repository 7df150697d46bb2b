"""A real browser without a window, which has no network."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium of the system; tests of the page are skipped where there is none.

    Of one module: until it is closed its event loop runs in this thread, where tests of other
    modules start loops of their own.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is on the path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens HTML in a tab of its own; fails at the end if anything there went wrong.

    Options are those of Playwright's `new_context`, e.g. `viewport` and `java_script_enabled`.
    """
    contexts, problems = [], []

    def open_html(html: str, **options: Any) -> Any:
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(html, encoding="utf8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: problems.append(f"error: {error}"))
        tab.on("console", lambda message: problems.append(f"console: {message.text}"))
        tab.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
        tab.on("request", lambda request: _check_request(request.url, path, problems))
        tab.goto(path.as_uri())
        return tab

    yield open_html
    for context in contexts:
        context.close()
    assert problems == []


def _check_request(url: str, path: Path, problems: list[str]) -> None:
    if url.split("#")[0] != path.as_uri():
        problems.append(f"request: {url}")
