"""Arrow attention: a sliding window in which the first piece ([CLS]) sees, and is seen by, all.

SeNER, Figure 4 and equations 2-3. With N the document's own number of pieces and `visible` as in
`attention_pattern`,

    score(q, j) = query_q . key_j / sqrt(head_dim) * (ln N / ln 512 if q == 0 else 1)
    context_q   = sum of softmax_j(score(q, j)) value_j over the visible j

One softmax runs over all visible keys, so key 0 counts once. Texts of more than a few windows are
worked through in blocks of k queries against the 3 k keys around them, key 0 in front: time and
memory grow with N k, never with N^2.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .attention_pattern import AttentionPattern

# Query blocks, over all documents of a batch, that are attended at once: bounds the temporaries.
BLOCKS_AT_ONCE = 16


class RelativeScores(Protocol):
    """Scores that depend on positions, to add to query . key: DeBERTa's. Already scaled."""

    def dense(self, query: Tensor, key: Tensor) -> Tensor:
        """(batch, heads, pieces, head_dim) twice -> (batch, heads, pieces, pieces)."""
        ...

    def first_row(self, query: Tensor, key: Tensor) -> Tensor:
        """Query 0 with all keys; as `dense` -> (batch, heads, 1, pieces)."""
        ...

    def first_column(self, query: Tensor, key: Tensor) -> Tensor:
        """All queries with key 0; as `dense` -> (batch, heads, pieces, 1)."""
        ...

    def blocks(self, query: Tensor, key: Tensor, size: int) -> Tensor:
        """Queries of consecutive blocks with the 3 * size keys around each.

        (batch, blocks * size, heads, head_dim), (batch, (blocks + 2) * size, heads, head_dim) ->
        (batch, blocks, heads, size, 3 * size). What is masked may hold any finite value.
        """
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
    if pattern.block_size is None:
        bias = None if relative is None else relative.dense(query, key)
        return _attend_dense(query, key, value, pattern, pattern.mask, bias, dropout, scale)
    context = _attend_blocks(query, key, value, pattern, dropout, scale, relative)
    if not pattern.global_first:
        return context
    first = query[:, :, :1]
    bias = None if relative is None else relative.first_row(first, key)
    row = _attend_dense(first, key, value, pattern, pattern.key_mask, bias, dropout, scale)
    return torch.cat([row, context[:, :, 1:]], dim=2)


def _attend_dense(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pattern: AttentionPattern,
    mask: Tensor | None,
    bias: Tensor | None,
    dropout: float,
    scale: float | None,
) -> Tensor:
    """All queries given, of which the first is query 0, with all keys."""
    if pattern.row_factors is not None:
        factors = pattern.row_factors[:, None, None, None]
        first = (query[:, :, :1] * factors).to(query.dtype)
        query = torch.cat([first, query[:, :, 1:]], dim=2)
        if bias is not None:
            bias[:, :, :1] *= factors.to(bias.dtype)
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=_masked(bias, mask), dropout_p=dropout, scale=scale
    )


def _masked(bias: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """One mask of the two: True or False if there is no bias, else scores to add."""
    if bias is None or mask is None:
        return mask if bias is None else bias
    return bias.masked_fill(~mask, -math.inf)


def _attend_blocks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    pattern: AttentionPattern,
    dropout: float,
    scale: float | None,
    relative: RelativeScores | None,
) -> Tensor:
    """Attend block by block; query 0 is treated as any other.

    Probabilities, and the overlapping keys and values of neighbouring blocks, are built again in
    the backward pass instead of being kept.
    """
    assert pattern.block_size is not None
    assert pattern.mask is not None
    batch, _, n_pieces, _ = query.shape
    size, n_blocks = pattern.block_size, pattern.mask.shape[1]
    tail = n_blocks * size - n_pieces
    column = None
    if relative is not None and pattern.global_first:
        column = F.pad(relative.first_column(query, key), (0, 0, 0, tail))
    # (batch, pieces, heads, head_dim) is how the projections lie in memory
    query = F.pad(query.transpose(1, 2), (0, 0, 0, 0, 0, tail))
    key, value = (F.pad(x.transpose(1, 2), (0, 0, 0, 0, size, tail + size)) for x in (key, value))
    first = slice(size, size + 1 if pattern.global_first else size)
    step = max(1, BLOCKS_AT_ONCE // batch)
    chunks = []
    for start in range(0, n_blocks, step):
        stop = min(start + step, n_blocks)
        rows, near = slice(start * size, stop * size), slice(start * size, (stop + 2) * size)
        chunk = _Chunk(
            mask=pattern.mask[:, start:stop],
            first_column=None if column is None else column[:, :, rows],
            relative=relative,
            dropout=dropout,
            scale=scale,
        )
        inputs = query[:, rows], key[:, near], value[:, near], key[:, first], value[:, first]
        if torch.is_grad_enabled() and query.requires_grad:
            chunks.append(checkpoint(chunk.attend, *inputs, use_reentrant=False))
        else:
            chunks.append(chunk.attend(*inputs))
    return torch.cat(chunks, dim=1)[:, :n_pieces].transpose(1, 2)


@dataclass(frozen=True)
class _Chunk:
    """Some consecutive blocks of queries."""

    mask: Tensor  # (batch, blocks, block_size, keys)
    first_column: Tensor | None  # (batch, heads, blocks * block_size, 1), relative scores of key 0
    relative: RelativeScores | None
    dropout: float
    scale: float | None

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, first_key: Tensor, first_value: Tensor
    ) -> Tensor:
        """Attend all blocks at once.

        Args:
            query: (batch, blocks * block_size, heads, head_dim).
            key, value: (batch, (blocks + 2) * block_size, heads, head_dim).
            first_key, first_value: (batch, 1 or 0, heads, head_dim), key 0 if all queries see it.

        Returns:
            (batch, blocks * block_size, heads, head_dim).
        """
        size = self.mask.shape[2]
        mask = self.mask[:, :, None]  # (batch, blocks, 1, block_size, keys)
        bias = None if self.relative is None else self._bias(self.relative, query, key)
        mask_or_bias = _masked(bias, mask)
        assert mask_or_bias is not None
        context = F.scaled_dot_product_attention(
            query.reshape(-1, size, *query.shape[2:]).transpose(1, 2),
            _neighbourhoods(key, first_key, size).transpose(1, 2),
            _neighbourhoods(value, first_value, size).transpose(1, 2),
            attn_mask=mask_or_bias.flatten(0, 1),
            dropout_p=self.dropout,
            scale=self.scale,
        )
        return context.transpose(1, 2).reshape(query.shape)

    def _bias(self, relative: RelativeScores, query: Tensor, key: Tensor) -> Tensor:
        """(batch, blocks, heads, block_size, keys)."""
        size = self.mask.shape[2]
        bias = relative.blocks(query, key, size)
        if self.first_column is None:
            return bias
        column = torch.unflatten(self.first_column, 2, (-1, size)).transpose(1, 2)
        return torch.cat([column, bias], dim=-1)


def _neighbourhoods(x: Tensor, first: Tensor, size: int) -> Tensor:
    """The 3 * size rows around each block, with the rows of `first` in front of them.

    Args:
        x: (batch, (blocks + 2) * size, heads, head_dim).
        first: (batch, 1 or 0, heads, head_dim).

    Returns:
        (batch * blocks, [1 +] 3 * size, heads, head_dim).
    """
    near = x.unfold(1, 3 * size, size).movedim(-1, 2)  # (batch, blocks, 3 * size, heads, head_dim)
    first = first[:, None].expand(-1, near.shape[1], -1, -1, -1)
    return torch.cat([first, near], dim=2).flatten(0, 1)


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

    def forward(self, hidden_states: Tensor, pattern: AttentionPattern) -> Tensor:
        """(batch, pieces, hidden_size) -> (batch, pieces, hidden_size)."""
        query, key, value = (
            split_heads(projection(hidden_states), self.num_heads)
            for projection in (self.query, self.key, self.value)
        )
        dropout = self.dropout.p if self.training else 0.0
        return join_heads(attend(query, key, value, pattern, dropout=dropout))


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(batch, pieces, heads * head_dim) -> (batch, heads, pieces, head_dim)."""
    return torch.unflatten(x, -1, (num_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, pieces, head_dim) -> (batch, pieces, heads * head_dim)."""
    return x.transpose(1, 2).flatten(2)
