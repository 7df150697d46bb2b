"""Arrow attention for DeBERTa-v2 and -v3, whose scores depend on relative positions.

With d = q - j, a = number of position buckets, and b(d) = clamp(bucket(d) + a, 0, 2 a - 1),

    score(q, j) = (query_q . key_j + query_q . PK[b(d)] + key_j . PQ[b(d)]) / sqrt(s head_dim)

where PK and PQ project the table of 2 a relative embeddings ("c2p" and "p2c"; with `share_att_key`
by the layers of the content keys and queries, LoRA included) and s counts the terms. The stock
module works out all N^2 of them; here only the 2 k + 1 distances of the window are, in every row,
and the rows and columns of the pieces that are global ([CLS], or a prompt).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .arrow_attention import Attend, Attention, split_heads
from .attention_pattern import AttentionPattern

# Columns that keep the rows of "p2c" from lying a power of two apart, where they'd evict each
# other from the cache.
PADDING = 16
FARTHEST = 1 << 30
"""Pieces: more than any text has."""


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

    @cached_property
    def end(self) -> int:
        """Distances from here on share a row, on either side one."""
        either, end = torch.tensor([-1, 1]), max(self.buckets, self.max_distance)
        # With an odd number of buckets it may be further out than where the buckets should end.
        while not torch.equal(self.rows(either * end), self.rows(either * FARTHEST)):
            end *= 2
        return end

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

    def dense(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """See `RelativeScores.dense`."""
        piece = torch.arange(key.shape[2], device=key.device)
        rows = self.positions.rows(piece[start : start + query.shape[2], None] - piece)
        scores = []
        if self.position_key is not None:
            scores.append(_gather(query @ self.position_key.mT, rows))
        if self.position_query is not None:
            scores.append(_gather(key @ self.position_query.mT, rows.T).mT)
        return _total(scores)

    def rows(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """See `RelativeScores.rows`."""
        return self._lines(
            query, self.position_key, key, self.position_query, offset=-start, sign=-1
        )

    def columns(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """See `RelativeScores.columns`."""
        return self._lines(
            key, self.position_query, query, self.position_key, offset=start, sign=1
        ).mT

    def _lines(
        self,
        few: Tensor,
        few_table: Tensor | None,
        x: Tensor,
        x_table: Tensor | None,
        *,
        offset: int,
        sign: int,
    ) -> Tensor:
        """Relative scores of a few pieces with many.

        Piece j of `few` and piece i of `x` are at the distance sign * (offset + i - j).

        Args:
            few: (batch, heads, n_few, head_dim), multiplied with rows of `few_table`.
            x: (batch, heads, pieces, head_dim), multiplied with rows of `x_table`.
            offset: pieces from the first of `few` to the first of `x`.
            sign: of the distances.

        Returns:
            (batch, heads, n_few, pieces).
        """
        n_few, n_pieces = few.shape[2], x.shape[2]
        first = offset - n_few + 1  # from the last of `few` to the first of `x`
        steps = torch.arange(first, offset + n_pieces, device=x.device)
        rows = self.positions.rows(sign * steps)  # (n_few + pieces - 1,)
        n_near = max(self.positions.end - first, 0)  # all further steps have the same row
        scores = []
        if x_table is not None:
            lines = _single_line if n_few == 1 else _lines
            near = lines(x[:, :, :n_near], x_table, rows, n_few)
            far = (x[:, :, n_near:] @ x_table.index_select(1, rows[-1:]).mT).mT
            scores.append(torch.cat([near, far.expand(-1, -1, n_few, -1)], dim=3))
        if few_table is not None and n_few == 1:
            scores.append((few @ few_table.mT).index_select(-1, rows))
        elif few_table is not None:
            near = few @ few_table.index_select(1, rows[:n_near]).mT
            far = few @ few_table.index_select(1, rows[-1:]).mT
            far = far.expand(-1, -1, -1, max(len(rows) - n_near, 0))
            scores.append(_skewed(torch.cat([near, far], dim=3), n_pieces))
        return _total(scores)

    def near(self, window: int, block_size: int) -> "NearDisentangledScores":
        """See `RelativeScores.near`."""
        return NearDisentangledScores(
            window=window,
            block_size=block_size,
            key_table=self._table(self.position_key, window, sign=-1, zeros=block_size),
            query_table=self._table(self.position_query, window, sign=1, zeros=PADDING),
        )

    def _table(self, table: Tensor | None, window: int, *, sign: int, zeros: int) -> Tensor | None:
        """The vectors of the distances -window to window, or the other way round, then zeros."""
        if table is None:
            return None
        rows = self.positions.rows(sign * torch.arange(-window, window + 1, device=table.device))
        return F.pad(table.index_select(1, rows), (0, 0, 0, zeros))


def _gather(scores: Tensor, rows: Tensor) -> Tensor:
    """(batch, heads, pieces, rows), (pieces, others) -> (batch, heads, pieces, others)."""
    return scores.gather(-1, rows.expand(*scores.shape[:2], -1, -1))


def _single_line(x: Tensor, table: Tensor, rows: Tensor, n_few: int) -> Tensor:
    """What `_lines` gives for one piece, with no products but those that are asked for."""
    return (x * table.index_select(1, rows[: x.shape[2]])).sum(-1, keepdim=True).mT


def _lines(x: Tensor, table: Tensor, rows: Tensor, n_few: int) -> Tensor:
    """Products of pieces i with the rows of the steps from pieces j, rows[i - j + n_few - 1].

    (batch, heads, pieces, head_dim) -> (batch, heads, n_few, pieces).
    """
    by_piece = rows.unfold(0, n_few, 1)[: x.shape[2]].flip(1)  # (pieces, n_few)
    return _gather(x @ table.mT, by_piece).mT


def _skewed(scores: Tensor, n_pieces: int) -> Tensor:
    """Column i - j + n_few - 1 of row j becomes column i: rows are read one shorter than they are.

    (batch, heads, n_few, n_few + pieces - 1) -> (batch, heads, n_few, pieces).
    """
    n_few, width = scores.shape[2:]
    flat = scores.flatten(2)[..., n_few - 1 : n_few - 1 + n_few * (width - 1)]
    return torch.unflatten(flat, -1, (n_few, width - 1))[..., :n_pieces]


def _total(scores: list[Tensor]) -> Tensor:
    return scores[0] if len(scores) == 1 else scores[0] + scores[1]


@dataclass(frozen=True)
class NearDisentangledScores:
    """The terms "c2p" and "p2c" within the window; see `NearScores`.

    Each piece is multiplied with the vectors of the 2 * window + 1 distances around it. The row
    of distances of piece r + 1 begins one key further right than that of r: read with rows that
    are one shorter or longer than they are, the products lie by position, and nothing is moved.
    """

    window: int
    block_size: int
    key_table: Tensor | None
    """(heads, block_size + 2 * window + 1, head_dim): PK of the distances window to -window, and
    zeros."""
    query_table: Tensor | None
    """(heads, 2 * window + 1 + PADDING, head_dim): PQ of -window to window, and zeros."""

    @property
    def tables(self) -> tuple[Tensor, ...]:
        """See `NearScores.tables`."""
        return tuple(t for t in (self.key_table, self.query_table) if t is not None)

    def of(self, heads: slice) -> "NearDisentangledScores":
        """See `NearScores.of`."""
        return replace(
            self,
            key_table=None if self.key_table is None else self.key_table[heads],
            query_table=None if self.query_table is None else self.query_table[heads],
        )

    def fill(self, scores: Tensor, query: Tensor, key: Tensor) -> None:
        """See `NearScores.fill`."""
        if self.query_table is None:
            scores.zero_()
        else:
            scores.copy_(self._by_key(key @ self.query_table.mT).transpose(1, 2))
        if self.key_table is not None:
            scores.add_(self._by_query(query @ self.key_table.mT).transpose(1, 2))

    def gradients(
        self, scores: Tensor, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """See `NearScores.gradients`."""
        grad_query, grad_key = torch.zeros_like(query), torch.zeros_like(key)
        grad_tables = []
        if self.key_table is not None:
            products = scores.new_zeros(*query.shape[:3], self.key_table.shape[1])
            self._by_query(products).copy_(scores.transpose(1, 2))
            grad_query = products @ self.key_table
            grad_tables.append((products.mT @ query).sum(0))
        if self.query_table is not None:
            products = scores.new_zeros(*key.shape[:3], self.query_table.shape[1])
            # block by block, since neighbouring blocks read the rows of the same keys
            by_block = self._by_key(products).unbind(2)
            for block, part in zip(by_block, scores.unbind(1), strict=True):
                block += part
            grad_key = products @ self.query_table
            grad_tables.append((products.mT @ key).sum(0))
        return grad_query, grad_key, tuple(grad_tables)

    def _by_query(self, scores: Tensor) -> Tensor:
        """Column u of row r is of the key r + u of the block's.

        (batch, heads, blocks * block_size, keys + 1) -> (batch, heads, blocks, block_size, keys).
        """
        size, n_keys = self.block_size, scores.shape[-1] - 1
        blocks = torch.unflatten(scores, 2, (-1, size)).flatten(3)
        return torch.unflatten(blocks[..., : size * n_keys], -1, (size, n_keys))

    def _by_key(self, scores: Tensor) -> Tensor:
        """Column u of the block's key c is of the query u + c - 2 * window of the block's.

        (batch, heads, blocks * block_size + 2 * window, columns) ->
        (batch, heads, blocks, block_size, keys).
        """
        size, width = self.block_size, scores.shape[-1]
        n_keys = size + 2 * self.window
        flat = scores.flatten(2)[..., 2 * self.window :]
        blocks = flat.unfold(2, n_keys * (width - 1), size * width)
        return torch.unflatten(blocks, -1, (n_keys, width - 1))[..., :size].mT


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
    ) -> Attend:
        """Take keys and values.

        Args:
            hidden_states: (batch, pieces, hidden_size).
            pattern: which key each query sees.
            rel_embeddings: (2 * span, hidden_size), normed; None if the model has none.

        Returns:
            What attends with the queries of some or all pieces.
        """
        attention = Attention(
            split_heads(self.key_proj(hidden_states), self.num_heads),
            split_heads(self.value_proj(hidden_states), self.num_heads),
            pattern,
            dropout=self.dropout.p if self.training else 0.0,
            scale=self.scale,
            relative=self._relative(rel_embeddings),
        )
        return attention.of(self.query_proj)

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
