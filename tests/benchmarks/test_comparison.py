"""Growth with the length of the text."""

import pytest

from benchmarks.comparison import _growth


def test_growth_is_that_of_the_steepest_power_law() -> None:
    assert _growth({100: 1.0, 200: 2.0, 800: 16.0}) == pytest.approx(2**1.5)
    assert _growth({800: 8.0, 100: 1.0}) == pytest.approx(2)
    assert _growth({100: 1.0, 200: None, 400: 1.0}) == pytest.approx(1)
    assert _growth({100: 1.0}) is None
