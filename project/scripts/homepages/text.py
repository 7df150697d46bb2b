"""Text that carries its labelled spans, so that offsets are right by construction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from string import Formatter
from typing import NamedTuple

TAG = re.compile(r"<(/?)([a-z_]+)>")


class Span(NamedTuple):
    """A labelled stretch of text: character offsets, `end` exclusive."""

    start: int
    end: int
    label: str

    def shift(self, by: int) -> Span:
        return Span(self.start + by, self.end + by, self.label)


@dataclass(frozen=True)
class Text:
    """A string and the spans in it. Concatenation and joining keep the offsets right."""

    string: str = ""
    spans: tuple[Span, ...] = ()

    def __add__(self, other: Text | str) -> Text:
        return join("", [self, other])

    def __radd__(self, other: str) -> Text:
        return join("", [other, self])

    def __bool__(self) -> bool:
        return bool(self.string)

    def capitalised(self) -> Text:
        """The same text with its first letter in upper case."""
        return replace(self, string=self.string[:1].upper() + self.string[1:])

    def record(self, doc_id: str) -> dict[str, object]:
        """One JSON line: the widest span first where several start together."""
        spans = sorted(self.spans, key=lambda span: (span.start, -span.end))
        return {"id": doc_id, "text": self.string, "spans": [span._asdict() for span in spans]}


def join(separator: str, parts: Iterable[Text | str]) -> Text:
    """`separator.join` for texts with spans."""
    string = ""
    spans: list[Span] = []
    for number, part in enumerate(parts):
        text = part if isinstance(part, Text) else Text(part)
        string += separator if number else ""
        spans.extend(span.shift(len(string)) for span in text.spans)
        string += text.string
    return Text(string, tuple(spans))


def label(name: str, text: Text | str) -> Text:
    """The text with one more span, over all of it."""
    text = text if isinstance(text, Text) else Text(text)
    if text.string != text.string.strip() or not text:
        raise ValueError(
            f"a '{name}' span may not be empty or have space at an end: {text.string!r}"
        )
    return replace(text, spans=(Span(0, len(text.string), name), *text.spans))


def fill(template: str, slot: Callable[[str], Text | str]) -> Text:
    """`str.format` for texts with spans: `slot` gives the value of each `{name}` in it."""
    parts: list[Text | str] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            parts.append(slot(name))
    return join("", parts)


def parse_markup(markup: str) -> Text:
    """Read `<name>Ada Brenk</name> was born <birth>in Ostwick</birth>`; tags nest.

    Raises ValueError for a tag that is never closed, or closed in the wrong order.
    """
    string, position = "", 0
    spans: list[Span] = []
    open_tags: list[tuple[str, int]] = []
    for tag in TAG.finditer(markup):
        string += markup[position : tag.start()]
        position = tag.end()
        closing, name = tag.groups()
        if not closing:
            open_tags.append((name, len(string)))
            continue
        opened, start = open_tags.pop() if open_tags else (None, 0)
        if opened != name:
            raise ValueError(f"</{name}> closes {opened or 'nothing'} after {string[-40:]!r}")
        spans.append(label(name, string[start:]).spans[0].shift(start))
    if open_tags:
        raise ValueError(f"<{open_tags[-1][0]}> is never closed")
    return Text(string + markup[position:], tuple(spans))
