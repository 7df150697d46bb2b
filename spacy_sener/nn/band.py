"""Index arithmetic of the band: the table of token pairs at most `window` tokens apart.

A band is a tensor (batch_size, n_tokens, 2 * window + 1, size). Column `window + j - i` of row `i`
is the cell (i, j); so the middle column holds the spans of one token, the columns to its right the
upper triangle (i < j), those to its left the lower triangle. Cells with `j` outside of the text,
and whole rows of padding, are not valid: what they hold means nothing.

No function here makes index tensors of the size of the band: shifted rows are strided views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


def valid_cells(lengths: Tensor, n_rows: int, window: int, *, first_row: int = 0) -> Tensor:
    """Say which cells of some consecutive rows of a band join two tokens of the text.

    lengths: number of tokens of each text, (batch_size,). first_row: may lie before the text.
    Returns booleans, (batch_size, n_rows, 2 * window + 1).
    """
    row = torch.arange(first_row, first_row + n_rows, device=lengths.device)[:, None]
    column = row + torch.arange(-window, window + 1, device=lengths.device)
    ends = lengths[:, None, None]
    return (row >= 0) & (row < ends) & (column >= 0) & (column < ends)


def column_of(start: Tensor, end: Tensor, window: int) -> Tensor:
    """Give the column of cell (start, end) in row `start`."""
    return end - start + window


def upper(band: Tensor) -> Tensor:
    """Give the view of the diagonal and the upper triangle, (..., n_tokens, window + 1, size)."""
    return band[..., band.shape[-2] // 2 :, :]


def widen(band: Tensor, window: int) -> Tensor:
    """Give the band of a wider `window` whose new cells are zero."""
    missing = window - band.shape[-2] // 2
    return F.pad(band, (0, 0, missing, missing)) if missing else band


def surround(before: Tensor | None, rows: Tensor, after: Tensor | None, margin: int) -> Tensor:
    """Put the `margin` rows that lie before and after some rows of a band around them.

    before, after: the neighbouring rows, `margin` at least unless the text begins or ends in them;
    None beyond its ends. What is missing is zero.
    rows: (batch_size, n_rows, ...). Returns (batch_size, margin + n_rows + margin, ...).
    """
    parts = [_margin(rows, margin) if before is None else before[:, -margin:], rows]
    if after is not None:
        parts.append(after[:, :margin])
    missing = margin - (0 if after is None else parts[2].shape[1])
    return torch.cat([*parts, _margin(rows, missing)], dim=1) if margin else rows


def _margin(rows: Tensor, n_rows: int) -> Tensor:
    return rows.new_zeros(len(rows), n_rows, *rows.shape[2:])


def transpose(before: Tensor | None, rows: Tensor, after: Tensor | None) -> Tensor:
    """Put cell (j, i) in the place of cell (i, j), for the rows i of the middle part.

    Row `i` of the result is column `i` of the table: its cells are those of all rows that share the
    column. Cells of rows that are not given are zero.

    rows: (batch_size, n_rows, 2 * window + 1, size); before, after: see `surround`.
    Returns a view of the shape of `rows`.
    """
    window = rows.shape[2] // 2
    around = surround(before, rows, after, window).contiguous()
    # Column `c` of row `i` is cell (i, i + c - window): cell (i + c - window, i) lies a row further
    # down and a column further left for every step along `c`.
    text, row, cell, _ = around.stride()
    return _apply(around, rows.shape, (text, row, row - cell, 1), 2 * window * cell)


def row_blocks(tokens: Tensor, block_size: int, window: int) -> Tensor:
    """Give for every block of rows the tokens that its cells can pair with.

    tokens: from `window` before the first row to `window` after the last,
    (batch_size, n_blocks * block_size + 2 * window, size).
    Returns a view, (batch_size, n_blocks, block_size + 2 * window, size).
    """
    return tokens.unfold(1, block_size + 2 * window, block_size).transpose(2, 3)


def band_of_blocks(products: Tensor, window: int) -> Tensor:
    """Keep from the products of a block's rows with all its `row_blocks` those inside the band.

    products: (n_blocks, block_size + 2 * window, block_size, size), token by row.
    Returns a view, (n_blocks, block_size, 2 * window + 1, size).
    """
    products = products.contiguous()
    n_blocks, _, block_size, size = products.shape
    block, token, row, _ = products.stride()
    shape = (n_blocks, block_size, 2 * window + 1, size)
    # One step down a row of the band goes down a row and a token of the products.
    return _apply(products, shape, (block, token + row, token, 1), 0)


def _apply(tensor: Tensor, shape: Sequence[int], stride: Sequence[int], offset: int) -> Tensor:
    return cast(Callable[..., Tensor], _View.apply)(tensor, shape, stride, offset)


class _View(torch.autograd.Function):
    """`as_strided` on a contiguous tensor, of which the view takes nothing twice.

    torch does not see that, and would add up the gradient by index, which takes longer than the
    rest of the network; a copy into the same view of zeros is enough.
    """

    @staticmethod
    def forward(
        ctx: Any, tensor: Tensor, shape: Sequence[int], stride: Sequence[int], offset: int
    ) -> Tensor:
        ctx.whole, ctx.view = tensor.shape, (shape, stride, offset)
        return tensor.as_strided(shape, stride, tensor.storage_offset() + offset)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        whole = grad.new_zeros(ctx.whole)
        whole.as_strided(*ctx.view).copy_(grad)
        return whole, None, None, None
