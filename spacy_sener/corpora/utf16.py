"""Offsets in UTF-16 units, as Java and JavaScript count them, in characters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def surrogate_pairs(text: str) -> list[int]:
    """Where, in units, the characters begin that take two of them."""
    places = [place for place, character in enumerate(text) if character > "\uffff"]
    return [place + before for before, place in enumerate(places)]


def in_characters(unit: int, pairs: Sequence[int]) -> int:
    """The offset of a unit in characters. pairs: `surrogate_pairs` of the text."""
    return unit - bisect_left(pairs, unit)
