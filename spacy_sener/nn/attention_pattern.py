"""Which key each query sees, and how the scores of [CLS] are scaled.

SeNER, Figure 4 and equation 2. With N the document's own number of pieces and k the one-sided,
inclusive piece window,

    arrow    visible(q, j) = j < N and (|q - j| <= k or q == 0 or j == 0)
    sliding  visible(q, j) = j < N and |q - j| <= k
    full     visible(q, j) = j < N
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

AttentionKind = Literal["arrow", "sliding", "full"]

# Up to this many windows, one masked product of all queries with all keys is the fastest.
DENSE_WINDOWS = 4
# LogN scaling leaves [CLS] alone at this length: what the encoders were pretrained with.
LOGN_BASE = 512


@dataclass(frozen=True)
class AttentionPattern:
    """What each query of one batch sees. Built once by `attention_pattern`, used by every layer."""

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


def _block_mask(piece_lengths: Tensor, n_pieces: int, window: int, *, global_first: bool) -> Tensor:
    """(batch, blocks, block_size, [1 +] 3 * block_size), see `AttentionPattern.mask`.

    Key 0 is masked in the neighbourhood where it has a column of its own. Padding rows see
    themselves, to stay finite.
    """
    size = max(window, 1)
    column = torch.arange(-size, 2 * size, device=piece_lengths.device)
    distance = torch.arange(size, device=column.device)[:, None] - column
    key = torch.arange(0, n_pieces, size, device=column.device)[:, None, None] + column
    real = (key >= 0) & (key < piece_lengths[:, None, None, None])
    mask = ((distance.abs() <= window) & real) | (distance == 0)
    if not global_first:
        return mask
    mask = mask & (key != 0)
    return torch.cat([torch.ones_like(mask[..., :1]), mask], dim=-1)
