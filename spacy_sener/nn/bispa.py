"""Bidirectional sliding-window plus-shaped attention over the band (paper, equations 6 to 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band
from .dropout import TableDropout
from .strips import MARGIN, Strips, neighbours, twice

Columns = Literal["paper", "released"]
"""Whether cell (i, j) sees row i and column j, or row i and column i (the authors' code)."""

NEVER = -1e4
"""Score of a cell that is not valid. Finite, so that rows of padding do not become NaN."""


def sinusoidal_positions(n_positions: int, size: int) -> Tensor:
    """Give the sine and cosine table that rotary embedding reads, (n_positions, size).

    Entry (p, k) is sin(p / 10000^(2k / size)) in the first half, the cosine in the second.
    """
    exponents = torch.arange(0, size, 2, dtype=torch.float64) / size
    angles = torch.arange(n_positions, dtype=torch.float64)[:, None] / 10000**exponents
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(torch.get_default_dtype())


def rotate(vectors: Tensor, positions: Tensor) -> Tensor:
    """Turn each pair of features (2k, 2k + 1) by the angle of its position.

    vectors: (..., n_positions, size). positions: table of `sinusoidal_positions`, whose type the
    result has.
    """
    sine, cosine = positions.chunk(2, dim=-1)
    pairs = vectors.to(positions.dtype).unflatten(-1, (-1, 2))
    turned = torch.view_as_complex(pairs) * torch.complex(cosine, sine)
    return torch.view_as_real(turned).flatten(-2)


class RowAttention(nn.Module):
    """Single-head self-attention of each row of a band, positions being columns (equation 6).

    The authors drop 20 % of the attention map as well. We do not: it rules out the fused kernels
    and costs more time than it gives, and the result is dropped anyway.
    """

    def __init__(self, size: int):
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size)

    def forward(self, rows: Tensor, valid: Tensor | None, positions: Tensor) -> Tensor:
        """rows: (batch_size, n_rows, n_columns, size). valid: keys that are seen, (batch_size,
        n_rows, n_columns); None if all are. positions: (n_columns, size).
        """
        query, key, value = self.qkv(rows).flatten(0, 1).chunk(3, dim=-1)
        # On CPU the kernel's backward pass takes longer in half precision than in single.
        dtype = positions.dtype if self.training else query.dtype
        mask = None
        if valid is not None:
            mask = torch.zeros_like(valid, dtype=dtype).masked_fill_(~valid, NEVER)
            mask = mask.flatten(0, 1)[:, None, None]
        query, key = (rotate(x, positions).to(dtype) for x in (query, key))
        with torch.autocast("cpu", enabled=False):
            attended = F.scaled_dot_product_attention(
                query[:, None], key[:, None], value.to(dtype)[:, None], attn_mask=mask
            )
        return attended.view_as(rows)


class BiSPA(nn.Module):
    """One block: plus-shaped attention, then a convolution over neighbouring spans.

        x = x + triangle
        x = LayerNorm(x + dropout(dense([rows(x); columns(x)])))
        x = LayerNorm(x + dropout(conv(GELU(conv(x)))))

    With columns "paper", cell (i, j) sees row i and column j. The authors' code forgets to turn the
    result for the columns back, so there it sees row i and column i: "released", which their
    checkpoints need. Their clamps at 1e3 and 1e4, which no sane value reaches, are left out.
    """

    def __init__(self, size: int, *, span_window: int, columns: Columns, dropout: float):
        super().__init__()
        self.turn_back = columns == "paper"
        self.span_window = span_window
        self.triangle = nn.Embedding(2, size)
        self.rows = RowAttention(size)
        self.columns = RowAttention(size)
        self.positions: Tensor
        # No weight: what was trained over a narrow table can read a wider one.
        positions = sinusoidal_positions(2 * span_window + 1, size)
        self.register_buffer("positions", positions, persistent=False)
        self.dense = nn.Linear(2 * size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.conv1 = nn.Conv2d(size, size, 3, padding=(0, 1), bias=False)
        self.conv2 = nn.Conv2d(size, size, 3, padding=(0, 1), bias=False)
        self.conv_norm = nn.LayerNorm(size)
        self.dropout = TableDropout(dropout)

    def forward(self, table: Iterable[Tensor], strips: Strips) -> Iterator[Tensor]:
        """Let every span see the spans that share an end with it, and its neighbours.

        table: strips of (batch_size, rows, 2 * window + 1, size), `window` at most `span_window`.
        Yields strips of the same shape; invalid cells hold finite values without meaning.
        """
        positions = self._positions(strips.window)
        triangles = self._triangles(strips.window)
        rows, columns = twice(strip + triangles.to(strip.dtype) for strip in table)
        by_column = strips.map(
            partial(self._columns, positions=positions), neighbours(columns), strips.valid()
        )
        attended = strips.map(
            partial(self._attend, positions=positions),
            rows,
            neighbours(by_column),
            strips.valid(),
        )
        return strips.map(self._convolve, neighbours(attended), strips.valid(MARGIN))

    def _positions(self, window: int) -> Tensor:
        """Of columns, (2 * window + 1, size); the middle one has the same in every window."""
        return self.positions[self.span_window - window : self.span_window + window + 1]

    def _triangles(self, window: int) -> Tensor:
        """Embedding 0 left of the diagonal, 1 on it and to its right, (2 * window + 1, size)."""
        columns = torch.arange(2 * window + 1, device=self.triangle.weight.device)
        return self.triangle((columns >= window).long())

    def _columns(
        self,
        before: Tensor | None,
        rows: Tensor,
        after: Tensor | None,
        valid: Tensor | None,
        *,
        positions: Tensor,
    ) -> Tensor:
        """The part of `dense` that reads the columns, which lie as rows in the result."""
        columns = band.transpose(before, rows, after).contiguous()
        return F.linear(self.columns(columns, valid, positions), self._dense_weights()[1])

    def _attend(
        self,
        rows: Tensor,
        before: Tensor | None,
        by_column: Tensor,
        after: Tensor | None,
        valid: Tensor | None,
        *,
        positions: Tensor,
    ) -> Tensor:
        """Plus-shaped attention. before, by_column, after: of `_columns`."""
        by_row = self.rows(rows, valid, positions)
        turned = band.transpose(before, by_column, after) if self.turn_back else by_column
        # dense([rows; columns]) as a sum: spares the concatenation.
        change = F.linear(by_row, self._dense_weights()[0], self.dense.bias) + turned
        return _normed(self.attention_norm, rows + self.dropout(change))

    def _dense_weights(self) -> tuple[Tensor, Tensor]:
        """For rows and for columns, each (size, size)."""
        for_rows, for_columns = self.dense.weight.chunk(2, dim=1)
        return for_rows, for_columns

    def _convolve(
        self, before: Tensor | None, rows: Tensor, after: Tensor | None, valid: Tensor | None
    ) -> Tensor:
        """valid: of the rows and `MARGIN` rows around them."""
        around = band.surround(before, rows, after, MARGIN)
        hidden = F.gelu(self._conv(self.conv1, around, valid))
        change = self._conv(self.conv2, hidden, None if valid is None else valid[:, 1:-1])
        return _normed(self.conv_norm, rows + self.dropout(change))

    @staticmethod
    def _conv(conv: nn.Conv2d, rows: Tensor, valid: Tensor | None) -> Tensor:
        """Convolve valid cells over (row, column); the outermost rows are gone from the result.

        The band's layout is torch's `channels_last`.
        """
        if valid is not None:
            rows = rows * valid[..., None]
        return conv(rows.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _normed(norm: nn.LayerNorm, rows: Tensor) -> Tensor:
    """In the type of the rows; autocast would go to single precision and stay there."""
    with torch.autocast(rows.device.type, enabled=False):
        weight, bias = norm.weight.to(rows.dtype), norm.bias.to(rows.dtype)
        return F.layer_norm(rows, norm.normalized_shape, weight, bias, norm.eps)
