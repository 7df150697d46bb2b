"""Arrow attention: a sliding window in which the first piece ([CLS]) sees, and is seen by, all.

SeNER, Figure 4 and equations 2-3. With N the document's own number of pieces and `visible` as in
`attention_pattern`,

    score(q, j) = query_q . key_j / sqrt(head_dim) * (ln N / ln 512 if q == 0 else 1)
    context_q   = sum of softmax_j(score(q, j)) value_j over the visible j

One softmax runs over all visible keys, so key 0 counts once. Texts longer than the window are
worked through in blocks of queries against the keys around them, key 0 in front: time and memory
grow with N k, never with N^2.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention_pattern import AttentionPattern

Attend = Callable[[Tensor, int], Tensor]
"""(batch, pieces, hidden_size) of the pieces from an index on -> their contexts, of that shape."""


class RelativeScores(Protocol):
    """Scores that depend on positions, to add to query . key: DeBERTa's. Already scaled."""

    def dense(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """The queries from piece `start` on with all keys.

        (batch, heads, queries, head_dim), (batch, heads, pieces, head_dim) ->
        (batch, heads, queries, pieces).
        """
        ...

    def first_row(self, query: Tensor, key: Tensor) -> Tensor:
        """Query 0 with all keys; as `dense` -> (batch, heads, 1, pieces)."""
        ...

    def first_column(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """As `dense`, with key 0 alone -> (batch, heads, queries, 1)."""
        ...

    def near(self, window: int, block_size: int) -> "NearScores":
        """For queries and the keys around them."""
        ...


class NearScores(Protocol):
    """Relative scores of blocks of queries with the keys around each block."""

    def __call__(self, query: Tensor, key: Tensor) -> Tensor:
        """Score them; what is further away than the window may get any finite value.

        (batch, heads, blocks * block_size, head_dim) and
        (batch, heads, blocks * block_size + 2 * window, head_dim) ->
        (batch, blocks, heads, block_size, block_size + 2 * window).
        """
        ...


def rows_at_once(batch_size: int, device: torch.device) -> int:
    """Pieces of each document that go through a layer together when no gradient is asked for.

    On a CPU their temporaries should stay in its caches, and below the size from which the
    allocator gives memory back at once, to be zeroed anew.
    """
    return max((512 if device.type == "cpu" else 16384) // batch_size, 64)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pattern: AttentionPattern,
    *,
    dropout: float = 0.0,
    scale: float | None = None,
    relative: RelativeScores | None = None,
) -> Tensor:
    """Attend as the pattern says.

    Args:
        query, key, value: (batch, heads, pieces, head_dim).
        pattern: of the same batch.
        dropout: share of attention probabilities that are dropped.
        scale: of query . key; 1 / sqrt(head_dim) if None.
        relative: further scores.

    Returns:
        (batch, heads, pieces, head_dim); rows of padding are finite and mean nothing.
    """
    return Attention(key, value, pattern, dropout=dropout, scale=scale, relative=relative)(query)


class Attention:
    """The keys and values of a whole batch, for its queries to look at, some rows at a time."""

    def __init__(
        self,
        key: Tensor,
        value: Tensor,
        pattern: AttentionPattern,
        *,
        dropout: float = 0.0,
        scale: float | None = None,
        relative: RelativeScores | None = None,
    ):
        """Take keys and values; see `attend`."""
        self.key = key
        self.value = value
        self.pattern = pattern
        self.dropout = dropout
        self.scale = scale
        self.relative = relative
        self.near_scores: NearScores | None = None
        if relative is not None and pattern.window is not None:
            self.near_scores = relative.near(pattern.window, pattern.block_size)

    def __call__(self, query: Tensor, start: int = 0) -> Tensor:
        """Attend with the queries of the pieces from `start` on.

        Args:
            query: (batch, heads, queries, head_dim).
            start: a piece index.

        Returns:
            (batch, heads, queries, head_dim).
        """
        if self.pattern.window is None:
            return self._dense(query, start)
        context = self._blocks(query, start)
        if start > 0 or not self.pattern.global_first:
            return context
        first = self._dense(query[:, :, :1], 0)
        return torch.cat([first, context[:, :, 1:]], dim=2)

    def of(self, projection: nn.Module) -> Attend:
        """Attention as a function of the hidden states, which `projection` makes queries of."""
        num_heads = self.key.shape[1]

        def attend(hidden_states: Tensor, start: int) -> Tensor:
            return join_heads(self(split_heads(projection(hidden_states), num_heads), start))

        return attend

    def _dense(self, query: Tensor, start: int) -> Tensor:
        """The queries from `start` on with all keys."""
        pattern, bias = self.pattern, None
        if self.relative is not None:
            if query.shape[2] == 1 and start == 0:
                bias = self.relative.first_row(query, self.key)
            else:
                bias = self.relative.dense(query, self.key, start)
        if pattern.row_factors is not None and start == 0:
            factors = pattern.row_factors[:, None, None, None]
            first = (query[:, :, :1] * factors).to(query.dtype)
            query = torch.cat([first, query[:, :, 1:]], dim=2)
            if bias is not None:
                bias[:, :, :1] *= factors.to(bias.dtype)
        mask = _masked(bias, pattern.key_mask)
        return F.scaled_dot_product_attention(
            query, self.key, self.value, attn_mask=mask, dropout_p=self.dropout, scale=self.scale
        )

    def _blocks(self, query: Tensor, start: int) -> Tensor:
        """Attend block by block; query 0 is treated as any other.

        For gradients, scores and probabilities are built again instead of being kept.
        """
        assert self.pattern.window is not None
        size, window = self.pattern.block_size, self.pattern.window
        batch, _, n_queries, _ = query.shape
        n_blocks = -(-n_queries // size)
        most = max(rows_at_once(batch, query.device) // size, 1)
        n_chunks = -(-n_blocks // most)
        n_blocks = -(-n_blocks // n_chunks)  # of one chunk
        rows = n_blocks * size
        stop = start + n_chunks * rows
        key, value = (_slice(x, start - window, stop + window) for x in (self.key, self.value))
        chunks = zip(
            _slice(query, 0, stop - start).split(rows, dim=2),
            _overlapping(key, rows, window),
            _overlapping(value, rows, window),
            range(start, stop, rows),
            strict=True,
        )
        keep_nothing = torch.is_grad_enabled() and query.requires_grad
        contexts = [
            checkpoint(self._chunk, *chunk, use_reentrant=False)
            if keep_nothing
            else self._chunk(*chunk)
            for chunk in chunks
        ]
        return torch.cat(contexts, dim=2)[:, :, :n_queries]

    def _chunk(self, query: Tensor, key: Tensor, value: Tensor, start: int) -> Tensor:
        """Attend all blocks of a chunk at once.

        Args:
            query: (batch, heads, blocks * block_size, head_dim).
            key, value: (batch, heads, blocks * block_size + 2 * window, head_dim).
            start: piece index of the first query.

        Returns:
            (batch, heads, blocks * block_size, head_dim).
        """
        pattern, size = self.pattern, self.pattern.block_size
        first = slice(0, int(pattern.global_first))
        mask = pattern.block_mask(start, query.shape[2] // size)[:, :, None]
        bias = None
        if self.near_scores is not None:
            assert self.relative is not None
            bias = self.near_scores(query, key)
            if pattern.global_first:
                column = self.relative.first_column(query, self.key[:, :, :1], start)
                bias = torch.cat([_blocked(column, size), bias], dim=-1)
        mask_or_bias = _masked(bias, mask)
        assert mask_or_bias is not None
        context = F.scaled_dot_product_attention(
            _blocked(query, size).flatten(0, 1),
            self._around(key, self.key[:, :, first]),
            self._around(value, self.value[:, :, first]),
            attn_mask=mask_or_bias.flatten(0, 1),
            dropout_p=self.dropout,
            scale=self.scale,
        )
        context = torch.unflatten(context, 0, (len(query), -1)).transpose(1, 2)
        return context.flatten(2, 3)

    def _around(self, x: Tensor, first: Tensor) -> Tensor:
        """The rows around each block, those of `first` in front of them.

        Args:
            x: (batch, heads, blocks * block_size + 2 * window, head_dim).
            first: (batch, heads, 1 or 0, head_dim).

        Returns:
            (batch * blocks, heads, [1 +] block_size + 2 * window, head_dim).
        """
        assert self.pattern.window is not None
        size = self.pattern.block_size
        # (batch, blocks, heads, block_size + 2 * window, head_dim)
        near = x.unfold(2, size + 2 * self.pattern.window, size).permute(0, 2, 1, 4, 3)
        first = first[:, None].expand(-1, near.shape[1], -1, -1, -1)
        return torch.cat([first, near], dim=3).flatten(0, 1)


def _masked(bias: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """One mask of the two: True or False if there is no bias, else scores to add, in place."""
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.add_(torch.zeros_like(mask, dtype=bias.dtype).masked_fill_(~mask, -math.inf))


def _slice(x: Tensor, start: int, stop: int) -> Tensor:
    """x[:, :, start:stop], with zeros where that reaches beyond either end."""
    n = x.shape[2]
    inside = x[:, :, max(start, 0) : min(stop, n)]
    before, after = max(-start, 0), max(stop - n, 0)
    return F.pad(inside, (0, 0, before, after)) if before or after else inside


def _overlapping(x: Tensor, rows: int, margin: int) -> tuple[Tensor, ...]:
    """Chunks of `rows` pieces with `margin` more on either side, which `x` has, too.

    (batch, heads, chunks * rows + 2 * margin, head_dim) -> (batch, heads, rows + 2 * margin,
    head_dim), chunks times. Their gradients are summed in one go, not chunk by chunk.
    """
    return x.unfold(2, rows + 2 * margin, rows).mT.unbind(2)


def _blocked(x: Tensor, size: int) -> Tensor:
    """(batch, heads, blocks * size, width) -> (batch, blocks, heads, size, width)."""
    return torch.unflatten(x, 2, (-1, size)).transpose(1, 2)


class ArrowSelfAttention(nn.Module):
    """Takes the place of the self-attention of a BERT-like layer, with its projections.

    The names `query`, `key` and `value` are kept: pretrained weights and LoRA targets fit.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear

    def __init__(self, stock: Any):
        """Take over the projections of `stock`, a Bert-, Roberta- or ElectraSelfAttention."""
        super().__init__()
        self.query, self.key, self.value = stock.query, stock.key, stock.value
        self.dropout: nn.Dropout = stock.dropout
        self.num_heads: int = stock.num_attention_heads

    def forward(self, hidden_states: Tensor, pattern: AttentionPattern) -> Attend:
        """Take keys and values.

        Args:
            hidden_states: (batch, pieces, hidden_size).
            pattern: which key each query sees.

        Returns:
            What attends with the queries of some or all pieces.
        """
        attention = Attention(
            split_heads(self.key(hidden_states), self.num_heads),
            split_heads(self.value(hidden_states), self.num_heads),
            pattern,
            dropout=self.dropout.p if self.training else 0.0,
        )
        return attention.of(self.query)


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(batch, pieces, heads * head_dim) -> (batch, heads, pieces, head_dim)."""
    return torch.unflatten(x, -1, (num_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, pieces, head_dim) -> (batch, pieces, heads * head_dim)."""
    return x.transpose(1, 2).flatten(2)
