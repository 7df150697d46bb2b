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
    column. Column `c` of row `i` is the cell (i + c - window, i), which lies in column
    `2 * window - c`; with `window` rows of zeros above and below, one step along `c` goes down a
    row and left a column, a constant stride. Invalid cells may hold anything.

    band: (batch_size, n_tokens, 2 * window + 1, size). Returns a view of the same shape on a padded
    copy, not contiguous.
    """
    batch_size, n_tokens, n_columns, size = band.shape
    window = n_columns // 2
    padded = F.pad(band, (0, 0, 0, 0, window, window))
    row = n_columns * size
    shape = (batch_size, n_tokens, n_columns, size)
    strides = ((n_tokens + 2 * window) * row, row, row - size, 1)
    return _strided_view(padded, shape, strides, offset=2 * window * size)


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
    n_blocks, n_partners, block_size, size = products.shape
    row = block_size * size
    shape = (n_blocks, block_size, 2 * window + 1, size)
    return _strided_view(products, shape, (n_partners * row, row + size, row, 1), offset=0)


def _strided_view(
    tensor: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], *, offset: int
) -> Tensor:
    """Do what `as_strided` does, where no element is taken twice."""
    apply = cast(Callable[..., Tensor], _StridedView.apply)
    return apply(tensor.contiguous(), shape, strides, offset)


class _StridedView(torch.autograd.Function):
    """`as_strided` for views that take no element twice.

    torch cannot see that, and adds up the gradient by index, which takes longer than the rest of
    the network; a copy into the same view of zeros is enough.
    """

    @staticmethod
    def forward(
        ctx: Any, tensor: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
    ) -> Tensor:
        ctx.source_shape, ctx.view = tensor.shape, (shape, strides, offset)
        return tensor.as_strided(shape, strides, tensor.storage_offset() + offset)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        shape, strides, offset = ctx.view
        source = grad.new_zeros(ctx.source_shape)
        source.as_strided(shape, strides, offset).copy_(grad)
        return source, None, None, None
