"""How the spans of a document lie to each other."""

from collections.abc import Iterable

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
