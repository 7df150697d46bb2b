"""The page around the texts: legend, slider, outline, style sheet and script."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from math import ceil, floor

from ..matching import VERDICTS
from .colors import label_colors
from .layout import lay_out
from .marks import LOW_SCORE, Mark, Page
from .text import SIGNS, TextWriter, describe, escape_text

WHOLE_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>body {{ margin: 0 }}</style>
</head>
<body>
{body}
</body>
</html>
"""
SNIPPET = 48
"""Characters of a block that the outline shows."""


class PageWriter:
    """Writes all documents as one element, or as a page.

    root: The element's id, with which all ids inside begin.
    colors: CSS colours by label.
    """

    def __init__(self, pages: Sequence[Page], *, root: str, colors: Mapping[str, str]) -> None:
        self.root = root
        self.pages = pages
        self.marks = sorted((m for page in pages for m in page.marks), key=lambda m: m.number)
        counts = Counter(mark.label for mark in self.marks)
        self.counts = {label: counts[label] for label in sorted(counts)}
        self.labels = {label: number for number, label in enumerate(self.counts)}
        self.colors = label_colors(list(self.labels), colors)
        self.layouts = [lay_out(page) for page in pages]
        self.writers = list(self._writers())

    def _writers(self) -> Iterator[TextWriter]:
        offset = 0
        for page, layout in zip(self.pages, self.layouts, strict=True):
            yield TextWriter(page, layout, labels=self.labels, root=self.root, row_offset=offset)
            offset += len(layout.rows)

    def whole_page(self, title: str) -> str:
        """A page of its own."""
        return WHOLE_PAGE.format(title=escape_text(title), body=self.element(title))

    def element(self, title: str | None = None) -> str:
        """An element to put into a page; with a title, the only one of its page."""
        header, main = ("div", "div") if title is None else ("header", "main")
        heading = "" if title is None else f"<h1><bdi>{escape_text(title)}</bdi></h1>"
        whole = "" if title is None else " whole"
        texts = "\n".join(self._text(number) for number in range(len(self.pages)))
        return f"""\
<div class="sener{whole} tex2jax_ignore mathjax_ignore" id="{self.root}">
<style>{_asset("block.css")}{self._label_styles()}{self._styles_without_script()}</style>
<script>{self._script()}</script>
<a class="skip" href="#{self.root}-text">Skip to the text</a>
<div class="columns">
<{header} class="panel">
{heading}{self._filters()}{self._slider()}{self._outline()}{self._key()}
</{header}>
<{main} class="texts" id="{self.root}-text" tabindex="-1">
{texts}
</{main}>
</div>
</div>"""

    def _text(self, number: int) -> str:
        page, layout = self.pages[number], self.layouts[number]
        place = f"{self.root}-d{number}"
        lanes = max(layout.lanes.values(), default=-1) + 1
        heading = "" if page.heading is None else f"<h2><bdi>{escape_text(page.heading)}</bdi></h2>"
        name = f"Document {number + 1}" if page.heading is None else escape_text(page.heading)
        digits = len(str(len(page.text.split("\n"))))
        chunks = "\n".join(self.writers[number].chunks())
        return (
            f'<section id="{place}" tabindex="-1" aria-label="{name}" '
            f'lang="{escape_text(page.lang)}" dir="{page.direction}" '
            f'style="--lanes:{lanes};--digits:{digits}">{heading}\n'
            f"{chunks}\n</section>"
        )

    def _filters(self) -> str:
        labels = [
            _box("label", number, f"<bdi>{escape_text(label)}</bdi>", self.counts[label])
            for label, number in self.labels.items()
        ]
        verdicts = Counter(m.verdict for m in self.marks if m.verdict and not m.is_second)
        boxes = [
            _box("verdict", number, f"{SIGNS[verdict][0]} {SIGNS[verdict][1]}", verdicts[verdict])
            for number, verdict in enumerate(VERDICTS)
            if verdicts
        ]
        return _fieldset("Labels", labels) + _fieldset("Gold against prediction", boxes)

    def _slider(self) -> str:
        scores = [mark.score for mark in self.marks if mark.score is not None]
        if not scores:
            return ""
        # Of probabilities to 1; other scores have no bounds.
        least, most = floor(min(scores) * 20) / 20, max(1, ceil(max(scores) * 20) / 20)
        return f"""
<div class="score scripted"><label for="{self.root}-score">Score at least</label>
<input type="range" id="{self.root}-score" min="{least}" max="{most}" step="0.01" value="{least}">
<output for="{self.root}-score">{least:.2f}</output></div>"""

    def _outline(self) -> str:
        parts = [
            self._outline_of(number) for number, page in enumerate(self.pages) if _blocks(page)
        ]
        if not parts:
            return ""
        n_blocks = sum(len(_blocks(page)) for page in self.pages)
        return f"""
<nav aria-label="Blocks"><details class="outline" open><summary>Blocks ({n_blocks})</summary>
<p class="scripted buttons"><button type="button" class="fold-all">Fold all</button>
<button type="button" class="unfold-all">Unfold all</button></p>
{"".join(parts)}</details></nav>"""

    def _outline_of(self, number: int) -> str:
        page, layout = self.pages[number], self.layouts[number]
        name = escape_text(page.heading or f"Document {number + 1}")
        link = f'<p><a href="#{self.root}-d{number}"><bdi>{name}</bdi></a></p>'
        items = "\n".join(
            self._outline_item(mark, page, layout.lanes[mark.number], self.writers[number])
            for mark in _blocks(page)
        )
        return f"{link if len(self.pages) > 1 else ''}<ol>\n{items}\n</ol>"

    def _outline_item(self, mark: Mark, page: Page, lane: int, writer: TextWriter) -> str:
        words = " ".join(page.text[mark.start : min(mark.end, mark.start + SNIPPET)].split())
        sign = f"{SIGNS[mark.verdict][0]} " if mark.verdict else ""
        return (
            f'<li class="{writer.classes(mark)}" style="--lane:{lane}">'
            f'<a href="#{self.root}-m{mark.number}" title="{escape_text(describe(mark))}">'
            f'<i class="swatch"></i>{sign}<b><bdi>{escape_text(mark.label)}</bdi></b> '
            f"<bdi>{escape_text(words)}</bdi></a></li>"
        )

    def _key(self) -> str:
        """What is not said elsewhere."""
        lines = []
        if any(mark.is_low for mark in self.marks):
            lines.append(f"<p>Dashed: score under {LOW_SCORE:.2f}.</p>")
        if any(mark.is_gold for mark in self.marks):
            lines.append("<p>Hollow or dotted: gold annotation.</p>")
        if any(mark.is_block for mark in self.marks):
            keys = "<kbd>n</kbd> and <kbd>p</kbd> go to the next and previous block."
            lines.append(f'<p class="scripted keys">{keys}</p>')
        lines.append('<p class="scripted status" role="status"></p>')
        return f'\n<div class="key">{"".join(lines)}</div>'

    def _label_styles(self) -> str:
        return "".join(
            f"#{self.root} .l{number}{{--given:{color}}}\n"
            for number, color in enumerate(self.colors)
        )

    def _styles_without_script(self) -> str:
        """What the script does otherwise: labels and verdicts not wanted, and folded blocks."""
        root = f"#{self.root}:not(.js)"
        names = [f"l{number}" for number in self.labels.values()]
        if any(mark.verdict for mark in self.marks):
            names += [f"v{number}" for number in range(len(VERDICTS))]
        folds = [number for writer in self.writers for number in writer.folds]
        return "".join(
            [
                *(
                    f"{root}:has(.t-{name}:not(:checked)) {{ :is(.chip, .mark, sup, li).{name} "
                    f"{{ display: none }} .bar.{name} {{ visibility: hidden }} "
                    f".under.{name} {{ background: none }} }}\n"
                    for name in names
                ),
                "@media screen {\n",  # in print, folded blocks are open
                *(
                    f"{root}:has(#{self.root}-f{n}:checked) .i{n} {{ display: none }}\n"
                    for n in folds
                ),
                "}\n",
            ]
        )

    def _script(self) -> str:
        """The script, and the facts of each mark for it: numbers only."""
        facts = [self._facts(mark) for mark in self.marks]
        facts_json = json.dumps(facts, separators=(",", ":"), allow_nan=False)
        return f'{_asset("block.js").rstrip().removesuffix(";")}("{self.root}", {facts_json});'

    def _facts(self, mark: Mark) -> list[int | float | None]:
        """Label, score, verdict, and how many it counts for: a pair counts as one."""
        score = mark.partner_score if mark.is_second else mark.score
        return [
            self.labels[mark.label],
            None if score is None else round(score, 4),
            None if mark.verdict is None else VERDICTS.index(mark.verdict),
            int(not mark.is_second),
        ]


def minify(html: str) -> str:
    """The same page without the whitespace of its style sheet, and line breaks between tags.

    Those of the text are written as references, so that none of them is touched.
    """
    html = re.sub(r"<style>.*?</style>", lambda match: _dense(match[0]), html, flags=re.DOTALL)
    return re.sub(r">\n+<", "><", html)


def _dense(css: str) -> str:
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s+", " ", css)


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf8")


def _blocks(page: Page) -> list[Mark]:
    return [mark for mark in page.marks if mark.is_block]


def _fieldset(name: str, boxes: list[str]) -> str:
    if not boxes:
        return ""
    every = ""
    if len(boxes) > 2:
        every = (
            '<span class="every scripted"><button type="button" class="all">All</button> '
            '<button type="button" class="none">None</button></span>'
        )
    lines = "\n".join(boxes)
    return f"\n<fieldset><legend>{name}</legend>{every}\n<div>\n{lines}\n</div></fieldset>"


def _box(kind: str, number: int, name: str, count: int) -> str:
    swatch = f'<i class="swatch l{number}"></i>' if kind == "label" else ""
    return (
        f'<label><input type="checkbox" class="t-{kind[0]}{number}" data-{kind}="{number}" '
        f'autocomplete="off" checked>{swatch}<span>{name}</span> <small>{count}</small></label>'
    )
