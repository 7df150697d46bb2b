"""Whole-word masking of the input while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

KEPT, RANDOM = 0.1, 0.1
"""Of the chosen pieces, how many stay as they are and how many become any other piece."""


@dataclass(frozen=True)
class WordMasking:
    """What masking needs to know.

    mask_id: id of the tokenizer's mask piece. vocab_size: random pieces have an id below it.
    special_ids: ids that are never drawn at random. rate: share of the tokens that is chosen.
    """

    mask_id: int
    vocab_size: int
    special_ids: Sequence[int]
    rate: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"the rate of masking is {self.rate}, must be in [0, 1)")
        if len(self._special_below()) >= self.vocab_size:
            raise ValueError(f"vocab_size is {self.vocab_size}, all of it special pieces")

    def _special_below(self) -> list[int]:
        return sorted(i for i in set(self.special_ids) if i < self.vocab_size)

    def random_pieces(self, like: Tensor) -> Tensor:
        """Draw ids of pieces that are not special, of the shape of `like`."""
        special = self._special_below()
        ids = torch.randint(self.vocab_size - len(special), like.shape, device=like.device)
        for special_id in special:  # in ascending order: step over each
            ids += ids >= special_id
        return ids


def mask_words(input_ids: Tensor, token_index: Tensor, settings: WordMasking) -> Tensor:
    """Hide tokens from the encoder: a token with all of its pieces, or not at all.

    Every token is chosen with probability `rate`. Of its pieces, 80 % become the mask piece, 10 % a
    random piece and 10 % stay. The authors fill a quota of 15 % of the pieces instead; drawing each
    token alone gives the same share, and does not depend on the rest of the text.

    input_ids: (batch_size, n_pieces). token_index: 1-based token of each piece, 0 for special
    pieces and padding, which are never chosen, (batch_size, n_pieces). Returns new
    input ids.
    """
    n_tokens = int(token_index.max())
    drawn = torch.rand((len(input_ids), n_tokens + 1), device=input_ids.device)
    chosen = (drawn < settings.rate).gather(1, token_index) & (token_index > 0)
    fate = torch.rand(input_ids.shape, device=input_ids.device)
    masked = torch.where(chosen & (fate >= KEPT + RANDOM), settings.mask_id, input_ids)
    swapped = chosen & (fate >= KEPT) & (fate < KEPT + RANDOM)
    return torch.where(swapped, settings.random_pieces(input_ids), masked)
