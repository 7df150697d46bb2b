"""Biaffine scores of token pairs inside the band (SeNER paper, equations 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band
from .strips import Strips

BLOCK_SIZE = 64
"""Rows of the band that share one matrix product."""


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

    def forward(self, tokens: Tensor, strips: Strips) -> Iterator[Tensor]:
        """Give the band of pair vectors, strip by strip.

        tokens: (batch_size, n_tokens, input_size).
        Yields (batch_size, rows, 2 * window + 1, span_size); cells that are not valid hold finite
        values without meaning.
        """
        heads = self._with_one(F.gelu(self.head(self.dropout(tokens))))
        tails = self._with_one(F.gelu(self.tail(self.dropout(tokens))))
        tails = F.pad(tails, (0, 0, strips.window, strips.window + BLOCK_SIZE))
        weight = self._weight()
        rows = (heads[:, begin:end] for begin, end in strips.bounds)
        partners = (
            tails[:, begin : end + -(end - begin) % BLOCK_SIZE + 2 * strips.window]
            for begin, end in strips.bounds
        )
        return strips.map(self._pairs, rows, partners, repeat(weight, len(strips.bounds)))

    def _weight(self) -> Tensor:
        """`U` with `W` in its last column and row, (hidden + 1, span_size * (hidden + 1))."""
        from_heads, from_tails = self.affine.chunk(2, dim=1)
        last = self.bilinear.shape[1] - 1
        weight = self.bilinear + F.pad(from_heads[:, :, None], (last, 0))
        weight = weight + F.pad(from_tails[:, None, :], (0, 0, last, 0))
        return weight.transpose(0, 1).flatten(1)

    @staticmethod
    def _pairs(heads: Tensor, tails: Tensor, weight: Tensor) -> Tensor:
        """All cells of the rows of one strip.

        heads: (batch_size, rows, hidden + 1). tails: from `window` before the first row to `window`
        after the last, the rows rounded up to whole blocks. weight: of `_weight`.
        """
        batch_size, n_rows, hidden_size = heads.shape
        heads = F.pad(heads, (0, 0, 0, -n_rows % BLOCK_SIZE))
        window = (tails.shape[1] - heads.shape[1]) // 2
        partners = band.row_blocks(tails, BLOCK_SIZE, window).flatten(0, 1)
        left = (heads @ weight).view(len(partners), -1, hidden_size)  # row and feature by hidden
        products = (partners @ left.transpose(1, 2)).unflatten(2, (BLOCK_SIZE, -1))
        pairs = band.band_of_blocks(products, window).unflatten(0, (batch_size, -1))
        return pairs.flatten(1, 2)[:, :n_rows]

    @staticmethod
    def _with_one(tokens: Tensor) -> Tensor:
        return F.pad(tokens, (0, 1), value=1.0)
