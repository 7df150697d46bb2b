"""The page of the block view: how long a browser takes to open it, and to answer to its reader.

A text of 20,000 random words in paragraphs has 500 spans with scores, nested and of 2 to 800
tokens. Needs Playwright (extra `test`) and a Chromium on the path, which has no window and draws
in software. Every pass is a tab of its own.
"""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, Span
from tqdm import tqdm

from benchmarks import machine, options, report
from benchmarks.measure import Measurement, Subject
from benchmarks.report import Table
from spacy_sener.displacy import render

SIZES = ((1_000, 25), (20_000, 500), (100_000, 2_500))
"""Tokens and spans."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LABELS = [f"LABEL_{number}" for number in range(10)]
STEPS = {
    "open": "until the whole page is laid out and first painted",
    "legend": "a label is unchecked: until the next frame is done",
    "slider": "the slider goes half way: likewise",
    "fold": "all blocks are folded: likewise",
    "unfold": "and unfolded: likewise",
    "jump": "to the last block: likewise",
    "scroll": "the longest time between two frames while scrolling through 20,000 pixels",
}
ACTIONS = {
    "legend": "root.querySelector('fieldset input').click()",
    "slider": "const range = root.querySelector('.score input'); range.value = 0.75;"
    " range.dispatchEvent(new Event('input', { bubbles: true }))",
    "fold": "root.querySelector('.fold-all').click()",
    "unfold": "root.querySelector('.unfold-all').click()",
    "jump": "[...root.querySelectorAll('li a')].at(-1).click()",
}
OPENED = """() => new Promise((done) => {
  const look = () => {
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const load = performance.getEntriesByType("navigation")[0].loadEventEnd;
    if (paint && load) done(Math.max(paint.startTime, load)); else setTimeout(look, 10);
  };
  look();
})"""
ACT = """() => new Promise((done) => requestAnimationFrame(() => {
  const root = document.querySelector(".sener");
  const start = performance.now();
  ACTION;
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
}))"""
SCROLL = """() => new Promise((done) => {
  let last = performance.now(), longest = 0, frames = 0;
  scrollTo(0, 0);
  const step = (now) => {
    longest = frames > 1 ? Math.max(longest, now - last) : 0;
    last = now;
    scrollBy(0, 100);
    if (++frames < 200) requestAnimationFrame(step); else done(longest);
  };
  requestAnimationFrame(step);
})"""


def document(n_tokens: int, n_spans: int, *, seed: int = 0) -> Doc:
    """Random words in paragraphs, and blocks and short spans in random places."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 9))) for _ in range(n_tokens)]
    for place in range(40, n_tokens, 60):
        words[place] = "\n"
    doc = Doc(spacy.blank("en").vocab, words=words)
    spans = []
    for _ in range(n_spans):
        length = min(n_tokens // 2, int(2 * 400 ** rng.random()))
        start = rng.randrange(n_tokens - length)
        spans.append(Span(doc, start, start + length, label=rng.choice(LABELS)))
    doc.spans["sc"] = spans
    doc.spans["sc"].attrs["scores"] = [rng.uniform(0.5, 1) for _ in spans]
    return doc


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/view.json`."""
    args = options.parser(__doc__).parse_args(arguments)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for n_tokens, n_spans in SIZES:
            doc = document(n_tokens, n_spans)
            started = time.perf_counter()
            html = render(doc, page=True, jupyter=False) or ""
            written = time.perf_counter() - started
            path = Path(folder, f"{n_tokens}.html")
            path.write_text(html, encoding="utf8")
            passes = measure(path, args.passes)
            results += _measurements(n_tokens, written, passes)
            results[-len(STEPS) - 1].details = [{"MB": len(html.encode()) / 1e6}]
    report.save(
        "view",
        machine=machine.describe(args.threads) | {"browser": _browser_version()},
        measurements=results,
        tables=[view_table(results)],
    )


def measure(path: Path, n_passes: int) -> list[dict[str, float]]:
    """Milliseconds of each step, in each pass after the first."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        names = tqdm(range(n_passes + 1), desc=path.name)
        passes = [_one_pass(browser, path) for _ in names]
        browser.close()
    return passes[1:]


def _one_pass(browser: Any, path: Path) -> dict[str, float]:
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.goto(path.as_uri(), wait_until="load")
    took = {"open": tab.evaluate(OPENED)}
    for name, action in ACTIONS.items():
        took[name] = tab.evaluate(ACT.replace("ACTION", action))
    took["scroll"] = tab.evaluate(SCROLL)
    tab.close()
    return took


def _measurements(
    n_tokens: int, written: float, passes: list[dict[str, float]]
) -> list[Measurement]:
    steps = {"write": [written]} | {name: [one[name] / 1000 for one in passes] for name in STEPS}
    return [
        Measurement(Subject(name, "benchmarks.view:measure", n_tokens), seconds=seconds)
        for name, seconds in steps.items()
    ]


def view_table(results: Sequence[Measurement]) -> Table:
    """A line for each size, in milliseconds."""
    header = ["tokens", "spans", "MB", "write the page", *STEPS]
    rows = []
    for n_tokens, n_spans in SIZES:
        here = [each for each in results if each.subject.length == n_tokens]
        cells = [f"{statistics.median(each.seconds) * 1000:.0f}" for each in here]
        rows.append([f"{n_tokens:,}", f"{n_spans:,}", f"{here[0].detail('MB'):.2f}", *cells])
    explained = "; ".join(f"{name}: {what}" for name, what in STEPS.items())
    return Table(f"The block view, in milliseconds ({explained})", header, rows)


def _chromium() -> str:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("no browser: neither chromium nor google-chrome is on the path")
    return path


def _browser_version() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        version = browser.version
        browser.close()
    return f"Chromium {version}"


if __name__ == "__main__":
    main()
