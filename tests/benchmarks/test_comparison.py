"""Growth with the length of the text."""

import pytest

from benchmarks.comparison import _growth, growth_goals
from benchmarks.measure import Measurement, Subject


def test_growth_is_that_of_the_steepest_power_law() -> None:
    assert _growth({100: 1.0, 200: 2.0, 800: 16.0}) == pytest.approx(2**1.5)
    assert _growth({800: 8.0, 100: 1.0}) == pytest.approx(2)
    assert _growth({100: 1.0, 200: None, 400: 1.0}) == pytest.approx(1)
    assert _growth({100: 1.0}) is None


def test_a_length_that_was_not_measured_has_no_part_in_the_growth() -> None:
    def ours(length: int, **measured: object) -> Measurement:
        return Measurement(Subject("ours", "a:b", length), base_bytes=100, **measured)

    results = [ours(n, seconds=[n / 512], peak_bytes=100 + n) for n in (512, 1024)]
    goals = list(growth_goals([*results, ours(5120, problem="stopped")]))
    assert [goal.measured for goal in goals] == [pytest.approx(2), pytest.approx(2)]
