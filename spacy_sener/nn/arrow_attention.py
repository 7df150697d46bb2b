"""Arrow attention: a sliding window in which the n first pieces see, and are seen by, all.

SeNER, Figure 4 and equations 2-3, where n = 1 ([CLS]). With N the document's own number of pieces
and `visible` as in `attention_pattern`,

    score(q, j) = query_q . key_j / sqrt(head_dim) * (ln N / ln 512 if q < n else 1)
    context_q   = sum of softmax_j(score(q, j)) value_j over the visible j

One softmax runs over all visible keys, so each counts once. Texts longer than the window are worked
through in blocks of queries against the keys around them, global keys in front, and global queries
against all keys: time and memory grow with N (k + n), never with N^2.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention_pattern import AttentionPattern
from .block_attention import Blocks, NearScores
from .dropout import rounded

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

    def rows(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """As `dense`, in memory that few queries need."""
        ...

    def columns(self, query: Tensor, key: Tensor, start: int) -> Tensor:
        """As `dense`, with the first keys alone, (batch, heads, n_global, head_dim) ->
        (batch, heads, queries, n_global).
        """
        ...

    def near(self, window: int, block_size: int) -> NearScores:
        """For queries and the keys around them."""
        ...


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
        n_rows = self._n_global(query, start)
        if n_rows == query.shape[2]:
            return self._dense(query, start)
        # Whole blocks of global queries are left out, and the others' results are not used.
        skip = n_rows - n_rows % self.pattern.block_size
        context = self._blocks(query[:, :, skip:], start + skip)
        if n_rows == 0:
            return context
        rows = self._dense(query[:, :, :n_rows], start)
        return torch.cat([rows, context[:, :, n_rows - skip :]], dim=2)

    def of(self, projection: nn.Module) -> Attend:
        """Attention as a function of the hidden states, which `projection` makes queries of."""
        num_heads = self.key.shape[1]

        def attend(hidden_states: Tensor, start: int) -> Tensor:
            return join_heads(self(split_heads(projection(hidden_states), num_heads), start))

        return attend

    def _n_global(self, query: Tensor, start: int) -> int:
        """How many of the queries from `start` on are global."""
        return min(max(self.pattern.n_global - start, 0), query.shape[2])

    def _dense(self, query: Tensor, start: int) -> Tensor:
        """The queries from `start` on with all keys."""
        pattern, bias = self.pattern, None
        if self.relative is not None:
            scores = self.relative.dense if pattern.window is None else self.relative.rows
            bias = scores(query, self.key, start)
        n_scaled = self._n_global(query, start)
        if pattern.row_factors is not None and n_scaled > 0:
            factors = pattern.row_factors[:, None, None, None]
            scaled = (query[:, :, :n_scaled] * factors).to(query.dtype)
            query = torch.cat([scaled, query[:, :, n_scaled:]], dim=2)
            if bias is not None:
                bias[:, :, :n_scaled] *= factors.to(bias.dtype)
        mask = _masked(bias, pattern.key_mask)
        return F.scaled_dot_product_attention(
            query, self.key, self.value, attn_mask=mask, dropout_p=self.dropout, scale=self.scale
        )

    def _blocks(self, query: Tensor, start: int) -> Tensor:
        """The queries from `start` on with the keys around them, and with global keys."""
        columns, n_global = None, self.pattern.n_global
        if self.relative is not None and n_global > 0:
            columns = self.relative.columns(query, self.key[:, :, :n_global], start)
        blocks = Blocks(
            pattern=self.pattern,
            start=start,
            scale=query.shape[-1] ** -0.5 if self.scale is None else self.scale,
            dropout=rounded(self.dropout),
            near=self.near_scores,
        )
        return blocks.attend(query, self.key, self.value, columns)


def _masked(bias: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """One mask of the two: True or False if there is no bias, else scores to add, in place."""
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.add_(torch.zeros_like(mask, dtype=bias.dtype).masked_fill_(~mask, -math.inf))


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
