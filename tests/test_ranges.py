"""The least of ranges, and where values reach a limit, against loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_sener.ranges import first_reaching, range_minima

values = st.lists(st.integers(0, 6), min_size=1, max_size=20)


@given(values=values, data=st.data())
def test_the_least_of_ranges(values: list[int], data: st.DataObject) -> None:
    place = st.integers(0, len(values) - 1)
    ranges = [sorted(pair) for pair in data.draw(st.lists(st.tuples(place, place), max_size=5))]
    starts, ends = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
    found = range_minima(np.array(values, dtype=np.float32), starts, ends)
    assert found.tolist() == [min(values[start : end + 1]) for start, end in ranges]


@given(values=values, lows=st.none() | values, limit=st.integers(0, 7), n_levels=st.integers(0, 5))
def test_where_a_limit_is_reached(
    values: list[int], lows: list[int] | None, limit: int, n_levels: int
) -> None:
    places = np.arange(len(values) + 1)
    if lows is not None:
        lows = (lows * len(values))[: len(values)]
    found = first_reaching(
        np.array(values, dtype=np.float32),
        places,
        np.full(len(places), limit, dtype=np.float32),
        n_levels,
        lows=None if lows is None else np.array(lows, dtype=np.float32),
    )
    for place, first in zip(places, found, strict=True):
        beyond = min(place + 2**n_levels - 1, len(values))
        reached = (
            end
            for end in range(place, beyond)
            if max(values[place : end + 1])
            >= min([limit, *([] if lows is None else lows[place : end + 1])])
        )
        assert first == next(reached, beyond)
