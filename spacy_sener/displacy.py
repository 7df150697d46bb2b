"""The block view: long and nested spans drawn beside the text, whose lines stay as they are.

A span of `BLOCK_TOKENS` tokens or more is a bar in the gutter, with a chip (label, score, length)
above its first line and corner marks where it starts or ends inside a line. A shorter one is
underlined. The page needs no script and nothing from outside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from spacy.tokens import Doc

BLOCK_TOKENS = 25
LOW_SCORE = 0.7
PALETTE = [
    "#4e9ecf", "#f4b942", "#e4695e", "#3fb58c", "#9b7bd4", "#d97fb6",
    "#7aa83e", "#56b8c9", "#c98a4b", "#6c7fd8", "#b3a125", "#8d99a6",
]  # fmt: skip
COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+|(rgb|hsl)a?\([0-9.,%/ ]+\)")

PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head>
<body style="margin: 0 auto; max-width: 62rem; padding: 1rem">
<h1 style="font: 600 1.4rem system-ui, sans-serif">{title}</h1>
{body}
</body>
</html>
"""

STYLE = """
.blocks { font: 15px/1.55 system-ui, sans-serif; color: #1b1f24; background: #fff }
.blocks nav { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #d8dde3;
  padding: .4rem 0; display: flex; flex-wrap: wrap; gap: .15rem 1rem; z-index: 1 }
.blocks nav label { font-size: 13px; cursor: pointer }
.blocks nav i { display: inline-block; width: .8em; height: .8em; border-radius: 2px }
.blocks h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; color: #57606a }
.blocks .line { display: grid; grid-template-columns: 2.2rem calc(var(--lanes) * 9px + 6px) 1fr }
.blocks .number { color: #98a1ab; font-size: 11px; line-height: 23px; text-align: right;
  padding-right: .6rem; user-select: none; grid-row: 2 }
.blocks .gutter { grid-area: 1 / 2 / 3 / 3; display: grid;
  grid-template-columns: repeat(var(--lanes), 9px) }
.blocks .bar { width: 6px; grid-row: 1; background: var(--color) }
.blocks .bar.low { background: repeating-linear-gradient(var(--color) 0 5px, transparent 5px 9px) }
.blocks .first { border-radius: 4px 4px 0 0; margin-top: 3px }
.blocks .last { border-radius: 0 0 4px 4px; margin-bottom: 3px }
.blocks .first.last { border-radius: 4px }
.blocks .text { grid-area: 2 / 3; white-space: pre-wrap; overflow-wrap: anywhere;
  min-height: 1.55em }
.blocks .chips { grid-area: 1 / 3; display: flex; flex-wrap: wrap; gap: 4px; padding-top: 5px }
.blocks .chip { font-size: 11px; line-height: 16px; padding: 0 6px; border-left: 4px solid;
  border-color: var(--color); border-radius: 3px; white-space: nowrap;
  background: color-mix(in srgb, var(--color) 16%, white) }
.blocks .chip b { font-weight: 650 }
.blocks .chip.low { border-left-style: dashed }
.blocks .mark { font-style: normal; font-weight: 700; user-select: none;
  color: color-mix(in srgb, var(--color) 85%, black) }
.blocks sup { font-size: 9px; font-weight: 600; line-height: 0; margin: 0 2px; user-select: none;
  color: color-mix(in srgb, var(--color) 65%, black) }
.blocks .under { box-decoration-break: clone; -webkit-box-decoration-break: clone }
"""


@dataclass(frozen=True)
class _Mark:
    """A span as it is drawn: characters, lines and label number; block or underlined."""

    start: int
    end: int
    first_line: int
    last_line: int
    label: int
    text: str
    score: float | None
    tokens: int

    @property
    def is_block(self) -> bool:
        return self.tokens >= BLOCK_TOKENS

    @property
    def classes(self) -> str:
        low = self.score is not None and self.score < LOW_SCORE
        return f"l{self.label}{' low' if low else ''}"


def render(
    docs: Doc | Iterable[Doc],
    *,
    spans_key: str = "sc",
    page: bool = True,
    title: str = "Spans",
    colors: Mapping[str, str] | None = None,
) -> str:
    """Draw the spans of documents as HTML.

    docs: One document or several.
    spans_key (str): Draw `doc.spans[spans_key]`; scores are taken from its `attrs["scores"]`.
    page (bool): A whole page, or only an element to put into one.
    title (str): The page's title.
    colors: CSS colours of labels; the others get one from `PALETTE`.
    RETURNS (str): HTML in which all text, labels and titles are escaped.
    Raises ValueError for a document without that key, and for what is not a CSS colour.
    """
    docs = [docs] if isinstance(docs, Doc) else list(docs)
    labels = _label_counts(docs, spans_key)
    numbers = {label: number for number, label in enumerate(labels)}
    sections = [_section(doc, spans_key, numbers) for doc in docs]
    variables = _color_variables(labels, colors or {})
    body = (
        f'<div class="blocks" style="{variables}"><style>{STYLE}{_label_rules(len(labels))}</style>'
        f"<nav>{''.join(_toggle(numbers[label], label, labels[label]) for label in labels)}</nav>"
        f"{''.join(sections)}</div>"
    )
    lang = docs[0].lang_ if docs else "en"
    return PAGE.format(title=escape(title), body=body, lang=escape(lang)) if page else body


def _label_counts(docs: list[Doc], spans_key: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for doc in docs:
        if spans_key not in doc.spans:
            raise ValueError(
                f"spans_key '{spans_key}' is not in doc.spans, which has {list(doc.spans)}: run "
                "the pipeline first, or give the key that it writes to"
            )
        for span in doc.spans[spans_key]:
            counts[span.label_] = counts.get(span.label_, 0) + 1
    return dict(sorted(counts.items()))


def _color_variables(labels: Iterable[str], colors: Mapping[str, str]) -> str:
    chosen = [
        colors.get(label, PALETTE[number % len(PALETTE)]) for number, label in enumerate(labels)
    ]
    for color in chosen:
        if not COLOR.fullmatch(color):
            raise ValueError(f"colors: {color!r} is not a CSS colour such as '#4e9ecf' or 'teal'")
    return ";".join(f"--k{number}:{color}" for number, color in enumerate(chosen))


def _label_rules(n_labels: int) -> str:
    """What shows and hides label n: `--kn` is its colour, `--cn` that or nothing."""
    return "".join(
        f".blocks {{ --c{n}: var(--k{n}) }} .blocks .l{n} {{ --color: var(--c{n}) }}\n"
        f".blocks:has(.t{n}:not(:checked)) {{ --c{n}: transparent }}\n"
        f".blocks:has(.t{n}:not(:checked)) :is(.chip, .mark, sup).l{n} {{ display: none }}\n"
        for n in range(n_labels)
    )


def _toggle(number: int, label: str, count: int) -> str:
    return (
        f'<label><input type="checkbox" class="t{number}" checked> '
        f'<i style="background: var(--k{number})"></i> {escape(label)} ({count})</label>'
    )


def _section(doc: Doc, spans_key: str, numbers: Mapping[str, int]) -> str:
    lines = _line_ranges(doc.text)
    marks = _marks(doc, spans_key, numbers, lines)
    lanes = _assign_lanes([mark for mark in marks if mark.is_block])
    n_lanes = max(lanes.values(), default=0) + 1
    rows = [_line(doc.text, number, line, marks, lanes) for number, line in enumerate(lines)]
    heading = doc.user_data.get("doc_id")
    title = "" if heading is None else f"<h2>{escape(str(heading))}</h2>"
    return f'<section style="--lanes:{n_lanes}">{title}{"".join(rows)}</section>'


def _line_ranges(text: str) -> list[tuple[int, int]]:
    """Start and end character of every line, without its line break."""
    breaks = [-1, *(match.start() for match in re.finditer("\n", text)), len(text)]
    return [(before + 1, after) for before, after in pairwise(breaks)]


def _marks(
    doc: Doc, spans_key: str, numbers: Mapping[str, int], lines: list[tuple[int, int]]
) -> list[_Mark]:
    """The spans, outer ones before those inside them."""
    group = doc.spans[spans_key]
    scores = group.attrs.get("scores")
    line_of = [number for number, (start, end) in enumerate(lines) for _ in range(start, end + 1)]
    marks = [
        _Mark(
            start=span.start_char,
            end=span.end_char,
            first_line=line_of[span.start_char],
            last_line=line_of[max(span.start_char, span.end_char - 1)],
            label=numbers[span.label_],
            text=span.label_,
            score=None if scores is None else float(scores[number]),
            tokens=len(span),
        )
        for number, span in enumerate(group)
    ]
    return sorted(marks, key=lambda mark: (mark.start, -mark.end))


def _assign_lanes(marks: list[_Mark], *, by_line: bool = True) -> dict[_Mark, int]:
    """The first free lane for each; two that touch a common line (or character) never share one."""
    last_taken: list[int] = []
    lanes: dict[_Mark, int] = {}
    for mark in marks:
        first, last = (mark.first_line, mark.last_line) if by_line else (mark.start, mark.end - 1)
        free = [lane for lane, taken in enumerate(last_taken) if taken < first]
        lanes[mark] = free[0] if free else len(last_taken)
        last_taken[lanes[mark] : lanes[mark] + 1] = [last]
    return lanes


def _line(
    text: str, number: int, line: tuple[int, int], marks: list[_Mark], lanes: dict[_Mark, int]
) -> str:
    here = [mark for mark in marks if mark.first_line <= number <= mark.last_line]
    blocks = [mark for mark in here if mark.is_block]
    chips = "".join(_chip(mark) for mark in blocks if mark.first_line == number)
    bars = "".join(_bar(mark, number, lanes[mark]) for mark in blocks)
    chip_row = f'<div class="chips">{chips}</div>' if chips else ""
    return (
        f'<div class="line"><span class="number">{number + 1}</span>'
        f'<span class="gutter">{bars}</span>'
        f'{chip_row}<div class="text">{"".join(_pieces(text, line, here))}</div></div>\n'
    )


def _describe(mark: _Mark) -> str:
    score = "" if mark.score is None else f"{mark.score:.2f} · "
    return f"{score}{mark.tokens} token{'s' if mark.tokens > 1 else ''}"


def _chip(mark: _Mark) -> str:
    return f'<span class="chip {mark.classes}"><b>{escape(mark.text)}</b> {_describe(mark)}</span>'


def _bar(mark: _Mark, line: int, lane: int) -> str:
    ends = " first" * (line == mark.first_line) + " last" * (line == mark.last_line)
    tip = escape(f"{mark.text} {_describe(mark)}")
    place = f"grid-column:{lane + 1}"
    return f'<span class="bar {mark.classes}{ends}" style="{place}" title="{tip}"></span>'


def _pieces(text: str, line: tuple[int, int], marks: list[_Mark]) -> Iterator[str]:
    """The text of a line, cut wherever a span starts or ends."""
    start, end = line
    short = [mark for mark in marks if not mark.is_block]
    levels = _assign_lanes(short, by_line=False)
    depth = max(levels.values(), default=0) + 1
    cuts = {start, end, *(cut for mark in marks for cut in (mark.start, mark.end))}
    bounds = sorted(cut for cut in cuts if start <= cut <= end)
    for left, right in pairwise(bounds):
        over = {levels[mark]: mark for mark in short if mark.start <= left and right <= mark.end}
        words = escape(text[left:right])
        yield _underlined(words, over, depth) if over else words
        yield from (_superscript(mark) for mark in reversed(short) if mark.end == right)
        yield from (_corner(mark, "⌟") for mark in marks if _ends_inside(mark, text, line, right))
        yield from (_corner(mark, "⌜") for mark in marks if _begins_inside(mark, text, line, right))


def _begins_inside(mark: _Mark, text: str, line: tuple[int, int], place: int) -> bool:
    return mark.is_block and mark.start == place and bool(text[line[0] : place].strip())


def _ends_inside(mark: _Mark, text: str, line: tuple[int, int], place: int) -> bool:
    return mark.is_block and mark.end == place and bool(text[place : line[1]].strip())


def _corner(mark: _Mark, sign: str) -> str:
    return f'<i class="mark {mark.classes}">{sign}</i>'


def _superscript(mark: _Mark) -> str:
    score = "" if mark.score is None else f" {mark.score:.2f}"
    return f'<sup class="{mark.classes}">{escape(mark.text)}{score}</sup>'


def _underlined(words: str, over: Mapping[int, _Mark], depth: int) -> str:
    """Words with a line under them for each span, those of outer spans lower."""
    layers = [
        f"linear-gradient(var(--c{mark.label}) 0 0) 0 calc(100% - {3 * level}px)/100% 2px no-repeat"
        for level, mark in over.items()
    ]
    style = f"background:{','.join(layers)};padding-bottom:{3 * depth}px"
    return f'<span class="under" style="{style}">{words}</span>'
