"""How the spans of a document lie to each other."""

from collections.abc import Iterable

import numpy as np

Bounds = tuple[int, int]  # first and last token


def count_overlaps(spans: Iterable[Bounds]) -> tuple[int, int]:
    """How many spans lie inside of another, and how many cross one that starts before them.

    Equal spans count once. Costs the number of spans times how many are open at a token.
    """
    n_nested = n_crossing = 0
    still_open: list[Bounds] = []
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        still_open = [span for span in still_open if span[1] >= start]
        n_nested += any(end <= other_end for _, other_end in still_open)
        n_crossing += any(
            other_start < start and other_end < end for other_start, other_end in still_open
        )
        still_open.append((start, end))
    return n_nested, n_crossing


def gaps(spans: Iterable[Bounds], n_tokens: int) -> list[int]:
    """Lengths, in tokens, of the stretches of a document that no span touches; left to right."""
    is_taken = np.zeros(n_tokens + 2, dtype=bool)
    is_taken[[0, -1]] = True  # what is before the document, and behind
    for start, end in spans:
        is_taken[start + 1 : end + 2] = True
    lengths = np.diff(np.flatnonzero(is_taken)) - 1
    return [int(length) for length in lengths if length]
