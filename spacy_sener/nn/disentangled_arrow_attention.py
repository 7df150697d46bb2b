"""Arrow attention for DeBERTa-v2 and -v3, whose scores depend on relative positions.

With d = q - j, a = number of position buckets, and b(d) = clamp(bucket(d) + a, 0, 2 a - 1),

    score(q, j) = (query_q . key_j + query_q . PK[b(d)] + key_j . PQ[b(d)]) / sqrt(s head_dim)

where PK and PQ project the table of 2 a relative embeddings ("c2p" and "p2c"; with `share_att_key`
by the layers of the content keys and queries, LoRA included) and s counts the terms. The stock
module works out all N^2 of them; here only the 2 k + 1 distances of the window are, in every row,
and the row and the column of [CLS].
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .arrow_attention import attend, join_heads, split_heads
from .attention_pattern import AttentionPattern


@dataclass(frozen=True)
class RelativePositions:
    """From distances in pieces to rows of the relative embeddings."""

    buckets: int
    """2 * `buckets` distances are told apart if positive (v3: 256); else all are, one by one."""
    max_distance: int
    """Where the buckets end; without buckets, the table has 2 * `max_distance` rows."""

    @property
    def span(self) -> int:
        """The row of distance 0, half the number of rows."""
        return self.buckets if self.buckets > 0 else self.max_distance

    def rows(self, distance: Tensor) -> Tensor:
        """Rows of the table for distances q - j, of any shape (int64).

        Up to half the buckets, a bucket is a distance; further out they widen:
        ceil(ln(d / m) / ln((max_distance - 1) / m) * (m - 1)) + m, where m = buckets // 2.
        """
        if self.buckets > 0 and self.max_distance > 0:
            mid = self.buckets // 2
            # In float32 and in this order, as the stock model does: rounding decides some buckets.
            last = torch.log(torch.tensor((self.max_distance - 1) / mid))
            size = distance.abs().clamp(min=mid)
            far = torch.ceil(torch.log(size / mid) / last * (mid - 1)).long() + mid
            distance = torch.where(distance.abs() <= mid, distance, far * distance.sign())
        return (distance + self.span).clamp(0, 2 * self.span - 1)


@dataclass(frozen=True)
class DisentangledScores:
    """The terms "c2p" and "p2c" of one layer; see `RelativeScores`.

    `position_key` and `position_query` are PK and PQ, (heads, 2 * span, head_dim), divided by
    sqrt(s head_dim) already; None for a term that the model does not have.
    """

    positions: RelativePositions
    position_key: Tensor | None
    position_query: Tensor | None

    def dense(self, query: Tensor, key: Tensor) -> Tensor:
        """(batch, heads, pieces, head_dim) twice -> (batch, heads, pieces, pieces)."""
        piece = torch.arange(query.shape[2], device=query.device)
        rows = self.positions.rows(piece[:, None] - piece)
        scores = []
        if self.position_key is not None:
            scores.append(_gather(query @ self.position_key.mT, rows))
        if self.position_query is not None:
            scores.append(_gather(key @ self.position_query.mT, rows.T).mT)
        return _total(scores)

    def first_row(self, query: Tensor, key: Tensor) -> Tensor:
        """Query 0 with all keys: (batch, heads, 1, pieces); distances 0, -1, -2, ..."""
        piece = torch.arange(key.shape[2], device=key.device)
        rows = self.positions.rows(-piece)
        return _line(key, self.position_query, query[:, :, :1], self.position_key, rows).mT

    def first_column(self, query: Tensor, key: Tensor) -> Tensor:
        """All queries with key 0: (batch, heads, pieces, 1); distances 0, 1, 2, ..."""
        piece = torch.arange(query.shape[2], device=query.device)
        rows = self.positions.rows(piece)
        return _line(query, self.position_key, key[:, :, :1], self.position_query, rows)

    def blocks(self, query: Tensor, key: Tensor, size: int) -> Tensor:
        """(batch, blocks, heads, size, 3 * size); see `RelativeScores.blocks`."""
        distance = torch.arange(-size, size + 1, device=query.device)
        scores = []
        if self.position_key is not None:
            table = self.position_key[:, self.positions.rows(-distance)]
            scores.append(_skewed(query, table, size))
        if self.position_query is not None:
            table = self.position_query[:, self.positions.rows(distance)]
            # (batch, blocks + 2, heads, size keys, 3 * size queries around them)
            by_key = _skewed(key, table, size)
            parts = (
                by_key[:, :-2, :, :, 2 * size :],  # the keys before the block of queries
                by_key[:, 1:-1, :, :, size : 2 * size],
                by_key[:, 2:, :, :, :size],  # and those after it
            )
            scores.append(torch.cat(parts, dim=3).mT)
        return _total(scores)


def _gather(scores: Tensor, rows: Tensor) -> Tensor:
    """(batch, heads, pieces, rows), (pieces, pieces) -> (batch, heads, pieces, pieces)."""
    return scores.gather(-1, rows.expand(*scores.shape[:2], -1, -1))


def _total(scores: list[Tensor]) -> Tensor:
    return scores[0] if len(scores) == 1 else scores[0] + scores[1]


def _line(
    x: Tensor, x_table: Tensor | None, first: Tensor, first_table: Tensor | None, rows: Tensor
) -> Tensor:
    """Relative scores of every piece with piece 0.

    Args:
        x: (batch, heads, pieces, head_dim), each with its own row of `x_table`.
        first: (batch, heads, 1, head_dim), with all these rows of `first_table`.
        rows: (pieces,) of either table.

    Returns:
        (batch, heads, pieces, 1).
    """
    scores = []
    if x_table is not None:
        scores.append((x * x_table.index_select(1, rows)).sum(-1, keepdim=True))
    if first_table is not None:
        scores.append((first @ first_table.mT).index_select(-1, rows).mT)
    return _total(scores)


def _skewed(x: Tensor, table: Tensor, size: int) -> Tensor:
    """Each row times the vectors of the 2 * size + 1 distances around it, laid out by position.

    Args:
        x: (batch, blocks * size, heads, head_dim).
        table: (heads, 2 * size + 1, head_dim), vectors of the pieces from `size` before to `size`
            after the row.

    Returns:
        (batch, blocks, heads, size, 3 * size); column c of a block is the c-th piece from `size`
        before its start on; 0 where it is further than `size` from the row.
    """
    blocks = torch.unflatten(x, 1, (-1, size)).transpose(
        2, 3
    )  # (batch, blocks, heads, size, head_dim)
    band = blocks @ table.mT
    # Row r begins r places further right in a table of 3 * size columns than of 3 * size + 1.
    wide = F.pad(band, (0, size)).flatten(-2)[..., : 3 * size * size]
    return torch.unflatten(wide, -1, (size, 3 * size))


class DisentangledArrowSelfAttention(nn.Module):
    """Takes the place of a DebertaV2 layer's DisentangledSelfAttention, with its projections.

    The names `query_proj`, `key_proj`, `value_proj`, `pos_key_proj` and `pos_query_proj` are kept:
    pretrained weights and LoRA targets fit.
    """

    query_proj: nn.Linear
    key_proj: nn.Linear
    value_proj: nn.Linear

    def __init__(self, stock: Any):
        """Take over the projections of `stock`, a DisentangledSelfAttention."""
        super().__init__()
        for name in ("query_proj", "key_proj", "value_proj", "pos_key_proj", "pos_query_proj"):
            if hasattr(stock, name):
                self.add_module(name, getattr(stock, name))
        self.num_heads: int = stock.num_attention_heads
        self.dropout: nn.Dropout = stock.dropout
        self.share_att_key: bool = stock.share_att_key
        self.terms = frozenset(stock.pos_att_type) & {"c2p", "p2c"}
        self.scale = 1 / math.sqrt(stock.attention_head_size * (1 + len(self.terms)))
        self.positions: RelativePositions | None = None
        if stock.relative_attention:
            self.pos_dropout: nn.Dropout = stock.pos_dropout
            self.positions = RelativePositions(stock.position_buckets, stock.max_relative_positions)

    def forward(
        self, hidden_states: Tensor, pattern: AttentionPattern, rel_embeddings: Tensor | None
    ) -> Tensor:
        """Attend.

        Args:
            hidden_states: (batch, pieces, hidden_size).
            pattern: which key each query sees.
            rel_embeddings: (2 * span, hidden_size), normed; None if the model has none.

        Returns:
            (batch, pieces, hidden_size).
        """
        query, key, value = (
            split_heads(projection(hidden_states), self.num_heads)
            for projection in (self.query_proj, self.key_proj, self.value_proj)
        )
        dropout = self.dropout.p if self.training else 0.0
        context = attend(
            query,
            key,
            value,
            pattern,
            dropout=dropout,
            scale=self.scale,
            relative=self._relative(rel_embeddings),
        )
        return join_heads(context)

    def _relative(self, rel_embeddings: Tensor | None) -> DisentangledScores | None:
        if self.positions is None or rel_embeddings is None or not self.terms:
            return None
        table = self.pos_dropout(rel_embeddings[: 2 * self.positions.span])
        by_term = {
            "c2p": "key_proj" if self.share_att_key else "pos_key_proj",
            "p2c": "query_proj" if self.share_att_key else "pos_query_proj",
        }
        position_key, position_query = (
            self._project(getattr(self, name), table) if term in self.terms else None
            for term, name in by_term.items()
        )
        return DisentangledScores(self.positions, position_key, position_query)

    def _project(self, projection: nn.Module, table: Tensor) -> Tensor:
        """(rows, hidden_size) -> (heads, rows, head_dim), scaled."""
        return split_heads(projection(table)[None], self.num_heads)[0] * self.scale
