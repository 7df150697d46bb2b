"""Where marks go: rows of text, lanes of the gutter, levels of underlines."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .marks import Mark, Page

LONG_LINE = 240
"""Characters. A longer line is cut into rows where a block starts or ends, so that the bars beside
it, which are as tall as rows, say where."""
LONG_ROW = 900
"""Characters. A longer row is cut at the end of a sentence, or between words."""
SHORT_ROW = 50
"""Characters. No cut leaves less than this."""
SENTENCE_END = ".!?;:。！？；"  # noqa: RUF001 (Chinese ones)


@dataclass
class Row:
    """A line of the text, or a part of a long one, with the marks that touch it."""

    start: int
    end: int
    """Exclusive; the line break is included."""
    line: int | None
    """Number of the line that starts here, from 1; None where an earlier row began it."""
    blocks: list[Mark] = field(default_factory=list)
    shorts: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Rows, which together are the text, and the place of each mark by its number."""

    rows: list[Row]
    extents: dict[int, tuple[int, int]]
    """First and last row, inclusive."""
    lanes: dict[int, int]
    """Of blocks: 0 is the outermost."""
    levels: dict[int, int]
    """Of underlines: 0 is next to the words."""


def lay_out(page: Page) -> Layout:
    """Cut the text into rows, and find a place for each mark."""
    rows = list(_cut_rows(page))
    starts = [row.start for row in rows]
    extents = {mark.number: _extent(mark, starts) for mark in page.marks}
    for mark in page.marks:
        first, last = extents[mark.number]
        for row in rows[first : last + 1]:
            (row.blocks if mark.is_block else row.shorts).append(mark)
    return Layout(
        rows,
        extents,
        lanes=_lanes([mark for mark in page.marks if mark.is_block], extents),
        levels=_levels([mark for mark in page.marks if not mark.is_block]),
    )


def _extent(mark: Mark, starts: Sequence[int]) -> tuple[int, int]:
    return bisect_right(starts, mark.start) - 1, bisect_right(starts, mark.end - 1) - 1


def _cut_rows(page: Page) -> Iterator[Row]:
    ends = sorted({cut for mark in page.marks if mark.is_block for cut in (mark.start, mark.end)})
    place = 0
    for number, line in enumerate(page.text.split("\n"), 1):
        end = min(place + len(line) + 1, len(page.text))
        for start, stop in _cut_line(page, place, end, ends):
            yield Row(start, stop, number if start == place else None)
        place = end


def _cut_line(page: Page, start: int, end: int, ends: list[int]) -> Iterator[tuple[int, int]]:
    """The parts of a line: itself, unless it is long."""
    cuts = [start]
    if end - start > LONG_LINE:
        for place in ends[bisect_left(ends, start) : bisect_left(ends, end)]:
            cut = _after_blanks(page.text, place)
            if cut - cuts[-1] >= SHORT_ROW and end - cut >= SHORT_ROW:
                cuts.append(cut)
    for left, right in pairwise([*cuts, end]):
        yield from pairwise([left, *_sentence_cuts(page, left, right), right])


def _after_blanks(text: str, place: int) -> int:
    """Blanks stay at the end of a row, where they do not show."""
    while place < len(text) and text[place] != "\n" and text[place].isspace():
        place += 1
    return place


def _sentence_cuts(page: Page, start: int, end: int) -> Iterator[int]:
    """Where to cut a long row: the last end of a sentence within the limit, or the last token."""
    while end - start > LONG_ROW:
        first = bisect_left(page.token_starts, start + SHORT_ROW)
        last = bisect_left(page.token_starts, start + LONG_ROW)
        after = bisect_right(page.token_starts, end - SHORT_ROW)
        fitting = range(first, min(last + 1, after))
        if not fitting:
            return
        sentences = [number for number in fitting if _ends_sentence(page, number)]
        start = page.token_starts[(sentences or fitting)[-1]]
        yield start


def _ends_sentence(page: Page, number: int) -> bool:
    """Whether the word before a token is such a sign alone: "Dr." and "A.I." are one token each."""
    word = ""
    while number and not word:
        word = page.text[page.token_starts[number - 1] : page.token_starts[number]].strip()
        number -= 1
    return bool(word) and not word.strip(SENTENCE_END)


def _lanes(blocks: list[Mark], extents: dict[int, tuple[int, int]]) -> dict[int, int]:
    """For each the first lane that is free in all its rows and right of those around it.

    Two that touch a common row never share one, even where their characters do not meet.
    """
    lanes: dict[int, int] = {}
    taken: list[Mark] = []
    """The last one in each lane."""
    for mark in blocks:
        first = extents[mark.number][0]
        around = [lane for lane, other in enumerate(taken) if other.end >= mark.end]
        around = [lane for lane in around if taken[lane].start <= mark.start]
        lane = max(around, default=-1) + 1
        while lane < len(taken) and extents[taken[lane].number][1] >= first:
            lane += 1
        lanes[mark.number] = lane
        taken[lane : lane + 1] = [mark]
    return lanes


def _levels(shorts: list[Mark]) -> dict[int, int]:
    """Lines under inner spans are next to the words, those of the spans around them lower."""
    levels: dict[int, int] = {}
    starts = [mark.start for mark in shorts]
    for mark in sorted(shorts, key=lambda mark: (mark.end - mark.start, mark.number)):
        # None that has a level is longer than this one: those before `first` end before it starts.
        first = bisect_left(starts, mark.start - (mark.end - mark.start))
        near = shorts[first : bisect_left(starts, mark.end)]
        above = [
            levels[one.number] for one in near if one.number in levels and one.end > mark.start
        ]
        levels[mark.number] = max(above, default=-1) + 1
    return levels
