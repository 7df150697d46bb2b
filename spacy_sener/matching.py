"""Which predicted span belongs to which gold one, and what is wrong between the two."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from spacy.tokens import Span

Verdict = Literal["found", "type", "start", "end", "both", "missed", "spurious"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Key(NamedTuple):
    """What makes a span the same in two documents of one text: characters and label."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Match:
    """A gold and a predicted span that belong together, or one of them alone.

    verdict: "found" (the same); "type" (the same ends, another label); "start", "end", "both" (the
        same label, that end or both ends off, overlapping); "missed" (gold alone); "spurious"
        (predicted alone).
    """

    gold: Span | None
    predicted: Span | None
    verdict: Verdict


def match_spans(gold: Iterable[Span], predicted: Iterable[Span]) -> list[Match]:
    """Pair spans one to one, in the order of the text.

    Equal spans are paired first, then those with equal ends, then overlapping ones of one label,
    those that share most of their characters (intersection over union) first. The spans may belong
    to two documents with other tokens, as long as the text is the same: characters are compared.
    Equal spans within one side count once.
    """
    left = {key_of(span): span for span in gold}
    right = {key_of(span): span for span in predicted}
    matches = []
    for pairs in (_equal, _equal_ends, _overlapping):
        for one, other in pairs(list(left), list(right)):
            if one in left and other in right:
                matches.append(Match(left.pop(one), right.pop(other), _verdict(one, other)))
    matches += [Match(span, None, "missed") for span in left.values()]
    matches += [Match(None, span, "spurious") for span in right.values()]
    return sorted(matches, key=_place)


def key_of(span: Span) -> Key:
    """What it is matched by."""
    return Key(span.start_char, span.end_char, span.label_)


def _equal(gold: list[Key], predicted: list[Key]) -> Iterator[tuple[Key, Key]]:
    both = set(gold) & set(predicted)
    return ((key, key) for key in gold if key in both)


def _equal_ends(gold: list[Key], predicted: list[Key]) -> Iterator[tuple[Key, Key]]:
    by_ends: dict[tuple[int, int], list[Key]] = {}
    for key in predicted:
        by_ends.setdefault((key.start, key.end), []).append(key)
    return ((key, other) for key in gold for other in by_ends.get((key.start, key.end), []))


def _overlapping(gold: list[Key], predicted: list[Key]) -> Iterator[tuple[Key, Key]]:
    """Pairs of one label, those that share most first."""
    groups: dict[str, dict[int, list[Key]]] = {}  # by label and binary digits of the length
    for key in sorted(predicted):
        sizes = groups.setdefault(key.label, {})
        sizes.setdefault((key.end - key.start).bit_length(), []).append(key)
    pairs = [
        (key, other)
        for key in gold
        for size, others in groups.get(key.label, {}).items()
        for other in _touching(key, others, 1 << size)
    ]
    return iter(sorted(pairs, key=lambda pair: (-_shared(*pair), pair)))


def _touching(key: Key, others: list[Key], longest: int) -> Iterator[Key]:
    """Those of `others`, sorted by start, that have a character in common with `key`.

    longest: none of them has more characters. Where all have about as many, few are looked at.
    """
    first = bisect_left(others, key.start - longest, key=lambda other: other.start)
    last = bisect_left(others, key.end, key=lambda other: other.start)
    return (other for other in others[first:last] if other.end > key.start)


def _shared(one: Key, other: Key) -> float:
    """Intersection over union of the characters."""
    intersection = min(one.end, other.end) - max(one.start, other.start)
    return intersection / (max(one.end, other.end) - min(one.start, other.start))


def _verdict(gold: Key, predicted: Key) -> Verdict:
    if gold == predicted:
        return "found"
    if gold[:2] == predicted[:2]:
        return "type"
    if gold.end == predicted.end:
        return "start"
    return "end" if gold.start == predicted.start else "both"


def _place(match: Match) -> tuple[int, int]:
    span = match.gold if match.gold is not None else match.predicted
    assert span is not None
    return span.start_char, -span.end_char
