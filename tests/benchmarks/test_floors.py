"""Floors are lower bounds, and so must not count what is outside of a text."""

import pytest

from benchmarks.floors import Cost, Rates, in_window, inference_cost, training_cost
from benchmarks.models import SHAPES


@pytest.mark.parametrize(("n_tokens", "window"), [(1, 128), (5, 128), (7, 3), (500, 128)])
def test_pairs_in_the_window(n_tokens: int, window: int):
    pairs = sum(abs(i - j) <= window for i in range(n_tokens) for j in range(n_tokens))
    assert in_window(n_tokens, window) == pytest.approx(pairs / n_tokens)


def test_floors_are_seconds():
    assert Cost(operations=6.0, bytes=4.0).seconds(Rates(2.0, 8.0)) == (3.0, 0.5)


def test_training_costs_more_than_inference():
    shape = SHAPES["base"]
    inference = inference_cost(shape, 512).operations
    step = training_cost(shape, 512, recompute=False).operations
    again = training_cost(shape, 512, recompute=True).operations
    assert 2 * inference < step < 3 * inference
    assert again == step + inference
