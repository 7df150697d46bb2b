"""The least and the greatest of ranges of values, by ranges whose lengths are powers of two."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .types import Floats, Ints


def range_minima(values: Floats, starts: Ints, ends: Ints) -> Floats:
    """The least of the values from each start to its end: any range is two such, which may overlap.

    Time and memory are linear in the values and in the ranges, but for a logarithm in time.
    """
    minima = np.empty(len(starts), dtype=values.dtype)
    power = np.frexp(ends + 1 - starts)[1] - 1
    for level, table in enumerate(_tables(np.minimum, values, int(power.max(initial=-1)) + 1)):
        here = power == level
        first, last = starts[here], ends[here] + 1 - (1 << level)
        minima[here] = np.minimum(table[first], table[last])
    return minima


def first_reaching(
    highs: Floats, places: Ints, limits: Floats, n_levels: int, *, lows: Floats | None = None
) -> Ints:
    """From each place on, the first at which the greatest of `highs` from there on reaches a limit.

    limits: one for each place. lows: as many as `highs`; a limit falls with the least of them.
    n_levels: how far to look, 2 ** n_levels - 1 places. Where nothing is reached, the place beyond
    those, or beyond the last value.
    """
    beyond = 1 << n_levels
    greatest = list(
        _tables(np.maximum, np.pad(highs, (0, beyond), constant_values=np.inf), n_levels)
    )
    least = None if lows is None else list(_tables(np.minimum, np.pad(lows, (0, beyond)), n_levels))
    highest = np.full(len(places), -np.inf, dtype=highs.dtype)
    for level in reversed(range(n_levels)):
        raised = np.maximum(highest, greatest[level][places])
        lowered = limits if least is None else np.minimum(limits, least[level][places])
        on = raised < lowered
        places = places + (on << level)
        highest, limits = np.where(on, raised, highest), np.where(on, lowered, limits)
    return places


def _tables(operation: Any, values: Floats, n_levels: int) -> Iterator[Floats]:
    """For each power of two the results of all ranges of that length, by their first place."""
    table = values
    for level in range(n_levels):
        if level:
            half = 1 << (level - 1)
            table = operation(table[:-half], table[half:])
        yield table
