"""Biaffine scores of token pairs inside the band (SeNER paper, equations 4 and 5)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band

BLOCK_SIZE = 64
"""Rows of the band that share one matrix product."""
BLOCKS_AT_ONCE = 16
"""Blocks whose products are in memory at the same time."""


class Biaffine(nn.Module):
    """Represent every pair of tokens (i, j) with |i - j| <= window by a vector.

    With a = [GELU(head(h)); 1] and t = [GELU(tail(h)); 1]:

        z_ijo = a_i U_o t_j + W_o [a_i; t_j]

    As the last entry of `a` and of `t` is 1, the second term is bilinear as well, and is added to
    the last column and the last row of `U_o` before the product. Dropout acts on the input of both
    projections; the authors drop `a` and `t` once more inside of the second term, we do not.
    """

    def __init__(self, input_size: int, hidden_size: int, span_size: int, *, dropout: float):
        super().__init__()
        self.head = nn.Linear(input_size, hidden_size)
        self.tail = nn.Linear(input_size, hidden_size)
        self.bilinear = nn.Parameter(torch.empty(span_size, hidden_size + 1, hidden_size + 1))
        self.affine = nn.Parameter(torch.empty(span_size, 2 * (hidden_size + 1)))
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_normal_(self.bilinear)
        nn.init.xavier_normal_(self.affine)

    def forward(self, tokens: Tensor, window: int) -> Tensor:
        """Give the band of pair vectors.

        tokens: (batch_size, n_tokens, input_size). window: in tokens, one-sided, inclusive.
        Returns (batch_size, n_tokens, 2 * window + 1, span_size); cells that are not valid hold
        finite values without meaning.
        """
        heads = self._with_one(F.gelu(self.head(self.dropout(tokens))))
        tails = self._with_one(F.gelu(self.tail(self.dropout(tokens))))
        n_tokens = tokens.shape[1]
        spare = (0, 0, 0, -n_tokens % BLOCK_SIZE)
        heads = F.pad(heads, spare).unflatten(1, (-1, BLOCK_SIZE))
        tails = band.row_blocks(F.pad(tails, spare), BLOCK_SIZE, window)
        weight = self._weight()
        products = [
            self._product(some_heads, some_tails, weight, window)
            for some_heads, some_tails in zip(
                heads.flatten(0, 1).split(BLOCKS_AT_ONCE),
                tails.flatten(0, 1).split(BLOCKS_AT_ONCE),
                strict=True,
            )
        ]
        pairs = torch.cat(products).unflatten(0, (tokens.shape[0], -1)).flatten(1, 2)
        return pairs[:, :n_tokens]

    def _weight(self) -> Tensor:
        """`U` with `W` in its last column and row, (hidden + 1, span_size * (hidden + 1))."""
        from_heads, from_tails = self.affine.chunk(2, dim=1)
        last = self.bilinear.shape[1] - 1
        weight = self.bilinear + F.pad(from_heads[:, :, None], (last, 0))
        weight = weight + F.pad(from_tails[:, None, :], (0, 0, last, 0))
        return weight.transpose(0, 1).flatten(1)

    @staticmethod
    def _product(heads: Tensor, tails: Tensor, weight: Tensor, window: int) -> Tensor:
        """heads (n_blocks, rows, hidden), tails (n_blocks, rows + 2 * window, hidden) -> band."""
        n_blocks, n_rows, hidden_size = heads.shape
        left = (heads @ weight).view(n_blocks, -1, hidden_size)  # row and span feature by hidden
        products = tails @ left.transpose(1, 2)
        return band.band_of_blocks(products.unflatten(2, (n_rows, -1)), window)

    @staticmethod
    def _with_one(tokens: Tensor) -> Tensor:
        return F.pad(tokens, (0, 1), value=1.0)
