"""Which key each query sees, and how the scores of global pieces are scaled.

SeNER, Figure 4 and equation 2. With N the document's own number of pieces, k the one-sided,
inclusive piece window, and n the number of pieces at the front that are global,

    arrow    visible(q, j) = j < N and (|q - j| <= k or q < n or j < n)
    sliding  visible(q, j) = j < N and |q - j| <= k
    full     visible(q, j) = j < N

In SeNER only [CLS] is global, n = 1; where labels stand before the text (GLiNER), all of this
prompt is.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

AttentionKind = Literal["arrow", "sliding", "full"]

# Queries of a block. The fewer, the fewer keys outside their windows are looked at and masked.
BLOCK_SIZE = 64
# LogN scaling leaves [CLS] alone at this length: what the encoders were pretrained with.
LOGN_BASE = 512


@dataclass(frozen=True)
class AttentionPattern:
    """What each query of one batch sees. Built once by `attention_pattern`, used by every layer."""

    window: int | None
    """One-sided, inclusive; None where every query sees all that is real."""
    block_size: int
    """Consecutive queries that are attended together where there is a window."""
    n_global: int
    """Pieces at the front that see and are seen by every piece, of each document; with "full",
    where all do, those whose scores are scaled."""
    piece_lengths: Tensor
    """(batch,)."""
    key_mask: Tensor | None
    """(batch, 1, 1, pieces), True at real pieces; None where all are."""
    row_factors: Tensor | None
    """(batch,) LogN factors of the scores of global queries; None for no scaling."""

    def block_mask(self, start: int, n_blocks: int) -> Tensor:
        """Which keys the queries of consecutive blocks see.

        Global keys have columns of their own, and are masked in the neighbourhood. Without any,
        every query sees itself, so that rows of padding stay finite.

        Args:
            start: the first query, a piece index.
            n_blocks: how many blocks there are from there on.

        Returns:
            (batch, blocks, block_size, n_global + block_size + 2 * window), True where the query
            sees the key: global keys, then the keys around the block.
        """
        assert self.window is not None
        size, device = self.block_size, self.piece_lengths.device
        column = torch.arange(-self.window, size + self.window, device=device)
        distance = torch.arange(size, device=device)[:, None] - column
        key = column + torch.arange(start, start + n_blocks * size, size, device=device)[:, None]
        real = (key >= self.n_global) & (key < self.piece_lengths[:, None, None])
        mask = (distance.abs() <= self.window) & real[:, :, None]
        if self.n_global == 0:
            return mask | (distance == 0)
        real = torch.arange(self.n_global, device=device) < self.piece_lengths[:, None]
        columns = real[:, None, None].expand(*mask.shape[:3], -1)
        return torch.cat([columns, mask], dim=-1)


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
    n_global: int = 1,
    logn: bool = True,
    logn_multiple: int = 1,
) -> AttentionPattern:
    """Work out what each query of a batch sees.

    Args:
        piece_lengths: (batch,) pieces of each document, at least 1 and at most `n_pieces`.
        n_pieces: the padded length.
        attention: "arrow"; "sliding", the window alone (and no LogN); "full", no window.
        window: one-sided, inclusive, in pieces.
        n_global: pieces at the front of each document that are global, at least 1; none are in
            "sliding".
        logn: scale the scores of the `n_global` first queries by `logn_factors`.
        logn_multiple: see `logn_factors`.
    """
    real = torch.arange(n_pieces, device=piece_lengths.device) < piece_lengths[:, None]
    scaled = logn and attention != "sliding"
    n_global = 0 if attention == "sliding" else n_global
    # Pieces that are not global lie within n_pieces - n_global - 1 of each other.
    dense = attention == "full" or window >= n_pieces - max(n_global, 1)
    return AttentionPattern(
        window=None if dense else window,
        block_size=max(min(BLOCK_SIZE, window), 1),
        n_global=n_global,
        piece_lengths=piece_lengths,
        key_mask=None if bool(real.all()) else real[:, None, None],
        row_factors=logn_factors(piece_lengths, logn_multiple) if scaled else None,
    )
