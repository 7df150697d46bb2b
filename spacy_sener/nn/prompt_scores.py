"""How well each word of a text starts, ends, or lies inside a span of each label of its prompt.

GLiNER multi-task (arXiv 2406.12925) as the authors compute it. A word w and a label l are both
projected to a vector and a factor of the model's width H, (x_w, f_w) and (y_l, g_l), and

    logits_wl = M2 ReLU(M1 [x_w; y_l; f_w * g_l] + b1) + b2

in which the authors join the vectors of every pair, 7 H numbers with those of the first layer. Its
product is a sum of three here, of which two belong to a word or a label alone:

    M1 [x_w; y_l; f_w * g_l] = M1x x_w + M1y y_l + M1f (f_w * g_l)

and words are taken a few at a time: memory is linear in words and labels, at 3 numbers a pair.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PAIRS_AT_ONCE = {"cpu": 2**10, "cuda": 2**15}
"""Pairs of a word and a label whose hidden vectors, 4 H wide, exist together."""


class PromptScores(nn.Module):
    """Score every word with every label of its text.

    hidden_size: width of words and labels, H. dropout: on the hidden vectors of pairs.
    """

    def __init__(self, hidden_size: int, *, dropout: float):
        super().__init__()
        self.word = nn.Linear(hidden_size, 2 * hidden_size)
        self.label = nn.Linear(hidden_size, 2 * hidden_size)
        self.pair = nn.Linear(3 * hidden_size, 4 * hidden_size)
        self.marks = nn.Linear(4 * hidden_size, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, labels: Tensor, *, recompute: bool = False) -> Tensor:
        """Give the logits of all pairs.

        words: (batch_size, n_words, hidden_size). labels: (batch_size, n_labels, hidden_size).
        recompute: keep no hidden vectors of pairs for the backward pass, but compute them again.
        Returns logits of start, end and inside, (batch_size, n_words, n_labels, 3).
        """
        n_texts, n_words, _ = words.shape
        n_labels = labels.shape[1]
        if not n_texts * n_words * n_labels:
            return words.new_zeros(n_texts, n_words, n_labels, 3)
        vectors, factors = self.label(labels).chunk(2, dim=-1)
        from_label = F.linear(vectors, self.pair.weight.chunk(3, dim=1)[1])
        pairs = PAIRS_AT_ONCE.get(words.device.type, PAIRS_AT_ONCE["cuda"])
        step = max(pairs // (n_texts * n_labels), 1)
        return torch.cat(
            [self._run(some, from_label, factors, recompute) for some in words.split(step, 1)], 1
        )

    def _run(self, words: Tensor, from_label: Tensor, factors: Tensor, recompute: bool) -> Tensor:
        if recompute and torch.is_grad_enabled() and words.requires_grad:
            # Reentrant: see `Strips.map`.
            result: Tensor = checkpoint(
                self._logits, words, from_label, factors, use_reentrant=True
            )
            return result
        return self._logits(words, from_label, factors)

    def _logits(self, words: Tensor, from_label: Tensor, factors: Tensor) -> Tensor:
        """Of some words.

        from_label: (batch_size, n_labels, 4 * hidden_size). factors: (batch_size, n_labels,
        hidden_size).
        """
        of_word, _, of_product = self.pair.weight.chunk(3, dim=1)
        vectors, word_factors = self.word(words).chunk(2, dim=-1)
        from_word = F.linear(vectors, of_word, self.pair.bias)
        # (batch_size, n_words, n_labels, hidden_size), then 4 times as wide
        hidden = F.linear(word_factors[:, :, None] * factors[:, None], of_product)
        hidden = hidden.add_(from_word[:, :, None]).add_(from_label[:, None]).relu_()
        logits: Tensor = self.marks(self.dropout(hidden))
        return logits
