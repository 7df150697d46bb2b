"""Arrow attention: a sliding window in which the first piece ([CLS]) sees, and is seen by, all.

SeNER, Figure 4 and equations 2-3. With N the document's own number of pieces and k the one-sided,
inclusive piece window,

    visible(q, j) = j < N and (|q - j| <= k or q == 0 or j == 0)
    score(q, j)   = query_q . key_j / sqrt(head_dim) * (ln N / ln 512 if q == 0 else 1)
    context_q     = sum_j softmax_j(score(q, j)) value_j

One softmax runs over all visible keys, so key 0 counts once. Texts of more than a few windows are
worked through in blocks of k queries against the 3 k keys around them, key 0 in front: time and
memory grow with N k, never with N^2.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

AttentionKind = Literal["arrow", "sliding", "full"]

# Up to this many windows, one masked product of all queries with all keys is the fastest.
DENSE_WINDOWS = 4
# Query blocks, over all documents of a batch, that are attended at once: bounds the temporaries.
BLOCKS_AT_ONCE = 16
# LogN scaling leaves [CLS] alone at this length: what the encoders were pretrained with.
LOGN_BASE = 512


@dataclass(frozen=True)
class AttentionPattern:
    """What each query of one batch sees. Built once by `attention_pattern`, used by every layer."""

    n_pieces: int
    """Pieces of the longest document: the padded length."""
    block_size: int | None
    """Queries in a block, equal to the window; None where one dense product serves all."""
    global_first: bool
    """Whether piece 0 sees and is seen by every piece."""
    mask: Tensor | None
    """True where the query sees the key; None where every query sees every key. Dense:
    (batch, 1, pieces or 1, pieces). Blocks: (batch, blocks, block_size, keys), the keys being
    key 0 (if `global_first`) and the 3 * block_size keys around the block."""
    key_mask: Tensor
    """(batch, 1, 1, pieces), True at real pieces."""
    row_factors: Tensor | None
    """(batch,) LogN factors of the scores of query 0; None for no scaling."""


def logn_factors(piece_lengths: Tensor, multiple: int = 1) -> Tensor:
    """ln(N) / ln(512) (equation 2), N the document's own length rounded up to `multiple`.

    The authors' code takes N from the batch's longest document, so that a document's result
    depends on its batch mates; with `multiple=256` ours is theirs for the document alone.

    Args:
        piece_lengths: (batch,) pieces of each document, [CLS] and [SEP] included.
        multiple: what N is rounded up to.

    Returns:
        (batch,) float32 factors.
    """
    rounded = (piece_lengths + (multiple - 1)).div(multiple, rounding_mode="floor") * multiple
    return rounded.clamp(min=1).float().log() / math.log(LOGN_BASE)


def attention_pattern(
    piece_lengths: Tensor,
    n_pieces: int,
    *,
    attention: AttentionKind = "arrow",
    window: int = 128,
    logn: bool = True,
    logn_multiple: int = 1,
) -> AttentionPattern:
    """Work out what each query of a batch sees.

    Args:
        piece_lengths: (batch,) pieces of each document, at least 1 and at most `n_pieces`.
        n_pieces: the padded length.
        attention: "arrow"; "sliding", the window alone (and no LogN); "full", no window.
        window: one-sided, inclusive, in pieces.
        logn: scale the scores of query 0 by `logn_factors`.
        logn_multiple: see `logn_factors`.
    """
    key_mask = torch.arange(n_pieces, device=piece_lengths.device) < piece_lengths[:, None]
    key_mask = key_mask[:, None, None]
    block_size: int | None = None
    mask: Tensor | None
    if attention == "full" or window >= n_pieces - 1:
        mask = None if bool(key_mask.all()) else key_mask
    elif n_pieces <= DENSE_WINDOWS * window:
        mask = _dense_mask(key_mask, window, global_first=attention == "arrow")
    else:
        block_size = max(window, 1)
        mask = _block_mask(piece_lengths, n_pieces, window, global_first=attention == "arrow")
    scaled = logn and attention != "sliding"
    return AttentionPattern(
        n_pieces=n_pieces,
        block_size=block_size,
        global_first=attention == "arrow",
        mask=mask,
        key_mask=key_mask,
        row_factors=logn_factors(piece_lengths, logn_multiple) if scaled else None,
    )


def _dense_mask(key_mask: Tensor, window: int, *, global_first: bool) -> Tensor:
    """(batch, 1, pieces, pieces). Padding rows see themselves, to stay finite."""
    position = torch.arange(key_mask.shape[-1], device=key_mask.device)
    seen = (position[:, None] - position).abs() <= window
    if global_first:
        seen = seen | (position == 0) | (position[:, None] == 0)
    return (seen & key_mask) | torch.diag(position >= 0)


def _block_mask(
    piece_lengths: Tensor, n_pieces: int, window: int, *, global_first: bool
) -> Tensor:
    """(batch, blocks, block_size, [1 +] 3 * block_size), see `AttentionPattern.mask`.

    Key 0 is masked in the neighbourhood where it has a column of its own. Padding rows see
    themselves, to stay finite.
    """
    size = max(window, 1)
    start = torch.arange(0, n_pieces, size, device=piece_lengths.device)[:, None]
    query = (start + torch.arange(size, device=start.device))[..., None]
    key = (start + torch.arange(-size, 2 * size, device=start.device))[:, None]
    real = (key >= int(global_first)) & (key < piece_lengths[:, None, None, None])
    mask = (((query - key).abs() <= window) & real) | (query == key)
    if not global_first:
        return mask
    mask = mask & (key != 0)
    return torch.cat([torch.ones_like(mask[..., :1]), mask], dim=-1)


def attend(
    query: Tensor, key: Tensor, value: Tensor, pattern: AttentionPattern, *, dropout: float = 0.0
) -> Tensor:
    """Attend as the pattern says.

    Args:
        query, key, value: (batch, heads, pieces, head_dim).
        pattern: of the same batch.
        dropout: share of attention probabilities that are dropped.

    Returns:
        (batch, heads, pieces, head_dim); rows of padding are finite and mean nothing.
    """
    if pattern.block_size is None:
        query = scale_first_row(query, pattern)
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=pattern.mask, dropout_p=dropout
        )
    context = _attend_blocks(query, key, value, pattern, dropout)
    if not pattern.global_first:
        return context
    first = F.scaled_dot_product_attention(
        scale_first_row(query[:, :, :1], pattern),
        key,
        value,
        attn_mask=pattern.key_mask,
        dropout_p=dropout,
    )
    return torch.cat([first, context[:, :, 1:]], dim=2)


def scale_first_row(query: Tensor, pattern: AttentionPattern) -> Tensor:
    """Multiply query 0, and by that all of its scores, by the LogN factors.

    Args:
        query: (batch, heads, pieces, head_dim), any number of pieces from 1 on.
    """
    if pattern.row_factors is None:
        return query
    first = (query[:, :, :1] * pattern.row_factors[:, None, None, None]).to(query.dtype)
    return first if query.shape[2] == 1 else torch.cat([first, query[:, :, 1:]], dim=2)


def _attend_blocks(
    query: Tensor, key: Tensor, value: Tensor, pattern: AttentionPattern, dropout: float
) -> Tensor:
    """Attend block by block; the row of query 0 is that of any other query.

    Probabilities, and the overlapping keys and values of neighbouring blocks, are built again in
    the backward pass instead of being kept.
    """
    assert pattern.block_size is not None
    assert pattern.mask is not None
    batch, _, n_pieces, _ = query.shape
    size, n_blocks = pattern.block_size, pattern.mask.shape[1]
    tail = n_blocks * size - n_pieces
    # (batch, pieces, heads, head_dim) is how the projections lie in memory
    query = F.pad(query.transpose(1, 2), (0, 0, 0, 0, 0, tail))
    key, value = (F.pad(x.transpose(1, 2), (0, 0, 0, 0, size, tail + size)) for x in (key, value))
    step = max(1, BLOCKS_AT_ONCE // batch)
    chunks = []
    for start in range(0, n_blocks, step):
        stop = min(start + step, n_blocks)
        near = slice(start * size, (stop + 2) * size)
        inputs = (
            query[:, start * size : stop * size],
            key[:, near],
            value[:, near],
            key[:, size : size + 1] if pattern.global_first else None,
            value[:, size : size + 1] if pattern.global_first else None,
            pattern.mask[:, start:stop],
            dropout,
        )
        if torch.is_grad_enabled() and query.requires_grad:
            chunks.append(checkpoint(_attend_chunk, *inputs, use_reentrant=False))
        else:
            chunks.append(_attend_chunk(*inputs))
    return torch.cat(chunks, dim=1)[:, :n_pieces].transpose(1, 2)


def _attend_chunk(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    first_key: Tensor | None,
    first_value: Tensor | None,
    mask: Tensor,
    dropout: float,
) -> Tensor:
    """Attend some consecutive blocks.

    Args:
        query: (batch, blocks * block_size, heads, head_dim).
        key, value: (batch, (blocks + 2) * block_size, heads, head_dim).
        first_key, first_value: (batch, 1, heads, head_dim), key 0 if every query sees it.
        mask: (batch, blocks, block_size, keys).

    Returns:
        (batch, blocks * block_size, heads, head_dim).
    """
    batch, n_blocks, size, _ = mask.shape
    context = F.scaled_dot_product_attention(
        query.reshape(batch * n_blocks, size, *query.shape[2:]).transpose(1, 2),
        _neighbourhoods(key, first_key, size).transpose(1, 2),
        _neighbourhoods(value, first_value, size).transpose(1, 2),
        attn_mask=mask.flatten(0, 1)[:, None],
        dropout_p=dropout,
    )
    return context.transpose(1, 2).reshape(query.shape)


def _neighbourhoods(x: Tensor, first: Tensor | None, size: int) -> Tensor:
    """The 3 * size rows around each block, row 0 of the document in front of them.

    Args:
        x: (batch, (blocks + 2) * size, heads, head_dim).
        first: (batch, 1, heads, head_dim) or None.

    Returns:
        (batch * blocks, [1 +] 3 * size, heads, head_dim).
    """
    near = x.unfold(1, 3 * size, size).movedim(-1, 2)  # (batch, blocks, 3 * size, heads, head_dim)
    if first is not None:
        near = torch.cat([first[:, None].expand(-1, near.shape[1], -1, -1, -1), near], dim=2)
    return near.flatten(0, 1)


class ArrowSelfAttention(nn.Module):
    """Takes the place of the self-attention of a BERT-like layer, with its projections.

    The names `query`, `key` and `value` are kept: pretrained weights and LoRA targets fit.
    """

    def __init__(self, stock: nn.Module):
        """Take over the projections of `stock`, a Bert-, Roberta- or ElectraSelfAttention."""
        super().__init__()
        self.query, self.key, self.value = stock.query, stock.key, stock.value
        self.num_heads: int = stock.num_attention_heads  # type: ignore[assignment]
        self.dropout: nn.Module = stock.dropout  # type: ignore[assignment]

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
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(batch, heads, pieces, head_dim) -> (batch, pieces, heads * head_dim)."""
    return x.transpose(1, 2).flatten(2)
