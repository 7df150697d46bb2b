"""Floors are lower bounds, and so must not count what is outside of a text."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.dense_peer import DensePeer
from benchmarks.floors import (
    Cost,
    Rates,
    encoder_cost,
    in_window,
    inference_cost,
    table_cost,
    training_cost,
)
from benchmarks.models import SHAPES

TINY = SHAPES["tiny"]
POSITIONS = 512  # that a stock DeBERTa has relative vectors of


def operations(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Of all products of matrices in a forward pass."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module.eval()(*inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize(("n_tokens", "window"), [(1, 128), (5, 128), (7, 3), (500, 128)])
def test_pairs_in_the_window(n_tokens: int, window: int):
    pairs = sum(abs(i - j) <= window for i in range(n_tokens) for j in range(n_tokens))
    assert in_window(n_tokens, window) == pytest.approx(pairs / n_tokens)


def test_floors_are_seconds():
    assert Cost(operations=6.0, bytes=4.0).seconds(Rates(2.0, 8.0)) == (3.0, 0.5)


def test_the_encoder_costs_what_a_full_one_does_where_the_window_holds_the_text():
    shape = replace(TINY, piece_window=POSITIONS)
    peer = DensePeer(shape)
    counted = operations(peer.encoder, torch.ones(1, POSITIONS, dtype=torch.long))
    # In each layer it projects the vectors of relative position anew, to queries and to keys.
    projected = shape.layers * 2 * POSITIONS * 2 * shape.hidden_size**2
    assert encoder_cost(shape, POSITIONS).operations == counted - projected


def test_the_table_costs_what_a_full_one_does_where_the_window_holds_the_text():
    n_tokens = 40
    shape = replace(TINY, span_window=n_tokens)
    peer = DensePeer(shape)
    table = torch.ones(n_tokens, n_tokens, shape.span_size)
    counted = sum(operations(block, table) for block in peer.blocks)
    counted += operations(peer.output, table)
    counted += operations(peer.biaffine, torch.ones(n_tokens, shape.hidden_size))
    # That of the ends' vectors is left out of the floor, and the 1 appended to these is not.
    ends = 2 * n_tokens * 2 * shape.hidden_size * shape.end_size
    assert table_cost(shape, n_tokens).operations == pytest.approx(counted - ends, rel=0.01)


def test_training_costs_more_than_inference():
    shape = SHAPES["base"]
    inference = inference_cost(shape, 512).operations
    step = training_cost(shape, 512, recompute=False).operations
    again = training_cost(shape, 512, recompute=True).operations
    assert 2 * inference < step < 3 * inference
    assert again == step + inference
