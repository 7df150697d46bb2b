"""Arrow attention for ModernBERT: rotary positions, and layers that are local by themselves.

A third of ModernBERT's layers are global: these become arrow (or sliding) attention. The others
were pretrained with a window of `local_attention // 2` pieces to each side in which [CLS] is a
piece like any other, and stay exactly as they are: no global piece, neither [CLS] nor a prompt, and
no LogN. What [CLS] and the prompt gather reaches every piece in the next global layer. A
`piece_window` narrower than the local one narrows the local layers, too.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .arrow_attention import attend, join_heads, split_heads
from .attention_pattern import AttentionPattern


class RotaryArrowSelfAttention(nn.Module):
    """Takes the place of a ModernBertAttention, with its projections `Wqkv` and `Wo`."""

    def __init__(self, stock: Any, *, num_heads: int):
        """Take over the projections of `stock`, a ModernBertAttention."""
        super().__init__()
        self.Wqkv: nn.Linear = stock.Wqkv
        self.Wo: nn.Linear = stock.Wo
        self.out_drop: nn.Module = stock.out_drop
        self.num_heads = num_heads
        self.dropout: float = stock.attention_dropout

    def forward(
        self, hidden_states: Tensor, pattern: AttentionPattern, rotation: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Attend and project.

        Args:
            hidden_states: (batch, pieces, hidden_size).
            pattern: which key each query sees.
            rotation: cosines and sines, each (1, pieces, head_dim).

        Returns:
            (batch, pieces, hidden_size).
        """
        query, key, value = (
            split_heads(x, self.num_heads) for x in self.Wqkv(hidden_states).chunk(3, dim=-1)
        )
        context = attend(
            rotate(query, *rotation),
            rotate(key, *rotation),
            value,
            pattern,
            dropout=self.dropout if self.training else 0.0,
        )
        return self.out_drop(self.Wo(join_heads(context)))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate by position: (x1, x2) becomes (x1 cos - x2 sin, x2 cos + x1 sin), x1 and x2 halves.

    Args:
        x: (batch, heads, pieces, head_dim).
        cos, sin: (1, pieces, head_dim), both halves alike.
    """
    low, high = x.chunk(2, dim=-1)
    return (x * cos[:, None] + torch.cat((-high, low), dim=-1) * sin[:, None]).to(x.dtype)
