"""Dropout for tensors so large that torch's random numbers on CPU hold training up.

There torch draws from its generator, on one core, for every element; here 64 bits are drawn for
every eight, which is eight times as fast. A byte is compared to the rate, which is so rounded to a
multiple of 1 / 256.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 256


def rounded(rate: float) -> float:
    """The rate that is meant by `rate`."""
    return min(round(rate * LEVELS), LEVELS - 1) / LEVELS


def draw(like: Tensor, rate: float) -> Tensor:
    """False where something is dropped: with probability `rounded(rate)`, shaped as `like`."""
    if like.device.type != "cpu":
        return torch.rand_like(like, dtype=torch.float32) >= rounded(rate)
    draws = torch.empty(-(-like.numel() // 8), dtype=torch.int64)
    draws.random_(-(2**63), None)
    return draws.view(torch.uint8)[: like.numel()].view(like.shape) >= round(rounded(rate) * LEVELS)


def factors(kept: Tensor, rate: float, dtype: torch.dtype) -> Tensor:
    """What dropout multiplies by, 0 or 1 / (1 - rate): on CPU twice as fast as to fill in zeros.

    kept: of `draw`. rate: one that `rounded` gives.
    """
    return kept.to(dtype).mul_(1 / (1 - rate))


class TableDropout(nn.Module):
    """What `torch.nn.Dropout` does, with random bytes on CPU."""

    def __init__(self, rate: float):
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f"the rate of dropout is {rate}, must be in [0, 1)")
        self.rate = rate

    def forward(self, table: Tensor) -> Tensor:
        """table: of any shape and type; returns the same. Nothing happens outside of training."""
        if not self.training or rounded(self.rate) == 0:
            return table
        if table.device.type != "cpu":
            return F.dropout(table, rounded(self.rate))
        # The gradient keeps a byte an element.
        return table.masked_fill(~draw(table, self.rate), 0) / (1 - rounded(self.rate))
