"""Bidirectional sliding-window plus-shaped attention over the band (paper, equations 6 to 8)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band
from .table_dropout import TableDropout

Columns = Literal["paper", "released"]
"""Whether cell (i, j) sees row i and column j, or row i and column i (the authors' code)."""

ROWS_AT_ONCE = 1024
"""Rows of the band whose queries, keys and values are in memory at the same time."""
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

    def forward(self, table: Tensor, bias: Tensor, positions: Tensor) -> Tensor:
        """table: (batch_size, n_tokens, n_columns, size). bias: what is added to the score of each
        key, (batch_size, n_tokens, n_columns). positions: (n_columns, size).
        """
        rows = table.flatten(0, 1).split(ROWS_AT_ONCE)
        biases = bias.flatten(0, 1).split(ROWS_AT_ONCE)
        results = [self._attend(*chunk, positions) for chunk in zip(rows, biases, strict=True)]
        return torch.cat(results).view_as(table) if len(results) > 1 else results[0].view_as(table)

    def _attend(self, rows: Tensor, bias: Tensor, positions: Tensor) -> Tensor:
        query, key, value = self.qkv(rows).chunk(3, dim=-1)
        # On CPU the kernel's backward pass takes longer in half precision than in single.
        with torch.autocast("cpu", enabled=False):
            attended = F.scaled_dot_product_attention(
                rotate(query, positions)[:, None],
                rotate(key, positions)[:, None],
                value.to(positions.dtype)[:, None],
                attn_mask=bias[:, None, None],
            )
        return attended.squeeze(1)


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
        self.register_buffer("positions", sinusoidal_positions(2 * span_window + 1, size))
        self.dense = nn.Linear(2 * size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.conv1 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv_norm = nn.LayerNorm(size)
        self.dropout = TableDropout(dropout)

    def forward(self, table: Tensor, valid: Tensor) -> Tensor:
        """Let every span see the spans that share an end with it, and its neighbours.

        table: (batch_size, n_tokens, n_columns, size), `n_columns` at most 2 * span_window + 1.
        valid: `band.valid_cells`. Returns a table of the same shape; invalid cells hold finite
        values without meaning.
        """
        table = self._attend(table + self._triangles(table.shape[2]), valid)
        return self._convolve(table, valid)

    def _triangles(self, n_columns: int) -> Tensor:
        """Embedding 0 left of the diagonal, 1 on it and to its right, (n_columns, size)."""
        columns = torch.arange(n_columns, device=self.triangle.weight.device)
        return self.triangle((columns >= n_columns // 2).long())

    def _attend(self, table: Tensor, valid: Tensor) -> Tensor:
        window = table.shape[2] // 2
        positions = self.positions[self.span_window - window : self.span_window + window + 1]
        bias = torch.zeros_like(valid, dtype=positions.dtype).masked_fill_(~valid, NEVER)
        by_row = self.rows(table, bias, positions)
        by_column = self.columns(band.transpose(table), bias, positions)
        # dense([rows; columns]) as a sum: spares the concatenation.
        for_rows, for_columns = self.dense.weight.chunk(2, dim=1)
        by_column = F.linear(by_column, for_columns)
        if self.turn_back:
            by_column = band.transpose(by_column)
        change = F.linear(by_row, for_rows, self.dense.bias) + by_column
        return self.attention_norm(table + self.dropout(change))

    def _convolve(self, table: Tensor, valid: Tensor) -> Tensor:
        keep = valid[..., None].to(table.dtype)
        hidden = F.gelu(self._conv(self.conv1, table * keep))
        change = self._conv(self.conv2, hidden * keep)
        return self.conv_norm(table + self.dropout(change))

    @staticmethod
    def _conv(conv: nn.Conv2d, table: Tensor) -> Tensor:
        """Convolve over (row, column): the band's layout is torch's `channels_last`."""
        return conv(table.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
