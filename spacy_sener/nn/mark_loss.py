"""Focal loss of the start, end and inside of every label at every word, as GLiNER trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class MarkLoss:
    """How cells are weighed. The paper trains with alpha 0.75, and self-trains with smoothing."""

    alpha: float | None = None
    """Weight of targets of 1, those of 0 having 1 - alpha; None weighs all alike."""
    gamma: float = 0.0
    """How much cells that are nearly right count for less; 0 for not at all."""
    label_smoothing: float = 0.0
    """Targets are drawn towards 0.5 by this share."""

    def __post_init__(self) -> None:
        shares = {"label_smoothing": self.label_smoothing}
        if self.alpha is not None:
            shares["alpha"] = self.alpha
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"'{name}' must be in [0, 1], got {value}")
        if self.gamma < 0:
            raise ValueError(f"'gamma' must not be negative, got {self.gamma}")


def mark_loss(
    logits: Tensor,
    word_lengths: Tensor,
    label_lengths: Tensor,
    gold: Tensor,
    settings: MarkLoss,
) -> Tensor:
    """Sum the loss over the words of all texts and the labels that each is asked for.

    With p = sigmoid(x) and the smoothed target y:

        weight = (alpha y + (1 - alpha) (1 - y)) * (y (1 - p) + (1 - y) p) ** gamma
        loss   = sum of weight * (-y ln p - (1 - y) ln(1 - p))

    The authors take logarithms of no less than 1e-6, so that no gradient comes from a cell that is
    very sure and wrong; ours are exact.

    logits: (batch_size, n_words, n_labels, 3). word_lengths, label_lengths: (batch_size,).
    gold: rows (text in the batch, first word, last word, label), (n_spans, 4). Returns a scalar in
    at least single precision.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    target = mark_targets(logits, gold)
    target = target * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    cost = _cost(logits, target, settings)
    real = _present(word_lengths, logits.shape[1])[:, :, None]
    real = real & _present(label_lengths, logits.shape[2])[:, None]
    return (cost * real[..., None]).sum()


def mark_targets(logits: Tensor, gold: Tensor) -> Tensor:
    """1 where a gold span of the label starts, ends, and from its start to its end; else 0.

    logits and gold as in `mark_loss`. Returns the shape and type of the logits.
    """
    n_texts, n_words, n_labels, _ = logits.shape
    text, start, end, label = gold.unbind(1)
    targets = logits.new_zeros(n_texts, n_words, n_labels, 3)
    targets[text, start, label, 0] = 1
    targets[text, end, label, 1] = 1
    change = logits.new_zeros(n_texts, n_words + 1, n_labels)
    one = change.new_ones(len(gold))
    change.index_put_((text, start, label), one, accumulate=True)
    change.index_put_((text, end + 1, label), -one, accumulate=True)
    targets[..., 2] = change[:, :-1].cumsum(1) > 0
    return targets


def _cost(logits: Tensor, target: Tensor, settings: MarkLoss) -> Tensor:
    """Of every cell."""
    cost = -target * F.logsigmoid(logits) - (1 - target) * F.logsigmoid(-logits)
    if settings.gamma:
        missed = target * (-logits).sigmoid() + (1 - target) * logits.sigmoid()
        # A power below 1 has no finite slope at 0.
        cost = cost * missed.clamp(min=torch.finfo(missed.dtype).tiny) ** settings.gamma
    if settings.alpha is not None:
        cost = cost * (settings.alpha * target + (1 - settings.alpha) * (1 - target))
    return cost


def _present(lengths: Tensor, size: int) -> Tensor:
    """(batch_size, size), True where the index is within the length."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]
