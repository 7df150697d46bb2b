"""Sequences of tags that mark stretches of words: IOB1, IOB2, IOBES, BILOU, BMES."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OUTSIDE = frozenset({"O", "_"})
PREFIXES = frozenset("BIEMSLU")
# The letters in front that begin a span, and that end one.
BEGINS, ENDS = frozenset("BSU"), frozenset("ELSU")


@dataclass(frozen=True)
class TaggedSpan:
    """Words `start` to `end` (exclusive); `whole` if no tag of it is missing."""

    start: int
    end: int
    label: str
    whole: bool


@dataclass
class Scheme:
    """What a column's tags show of their scheme: `add` every tag of the column, then ask."""

    begins: int = 0
    begins_left_out: int = 0
    has_ends: bool = False
    _label: str | None = None

    def add(self, prefix: str, label: str | None) -> None:
        """Count a tag, in the order of the words."""
        if label != self._label:
            self.begins += prefix == "B"
            self.begins_left_out += prefix == "I"
        self.has_ends |= prefix in ENDS
        self._label = label

    @property
    def is_iob1(self) -> bool:
        """Spans begin with I-; B- stands only between two of one label."""
        return not self.has_ends and self.begins_left_out > self.begins


def is_tag(cell: str) -> bool:
    """Whether it is O, _ or a prefix with a label."""
    return cell in OUTSIDE or split_tag(cell)[1] is not None


def split_tag(tag: str) -> tuple[str, str | None]:
    """Prefix and label: ("B", "PER"); ("O", None) outside of spans."""
    if len(tag) > 2 and tag[1] == "-" and tag[0] in PREFIXES:
        return tag[0], tag[2:]
    return "O", None


def spans_of_tags(
    tags: list[str], *, scheme: Scheme, sentence_starts: frozenset[int]
) -> Iterator[TaggedSpan]:
    """The spans of one document's tags, in order.

    spaCy's `iob_utils` read one scheme and refuse or repair broken sequences silently; here they
    are repaired as is usual, and marked as not `whole`.

    sentence_starts: Positions of words at which a span of IOB1 cannot go on; elsewhere, as I- only
        continues, a span may go on over the end of a sentence.
    """
    breaks = sentence_starts if scheme.is_iob1 else frozenset()
    open_span: tuple[int, str, bool] | None = None
    for position, tag in enumerate([*tags, "O"]):
        prefix, label = split_tag(tag)
        goes_on = label is not None and prefix not in BEGINS and position not in breaks
        goes_on = goes_on and open_span is not None and open_span[1] == label
        if open_span is not None and not goes_on:
            start, name, whole = open_span
            yield TaggedSpan(start, position, name, whole and not scheme.has_ends)
            open_span = None
        if label is not None and open_span is None:
            open_span = (position, label, prefix in BEGINS or scheme.is_iob1)
        if label is not None and prefix in ENDS:
            assert open_span is not None  # it goes on or has just begun
            yield TaggedSpan(open_span[0], position + 1, label, open_span[2])
            open_span = None
