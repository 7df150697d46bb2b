"""Index arithmetic of the band: the table of token pairs at most `window` tokens apart.

A band is a tensor (batch_size, n_tokens, 2 * window + 1, size). Column `window + j - i` of row `i`
is the cell (i, j); so the middle column holds the spans of one token, the columns to its right the
upper triangle (i < j), those to its left the lower triangle. Cells with `j` outside of the text,
and whole rows of padding, are not valid: what they hold means nothing.

No function here makes index tensors of the size of the band: shifted rows are strided views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


def valid_cells(lengths: Tensor, n_tokens: int, window: int) -> Tensor:
    """Say which cells of a band join two tokens of the text.

    lengths: number of tokens of each text, (batch_size,).
    Returns booleans, (batch_size, n_tokens, 2 * window + 1).
    """
    row = torch.arange(n_tokens, device=lengths.device)[:, None]
    column = row + torch.arange(-window, window + 1, device=lengths.device)
    ends = lengths[:, None, None]
    return (row < ends) & (column >= 0) & (column < ends)


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


def transpose(band: Tensor) -> Tensor:
    """Put cell (j, i) in the place of cell (i, j).

    Row `i` of the result is column `i` of the table: its cells are those of all rows that share the
    column. Cells whose `j` is not a row of the band are lost, and zero in the result.

    band: (batch_size, n_tokens, 2 * window + 1, size). Returns the same shape.
    """
    return _apply(_Transpose, band)


def row_blocks(tokens: Tensor, block_size: int, window: int) -> Tensor:
    """Give for every block of `block_size` rows the tokens that its cells can pair with.

    tokens: (batch_size, n_tokens, size), `n_tokens` a multiple of `block_size`.
    Returns (batch_size, n_tokens / block_size, block_size + 2 * window, size), zeros outside.
    """
    padded = F.pad(tokens, (0, 0, window, window))
    return padded.unfold(1, block_size + 2 * window, block_size).transpose(2, 3)


def band_of_blocks(products: Tensor, window: int) -> Tensor:
    """Keep from the products of a block's rows with all its `row_blocks` those inside the band.

    products: (n_blocks, block_size + 2 * window, block_size, size), token by row.
    Returns a view, (n_blocks, block_size, 2 * window + 1, size).
    """
    return _apply(_BandOfBlocks, products, window)


def _apply(function: type[torch.autograd.Function], *inputs: Tensor | int) -> Tensor:
    return cast(Callable[..., Tensor], function.apply)(*inputs)


class _Transpose(torch.autograd.Function):
    """Column `c` of row `i` is the cell (i, i + c - window), and goes to row `i + c - window`,
    column `2 * window - c`. With `window` rows above and below that take the invalid cells, one
    step along `c` goes down a row and left a column, which is a constant stride. The gradient goes
    the same way back.
    """

    @staticmethod
    def forward(ctx: Any, band: Tensor) -> Tensor:
        batch_size, n_tokens, n_columns, size = band.shape
        window = n_columns // 2
        padded = band.new_empty(batch_size, n_tokens + 2 * window, n_columns, size)
        padded[:, window : 2 * window] = 0  # only here has a row of the result invalid cells
        padded[:, n_tokens : n_tokens + window] = 0
        text, row = padded.stride()[:2]
        target = padded.as_strided(band.shape, (text, row, row - size, 1), 2 * window * size)
        target.copy_(band)
        return padded[:, window : window + n_tokens]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return transpose(grad)


class _BandOfBlocks(torch.autograd.Function):
    """A view with constant strides, as one step along the band goes down a row of `products`.

    torch does not see that the view takes nothing twice, and would add up the gradient by index,
    which takes longer than the rest of the network; a copy into the same view of zeros is enough.
    """

    @staticmethod
    def forward(ctx: Any, products: Tensor, window: int) -> Tensor:
        ctx.shape, ctx.window = products.shape, window
        return _band_view(products.contiguous(), window)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        products = grad.new_zeros(ctx.shape)
        _band_view(products, ctx.window).copy_(grad)
        return products, None


def _band_view(products: Tensor, window: int) -> Tensor:
    n_blocks, _, block_size, size = products.shape
    block, row = products.stride()[:2]
    shape = (n_blocks, block_size, 2 * window + 1, size)
    return products.as_strided(shape, (block, row + size, row, 1))
