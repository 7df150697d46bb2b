"""The text as HTML: rows with their bars, chips and marks.

What stands in a row's `.text` element is the text, and nothing else: all signs and labels in it
are drawn by the style sheet, from attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..matching import VERDICTS, Verdict
from .layout import Layout, Row
from .marks import Mark, Page

CHUNK_ROWS = 24
"""Rows that the browser draws together, once they come near the window."""
LINE_CHARACTERS = 95
"""About so many fit into a line, for guessing how tall a chunk is before it is drawn."""
SIGNS: dict[Verdict, tuple[str, str]] = {
    "found": ("✓", "found"),
    "type": ("≠", "wrong label"),
    "start": ("⇤", "wrong start"),
    "end": ("⇥", "wrong end"),
    "both": ("↔", "wrong ends"),
    "missed": ("○", "missed"),
    "spurious": ("✗", "spurious"),
}


class TextWriter:
    """Writes the rows of one document.

    labels: Number of each label on the page.
    root: What all ids begin with.
    row_offset: Rows of the documents before.
    """

    def __init__(
        self, page: Page, layout: Layout, *, labels: dict[str, int], root: str, row_offset: int
    ) -> None:
        self.page = page
        self.layout = layout
        self.labels = labels
        self.root = root
        self.row_offset = row_offset
        self.folds = {mark.number: rows for mark in page.marks if (rows := self._fold(mark))}

    def chunks(self) -> Iterator[str]:
        """The rows, some at a time."""
        rows = self.layout.rows
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = range(start, min(start + CHUNK_ROWS, len(rows)))
            lines = sum(self._height(rows[number], number) for number in chunk)
            content = "\n".join(self._row(number) for number in chunk)
            yield f'<div class="chunk" style="--lines:{lines:.1f}">\n{content}\n</div>'

    def _height(self, row: Row, number: int) -> float:
        """In lines of text, guessed."""
        has_chips = any(self.layout.extents[mark.number][0] == number for mark in row.blocks)
        return 1 + (row.end - row.start) // LINE_CHARACTERS + has_chips

    def _fold(self, mark: Mark) -> range | None:
        """The rows that folding a block hides: all after the first that have nothing else.

        None where that is not worth it.
        """
        first, last = self.layout.extents[mark.number]
        after = self.page.text[mark.end : self.layout.rows[last].end]
        rows = range(first + 1, last + 1 if not after.strip() else last)
        return rows if mark.is_block and len(rows) >= 2 else None

    def classes(self, mark: Mark) -> str:
        """What the legend and the script find the parts of a mark by."""
        names = [f"l{self.labels[mark.label]}", f"s{mark.number}"]
        if mark.verdict:
            names.append(f"v{VERDICTS.index(mark.verdict)}")
        names += ["low"] * mark.is_low + ["gold"] * mark.is_gold
        return " ".join(names)

    def _row(self, number: int) -> str:
        row = self.layout.rows[number]
        folds = "".join(
            f" i{mark.number}"
            for mark in row.blocks
            if number in self.folds.get(mark.number, range(0))
        )
        starting = [m for m in row.blocks if self.layout.extents[m.number][0] == number]
        chips = "".join(self._chip(mark) for mark in starting)
        depth = max((self.layout.levels[mark.number] for mark in row.shorts), default=0)
        return (
            f'<div class="row{folds}">'
            + "".join(self._bar(mark, number) for mark in row.blocks)
            + (f'<div class="chips">{chips}</div>' if chips else "")
            + f'<div class="text" data-n="{row.line or "⤷"}"'
            + (f' style="--depth:{depth}">' if depth else ">")
            + f"{''.join(self._pieces(row))}</div></div>"
        )

    def _bar(self, mark: Mark, number: int) -> str:
        first, last = self.layout.extents[mark.number]
        ends = " first" * (number == first) + " last" * (number == last)
        lane = self.layout.lanes[mark.number]
        return (
            f'<b class="bar {self.classes(mark)}{ends}" style="--lane:{lane}" '
            f'title="{escape_text(describe(mark))}"></b>'
        )

    def _chip(self, mark: Mark) -> str:
        inner = (
            f"<b><bdi>{escape_text(mark.label)}</bdi></b> <span>{_figures(mark)}</span>"
            + _verdict(mark)
        )
        place = f'id="{self.root}-m{mark.number}" tabindex="-1"'
        rows = self.folds.get(mark.number)
        if rows is None:
            return f'<div class="chip {self.classes(mark)}" {place}>{inner}</div>'
        first, last = rows[0] + self.row_offset, rows[-1] + self.row_offset
        return (
            f'<label class="chip {self.classes(mark)}" {place}>'
            f'<input type="checkbox" class="fold" id="{self.root}-f{mark.number}" '
            f'data-span="{mark.number}" data-first="{first}" data-last="{last}" '
            f'aria-expanded="true"><span class="unseen">Fold </span>{inner}'
            '<span class="folded">⋯ folded</span></label>'
        )

    def _pieces(self, row: Row) -> Iterator[str]:
        """The text of a row, with marks where blocks start and end, and short spans around words.

        Short spans that cross are drawn in pieces: an element cannot end within another.
        """
        marks = [*row.blocks, *row.shorts]
        cuts = {cut for mark in marks for cut in (mark.start, mark.end)}
        bounds = sorted(cut for cut in {*cuts, row.start, row.end} if row.start <= cut <= row.end)
        opened: list[Mark] = []
        place = row.start
        for cut in bounds:
            yield escape_text(self.page.text[place:cut])
            place = cut
            yield from self._close(opened, cut)
            yield from (self._corner(mark, "end") for mark in row.blocks if mark.end == cut)
            yield from (self._corner(mark, "start") for mark in row.blocks if mark.start == cut)
            yield from self._open(opened, row, cut)
        yield "</span>" * len(opened)

    def _open(self, opened: list[Mark], row: Row, cut: int) -> Iterator[str]:
        for mark in row.shorts:
            if mark.start == cut or (cut == row.start and mark.start < cut < mark.end):
                opened.append(mark)
                yield self._underline(mark)

    def _close(self, opened: list[Mark], cut: int) -> Iterator[str]:
        """End the spans that end here, and begin again those that had to be closed with them."""
        again = []
        while any(mark.end <= cut for mark in opened):
            mark = opened.pop()
            yield "</span>"
            if mark.end > cut:
                again.append(mark)
            else:
                name = escape_text(_name(mark))
                yield f'<sup class="{self.classes(mark)}" data-t="{name}"></sup>'
        for mark in reversed(again):
            opened.append(mark)
            yield self._underline(mark)

    def _underline(self, mark: Mark) -> str:
        level = self.layout.levels[mark.number]
        return (
            f'<span class="under {self.classes(mark)}" style="--level:{level}" '
            f'title="{escape_text(describe(mark))}">'
        )

    def _corner(self, mark: Mark, side: str) -> str:
        """A mark that is read out where a block starts or ends, and seen if inside a line."""
        text = self.page.text
        if side == "start":
            outside = text[text.rfind("\n", 0, mark.start) + 1 : mark.start]
        else:
            line_end = text.find("\n", mark.end)
            outside = text[mark.end : line_end if line_end >= 0 else None]
        seen = " seen" if outside.strip() else ""
        return (
            f'<i class="mark {side} {self.classes(mark)}{seen}" role="img" '
            f'aria-label="{side} of {escape_text(mark.label)}"></i>'
        )


def escape_text(text: str) -> str:
    """Text for HTML, in elements and in quoted attributes.

    HTML has no way to write NUL, and would read a carriage return as a line feed. Line feeds are
    references, too, so that a raw one is never the text's.
    """
    return escape(text).replace("\0", "\ufffd").replace("\r", "&#13;").replace("\n", "&#10;")


def describe(mark: Mark) -> str:
    """A mark in one line, for tips."""
    verdict = f" · {SIGNS[mark.verdict][1]}" if mark.verdict else ""
    return f"{mark.label} {_figures(mark)}{verdict}"


def _figures(mark: Mark) -> str:
    score = "" if mark.score is None else f"{mark.score:.2f} · "
    return f"{score}{mark.n_tokens:,} token{'s' if mark.n_tokens != 1 else ''}"


def _verdict(mark: Mark) -> str:
    if mark.verdict is None:
        return ""
    sign, words = SIGNS[mark.verdict]
    if mark.is_second:
        words = f"gold of {words}"
    if mark.gold_label is not None:
        words += f": gold is {mark.gold_label}"
    return f' <span class="verdict">{sign} <bdi>{escape_text(words)}</bdi></span>'


def _name(mark: Mark) -> str:
    """What stands after a short span."""
    sign = "" if mark.verdict is None else SIGNS[mark.verdict][0] + " "
    if mark.is_second:
        sign += "gold "
    score = "" if mark.score is None else f" {mark.score:.2f}"
    gold = "" if mark.gold_label is None else f" (gold {mark.gold_label})"
    return f"{sign}{mark.label}{score}{gold}"
