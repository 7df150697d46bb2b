"""One BiSPA block against dense attention over the whole table in double precision."""

import math

import dense_span_table as dense
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spacy_sener.nn import band, strips
from spacy_sener.nn.bispa import BiSPA, rotate, sinusoidal_positions
from spacy_sener.nn.strips import Strips

SIZE = 4


def make_block(window: int, columns: str = "paper", dropout: float = 0.0) -> BiSPA:
    block = BiSPA(SIZE, span_window=window, columns=columns, dropout=dropout).double()
    for parameter in block.parameters():  # no bias or norm at its neutral first value
        nn.init.normal_(parameter, std=0.5)
    return block


def make_table(lengths: list[int], window: int) -> tuple[Tensor, Tensor]:
    """A batch of bands, and which of their cells are valid."""
    n_tokens = max(lengths)
    table = torch.randn(len(lengths), n_tokens, 2 * window + 1, SIZE, dtype=torch.float64)
    return table, band.valid_cells(torch.tensor(lengths), n_tokens, window)


def run(block: BiSPA, table: Tensor, lengths: list[int]) -> Tensor:
    """The block's whole answer, from strips of as few rows as there can be."""
    shared = Strips(torch.tensor(lengths), table.shape[1], table.shape[2] // 2)
    rows = [table[:, begin:end] for begin, end in shared.bounds]
    return torch.cat(list(block(rows, shared)), dim=1)


def to_dense(cells: Tensor, length: int) -> Tensor:
    """A text's band as (L, L, size), zero outside of the window."""
    window = cells.shape[1] // 2
    zero = cells.new_zeros(cells.shape[2:])
    rows = [
        cells[i, window + j - i] if abs(i - j) <= window else zero
        for i in range(length)
        for j in range(length)
    ]
    return torch.stack(rows).unflatten(0, (length, length))


@pytest.mark.parametrize("columns", ["paper", "released"])
@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=2),
    window=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_equals_dense_attention_with_gradients(
    columns: str, lengths: list[int], window: int, seed: int
) -> None:
    torch.manual_seed(seed)
    block = make_block(window, columns)
    params = dense.params_of(block)
    table, valid = make_table(lengths, window)
    same_table = table.clone().requires_grad_()
    table.requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(strips.CELLS_AT_ONCE, "cpu", 1)
        result = run(block, table, lengths) * valid[..., None]
    expected = []
    for text, length in enumerate(lengths):
        out = dense.bispa(params, to_dense(same_table[text], length), window, columns=columns)
        expected.append(dense.band_of(out, window, max(lengths)))
    torch.testing.assert_close(result, torch.stack(expected))

    weight = torch.randn_like(result)
    (result * weight).sum().backward()
    (torch.stack(expected) * weight).sum().backward()
    torch.testing.assert_close(table.grad, same_table.grad)
    for name, parameter in block.named_parameters():
        torch.testing.assert_close(parameter.grad, params[name].grad, msg=name)


@pytest.mark.parametrize(("columns", "partner"), [("paper", "column j"), ("released", "column i")])
def test_what_a_cell_sees(columns: str, partner: str) -> None:
    """Without convolutions, cell (2, 5) depends on row 2 and on column 5, or on column 2."""
    torch.manual_seed(0)
    window, length = 4, 9
    block = make_block(window, columns)
    nn.init.zeros_(block.conv1.weight)
    table, _ = make_table([length], window)
    table.requires_grad_()
    run(block, table, [length])[0, 2, window + 3].sum().backward()
    seen = to_dense(table.grad[0], length).abs().sum(-1) > 0
    line = 5 if partner == "column j" else 2
    for i in range(length):
        for j in range(length):
            if abs(i - j) <= window:
                # A query sees its row or column, and the residual its own cell.
                assert seen[i, j] == (i == 2 or j == line), (i, j)


@pytest.mark.parametrize("idle", ["conv2", "dense"])
def test_dropout_of_each_half_acts_in_training_only(idle: str) -> None:
    """Of the attention where the convolution changes nothing, and the reverse."""
    torch.manual_seed(0)
    block = make_block(2, dropout=0.5)
    for parameter in getattr(block, idle).parameters():
        nn.init.zeros_(parameter)
    table, valid = make_table([6], 2)
    assert not torch.equal(run(block, table, [6])[valid], run(block, table, [6])[valid])
    block.eval()
    assert torch.equal(run(block, table, [6])[valid], run(block, table, [6])[valid])


def test_texts_of_padding_stay_finite() -> None:
    torch.manual_seed(0)
    block = make_block(3)
    table, valid = make_table([7, 1], 3)
    valid[1] = False
    table.requires_grad_()
    result = run(block, table, [7, 0])
    assert result.isfinite().all()
    (result * valid[..., None]).sum().backward()
    assert table.grad.isfinite().all()
    assert not table.grad[1].any()
    for parameter in block.parameters():
        assert parameter.grad.isfinite().all()


def test_rotation_is_by_pairs_and_relative() -> None:
    torch.manual_seed(0)
    positions = sinusoidal_positions(7, 6).double()
    query, key = torch.randn(2, 6, dtype=torch.float64)
    turned = rotate(query.expand(7, -1), positions), rotate(key.expand(7, -1), positions)
    scores = turned[0] @ turned[1].T
    for distance in range(-6, 7):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    angle = 3 / 10000 ** (2 / 6)  # position 3, second pair
    even, odd = query[2], query[3]
    expected = even * math.cos(angle) - odd * math.sin(angle)
    torch.testing.assert_close(turned[0][3, 2], expected, atol=1e-6, rtol=0)
