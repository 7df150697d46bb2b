"""Attention of blocks of queries to the keys around them and global keys; its gradient is by hand.

With P the probabilities, D the share of them that dropout keeps, over 1 - p, and V the values,

    context = (P * D) V
    dV = (P * D)^T dC        dS = P * (D * (dC V^T) - sum of dC * context)

from which the gradients of queries, keys and relative scores follow. As in FlashAttention (Dao et
al. 2022, algorithm 4) scores and probabilities are built again in the backward pass, chunk by
chunk: nothing is kept whose size is a multiple of the window, but for a byte a probability where
some are dropped.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention_pattern import AttentionPattern
from .dropout import draw, factors

# Pieces and heads that are worked on together on a CPU, whose caches should hold their scores and
# feed-forward activations; elsewhere pieces, and all heads.
CPU_ROWS, CPU_HEADS = 2048, 4
GPU_ROWS = 16384


def rows_at_once(batch_size: int, device: torch.device) -> int:
    """Pieces of each document that go through a layer together."""
    return max((CPU_ROWS if device.type == "cpu" else GPU_ROWS) // batch_size, 1)


class NearScores(Protocol):
    """Relative scores of blocks of queries with the keys around each block."""

    @property
    def tables(self) -> tuple[Tensor, ...]:
        """What gradients are wanted of."""
        ...

    def of(self, heads: slice) -> "NearScores":
        """The scores of these heads alone."""
        ...

    def fill(self, scores: Tensor, query: Tensor, key: Tensor) -> None:
        """Write scores; what is further away than the window may get any finite value.

        Args:
            scores: (batch, blocks, heads, block_size, block_size + 2 * window).
            query: (batch, heads, blocks * block_size, head_dim).
            key: (batch, heads, blocks * block_size + 2 * window, head_dim).
        """
        ...

    def gradients(
        self, scores: Tensor, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Gradients of query, key and tables from that of the scores, which is 0 where masked."""
        ...


@dataclass(frozen=True)
class Blocks:
    """How some consecutive queries attend."""

    pattern: AttentionPattern
    start: int
    """Piece index of the first query."""
    scale: float
    dropout: float
    """A rate that `dropout.rounded` gives."""
    near: NearScores | None

    def attend(self, query: Tensor, key: Tensor, value: Tensor, columns: Tensor | None) -> Tensor:
        """Attend block by block; global queries are treated as any other.

        Args:
            query: (batch, heads, queries, head_dim).
            key, value: (batch, heads, pieces, head_dim), of all pieces.
            columns: (batch, heads, queries, n_global), relative scores of global keys; None if
                there are none.

        Returns:
            (batch, heads, queries, head_dim).
        """
        tables = () if self.near is None else self.near.tables
        context: Tensor = _Attend.apply(  # type: ignore[no-untyped-call]  # torch types no `apply`
            self, query, key, value, columns, *tables
        )
        return context

    def parts(self, query: Tensor) -> Iterator["_Part"]:
        """What is attended at once: some queries, and some heads of them."""
        assert self.pattern.window is not None
        batch_size, n_heads, n_queries, _ = query.shape
        size, window = self.pattern.block_size, self.pattern.window
        heads = CPU_HEADS if query.device.type == "cpu" else n_heads
        rows = max(rows_at_once(batch_size, query.device) // size, 1) * size
        for first in range(0, n_queries, rows):
            n_rows = min(rows, -(-(n_queries - first) // size) * size)
            start = self.start + first
            mask = self.pattern.block_mask(start, n_rows // size)
            hidden = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, -math.inf)
            for head in range(0, n_heads, heads):
                yield _Part(
                    heads=slice(head, head + heads),
                    rows=slice(first, first + n_rows),
                    seen=slice(start - window, start + n_rows + window),
                    hidden=hidden[:, :, None],
                )


@dataclass(frozen=True)
class _Part:
    """Some queries of some heads, and which pieces they see."""

    heads: slice
    rows: slice  # of the queries; beyond the last one, too
    seen: slice  # of the pieces, beyond the ends, too
    hidden: Tensor  # (batch, blocks, 1, block_size, keys), -inf where the query doesn't see the key


@dataclass(frozen=True)
class _Chunk:
    """A chunk of queries and what they see, by blocks."""

    blocks: Blocks
    near: NearScores | None
    hidden: Tensor  # (batch, blocks, 1, block_size, keys)
    query: Tensor  # (batch, heads, rows, head_dim)
    near_key: Tensor  # (batch, heads, rows + 2 * window, head_dim)
    key: Tensor  # (batch * blocks, heads, keys, head_dim)
    value: Tensor  # as key
    columns: Tensor | None  # (batch, heads, rows, n_global)

    @property
    def queries(self) -> Tensor:
        """(batch * blocks, heads, block_size, head_dim)."""
        return self.blocked(self.query).flatten(0, 1)

    def blocked(self, x: Tensor) -> Tensor:
        """(batch, heads, rows, width) -> (batch, blocks, heads, block_size, width)."""
        return torch.unflatten(x, 2, (-1, self.blocks.pattern.block_size)).transpose(1, 2)

    def joined(self, x: Tensor) -> Tensor:
        """(batch * blocks, heads, block_size, width) -> (batch, heads, rows, width)."""
        return torch.unflatten(x, 0, (len(self.query), -1)).transpose(1, 2).flatten(2, 3)

    def bias(self) -> Tensor:
        """(batch * blocks, heads or 1, block_size, keys): relative scores, -inf for the unseen."""
        query, hidden = self.query, self.hidden
        if self.near is None:
            return hidden.flatten(0, 1)
        bias = query.new_empty(*hidden.shape[:2], query.shape[1], *hidden.shape[3:])
        n_global = self.blocks.pattern.n_global
        self.near.fill(bias[..., n_global:], query, self.near_key)
        if self.columns is not None:
            bias[..., :n_global] = self.blocked(self.columns)
        return bias.add_(hidden).flatten(0, 1)

    def probabilities(self) -> Tensor:
        """(batch * blocks, heads, block_size, keys)."""
        scores = (self.queries * self.blocks.scale) @ self.key.mT
        return scores.add_(self.bias()).softmax(-1)


class _Attend(torch.autograd.Function):
    """See `Blocks.attend`."""

    @staticmethod
    def forward(
        ctx: Any,
        blocks: Blocks,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        columns: Tensor | None,
        *tables: Tensor,
    ) -> Tensor:
        context = torch.empty_like(query)
        drawn = []
        with torch.autocast(query.device.type, enabled=False):
            for part in blocks.parts(query):
                chunk = _chunk(blocks, part, query, key, value, columns)
                if blocks.dropout > 0:
                    probabilities = chunk.probabilities()
                    drawn.append(draw(probabilities, blocks.dropout))
                    left = factors(drawn[-1], blocks.dropout, query.dtype)
                    blocked = left.mul_(probabilities) @ chunk.value
                else:
                    blocked = F.scaled_dot_product_attention(
                        chunk.queries,
                        chunk.key,
                        chunk.value,
                        attn_mask=chunk.bias(),
                        scale=blocks.scale,
                    )
                _write(context, part, chunk.joined(blocked))
        ctx.blocks = blocks
        ctx.save_for_backward(query, key, value, columns, context, *drawn)
        return context

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        blocks: Blocks = ctx.blocks
        query, key, value, columns, context, *drawn = ctx.saved_tensors
        near, n_global = blocks.near, blocks.pattern.n_global
        grad_query, grad_key, grad_value = (torch.zeros_like(x) for x in (query, key, value))
        grad_columns = None if columns is None else torch.empty_like(columns)
        grad_tables = [torch.zeros_like(t) for t in (() if near is None else near.tables)]
        with torch.autocast(query.device.type, enabled=False):
            for i, part in enumerate(blocks.parts(query)):
                chunk = _chunk(blocks, part, query, key, value, columns)
                of_context = _slice(grad[:, part.heads], part.rows)
                total = of_context * _slice(context[:, part.heads], part.rows)
                total = chunk.blocked(total.sum(-1, keepdim=True)).flatten(0, 1)
                of_context = chunk.blocked(of_context).flatten(0, 1)
                probabilities = chunk.probabilities()
                of_scores = of_context @ chunk.value.mT
                dropped = probabilities
                if drawn:
                    left = factors(drawn[i], blocks.dropout, query.dtype)
                    of_scores = of_scores.mul_(left)
                    dropped = left.mul_(probabilities)
                _add_around(grad_value[:, part.heads], part, dropped.mT @ of_context, blocks)
                of_scores = of_scores.sub_(total).mul_(probabilities)
                of_query = chunk.joined(of_scores @ chunk.key).mul_(blocks.scale)
                of_key = (of_scores.mT @ chunk.queries).mul_(blocks.scale)
                _add_around(grad_key[:, part.heads], part, of_key, blocks)
                if chunk.near is not None:
                    near_query, near_key, near_tables = chunk.near.gradients(
                        torch.unflatten(of_scores, 0, (len(query), -1))[..., n_global:],
                        chunk.query,
                        chunk.near_key,
                    )
                    of_query += near_query
                    _add_slice(grad_key[:, part.heads], part.seen, near_key)
                    for table, of_table in zip(grad_tables, near_tables, strict=True):
                        table[part.heads] += of_table
                if grad_columns is not None:
                    _write(grad_columns, part, chunk.joined(of_scores[..., :n_global]))
                _write(grad_query, part, of_query)
        return None, grad_query, grad_key, grad_value, grad_columns, *grad_tables


def _chunk(
    blocks: Blocks, part: _Part, query: Tensor, key: Tensor, value: Tensor, columns: Tensor | None
) -> _Chunk:
    key, value = key[:, part.heads], value[:, part.heads]
    near_key, near_value = _slice(key, part.seen), _slice(value, part.seen)
    n_global = blocks.pattern.n_global
    return _Chunk(
        blocks=blocks,
        near=None if blocks.near is None else blocks.near.of(part.heads),
        hidden=part.hidden,
        query=_slice(query[:, part.heads], part.rows),
        near_key=near_key,
        key=_around(near_key, key[:, :, :n_global], blocks.pattern),
        value=_around(near_value, value[:, :, :n_global], blocks.pattern),
        columns=None if columns is None else _slice(columns[:, part.heads], part.rows),
    )


def _write(x: Tensor, part: _Part, rows: Tensor) -> None:
    """Put rows of a part in their place, but for those beyond the last query."""
    x[:, part.heads, part.rows] = rows[:, :, : x.shape[2] - part.rows.start]


def _around(x: Tensor, first: Tensor, pattern: AttentionPattern) -> Tensor:
    """The rows around each block, those of `first` in front of them.

    Args:
        x: (batch, heads, blocks * block_size + 2 * window, head_dim).
        first: (batch, heads, n_global, head_dim).
        pattern: of the batch.

    Returns:
        (batch * blocks, heads, n_global + block_size + 2 * window, head_dim).
    """
    assert pattern.window is not None
    size = pattern.block_size
    # (batch, blocks, heads, block_size + 2 * window, head_dim)
    near = x.unfold(2, size + 2 * pattern.window, size).permute(0, 2, 1, 4, 3)
    first = first[:, None].expand(-1, near.shape[1], -1, -1, -1)
    return torch.cat([first, near], dim=3).flatten(0, 1)


def _add_around(x: Tensor, part: _Part, rows: Tensor, blocks: Blocks) -> None:
    """Add to what `_around` has taken, of the part's heads."""
    n_global, size = blocks.pattern.n_global, blocks.pattern.block_size
    by_block = torch.unflatten(rows, 0, (len(x), -1))
    if n_global:
        x[:, :, :n_global].add_(by_block[..., :n_global, :].sum(1))
    start = part.seen.start
    for near in by_block[..., n_global:, :].unbind(1):
        _add_slice(x, slice(start, start + near.shape[2]), near)
        start += size


def _add_slice(x: Tensor, where: slice, part: Tensor) -> None:
    """x[:, :, where] += part, but for what lies beyond either end."""
    start, stop = max(where.start, 0), min(where.stop, x.shape[2])
    x[:, :, start:stop].add_(part[:, :, start - where.start : stop - where.start])


def _slice(x: Tensor, where: slice) -> Tensor:
    """x[:, :, where], with zeros where that lies beyond either end."""
    n = x.shape[2]
    inside = x[:, :, max(where.start, 0) : min(where.stop, n)]
    before, after = max(-where.start, 0), max(where.stop - n, 0)
    return F.pad(inside, (0, 0, before, after)) if before or after else inside
