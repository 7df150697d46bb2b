"""The band's index arithmetic against loops over cells."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.nn import band

shapes = {"n_tokens": st.integers(1, 12), "window": st.integers(0, 6)}


def numbered(n_tokens: int, window: int, size: int = 2) -> torch.Tensor:
    torch.manual_seed(n_tokens * 100 + window)
    return torch.randn(2, n_tokens, 2 * window + 1, size, dtype=torch.float64)


@settings(max_examples=30)
@given(**shapes, shorter=st.integers(0, 12))
def test_valid_cells_are_the_pairs_of_the_text(n_tokens: int, window: int, shorter: int) -> None:
    lengths = torch.tensor([n_tokens, max(0, n_tokens - shorter)])
    valid = band.valid_cells(lengths, n_tokens, window)
    for text, length in enumerate(lengths.tolist()):
        for i in range(n_tokens):
            for column in range(2 * window + 1):
                expected = i < length and 0 <= i + column - window < length
                assert valid[text, i, column] == expected


@settings(max_examples=30)
@given(**shapes)
def test_transpose_swaps_the_ends_of_every_cell(n_tokens: int, window: int) -> None:
    cells = numbered(n_tokens, window)
    turned = band.transpose(None, cells, None)
    for i in range(n_tokens):
        for j in range(max(0, i - window), min(n_tokens, i + window + 1)):
            swapped = cells[:, j, window + i - j]
            assert torch.equal(turned[:, i, window + j - i], swapped)


def test_transpose_of_one_text_of_several() -> None:
    cells = numbered(5, 0)
    assert torch.equal(band.transpose(None, cells[1:], None), cells[1:])


@pytest.mark.parametrize(("n_tokens", "window"), [(1, 3), (3, 6), (7, 3), (20, 2)])
def test_cells_of_missing_rows_are_zero(n_tokens: int, window: int) -> None:
    turned = band.transpose(None, numbered(n_tokens, window), None)
    inside = band.valid_cells(torch.tensor([n_tokens]), n_tokens, window)[0]
    assert not turned[:, ~inside].any()


@settings(max_examples=30)
@given(window=st.integers(0, 4), sizes=st.tuples(*[st.integers(0, 5)] * 3))
def test_transpose_of_some_rows(window: int, sizes: tuple[int, ...]) -> None:
    """With `window` rows around them, or all that there are, they turn as in the whole table."""
    n_before, n_rows, n_after = (window + sizes[0], 1 + sizes[1], sizes[2])
    cells = numbered(n_before + n_rows + n_after, window)
    before, rows, after = cells.split([n_before, n_rows, n_after], dim=1)
    turned = band.transpose(before, rows, after if n_after else None)
    whole = band.transpose(None, cells, None)
    assert torch.equal(turned, whole[:, n_before : n_before + n_rows])


def test_transpose_twice_gives_the_valid_cells_back() -> None:
    cells = numbered(9, 4)
    valid = band.valid_cells(torch.tensor([9, 9]), 9, 4)
    back = band.transpose(None, band.transpose(None, cells, None), None)
    assert torch.equal(back[valid], cells[valid])


@pytest.mark.parametrize(("n_tokens", "window"), [(1, 0), (1, 3), (5, 2), (7, 4)])
def test_gradient_of_transpose(n_tokens: int, window: int) -> None:
    cells = numbered(n_tokens, window).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: band.transpose(None, x, None), cells)


def test_gradient_of_neighbouring_rows() -> None:
    parts = [numbered(n, 2).requires_grad_() for n in (3, 2, 1)]
    assert torch.autograd.gradcheck(band.transpose, parts)


def test_gradient_of_the_blocks_band() -> None:
    products = torch.randn(2, 3 + 2 * 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: band.band_of_blocks(x, 2), products)


@settings(max_examples=30)
@given(n_blocks=st.integers(1, 3), block_size=st.integers(1, 4), window=st.integers(0, 5))
def test_blocks_hold_the_products_of_every_pair(
    n_blocks: int, block_size: int, window: int
) -> None:
    n_tokens = n_blocks * block_size
    heads, tails = torch.arange(1.0, 2 * n_tokens + 1).view(2, 1, n_tokens, 1)
    partners = band.row_blocks(F.pad(tails, (0, 0, window, window)), block_size, window)[0]
    assert partners.shape == (n_blocks, block_size + 2 * window, 1)
    products = partners[:, :, None] * heads.view(n_blocks, 1, block_size, 1)
    pairs = band.band_of_blocks(products, window).flatten(0, 1)
    for i in range(n_tokens):
        for column in range(2 * window + 1):
            j = i + column - window
            tail = tails[0, j] if 0 <= j < n_tokens else torch.zeros(1)
            assert torch.equal(pairs[i, column], heads[0, i] * tail)


def test_valid_cells_of_some_rows() -> None:
    whole = band.valid_cells(torch.tensor([6, 3]), 6, 2)
    assert torch.equal(band.valid_cells(torch.tensor([6, 3]), 3, 2, first_row=2), whole[:, 2:5])
    around = band.valid_cells(torch.tensor([6, 3]), 10, 2, first_row=-2)
    assert torch.equal(around[:, 2:8], whole)
    assert not around[:, :2].any()
    assert not around[:, 8:].any()


def test_upper_and_column_of_agree() -> None:
    cells = numbered(6, 3)
    start, end = torch.tensor(2), torch.tensor(4)
    column = band.column_of(start, end, 3)
    assert torch.equal(band.upper(cells)[:, 2, 4 - 2], cells[:, 2, column])


def test_widen_keeps_every_cell_in_its_place() -> None:
    cells = numbered(6, 2)
    wide = band.widen(cells, 5)
    assert wide.shape == (2, 6, 11, 2)
    assert torch.equal(wide[:, :, 3:8], cells)
    assert wide.abs().sum() == cells.abs().sum()
    assert band.widen(cells, 2) is cells
