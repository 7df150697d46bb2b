"""From logits to probabilities (paper, equation 12) and to the loss (equation 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from . import band

Average = Literal["logits", "probabilities"]
"""What is averaged over a span's two cells: logits (the paper) or probabilities (the authors)."""


@dataclass(frozen=True)
class ScoredRows:
    """The probabilities of the spans that begin in some rows of some texts of a batch."""

    texts: slice
    first_row: int
    scores: Tensor
    """(texts, rows, window + 1, n_labels), see `span_scores`; `window` may be less than the
    table's where the texts are shorter."""


@dataclass(frozen=True)
class ScoredPairs:
    """The probabilities of the spans of one text that are longer than the table's window.

    Those of two tokens of which one hardly begins or ends any span are not there.
    """

    text: int
    """Place in the batch."""
    starts: Tensor
    """(n_spans,) first token; as of `ends`, `labels` and `scores`."""
    ends: Tensor
    """Last token."""
    labels: Tensor
    scores: Tensor


def span_scores(
    logits: Tensor, after: Tensor | None, valid: Tensor | None, *, average: Average
) -> Tensor:
    """Give the probability of every span that begins in some rows, from cells (i, j) and (j, i).

        sigmoid((x_ij + x_ji) / 2)  or  (sigmoid(x_ij) + sigmoid(x_ji)) / 2

    logits: rows of a band, (batch_size, n_rows, 2 * window + 1, n_labels). after: the rows that
    follow, `window` of them at least; None where the text ends. valid: which of the cells are in
    the text, (batch_size, n_rows, 2 * window + 1); None if all are.
    Returns probabilities, (batch_size, n_rows, window + 1, n_labels): entry [b, i, d, r] is of
    tokens i to i + d, both included, and label r; 0 where the span is not in the text.
    """
    if average not in ("logits", "probabilities"):
        raise ValueError(f"average is {average!r}, must be 'logits' or 'probabilities'")
    cells, after = logits.float(), None if after is None else after.float()
    if average == "probabilities":
        cells, after = cells.sigmoid(), None if after is None else after.sigmoid()
    mean = (band.upper(cells) + band.upper(band.transpose(None, cells, after))) / 2
    scores = mean.sigmoid() if average == "logits" else mean
    return scores if valid is None else scores * band.upper(valid[..., None])


def span_loss(
    logits: Tensor, token_lengths: Tensor, gold: Tensor, *, label_smoothing: float = 0.0
) -> Tensor:
    """Sum the binary cross-entropy over all valid cells and labels (equation 11).

        sum over cells of softplus(x)  -  (1 - label_smoothing / 2) * sum over gold cells of x

    Every gold span is marked in both triangles, one of a single token in its only cell; a span
    named twice counts once. Smoothing draws the targets of gold cells towards 0.5 by its share, and
    leaves the others at 0: they are thousands to one, and would swamp the table.

    logits: band, (batch_size, n_tokens, 2 * window + 1, n_labels). token_lengths: (batch_size,).
    gold: rows (text in the batch, first token, last token, label), (n_spans, 4), all of at most
    `window + 1` tokens. Returns a scalar in at least single precision.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    window = logits.shape[2] // 2
    valid = band.valid_cells(token_lengths, logits.shape[1], window)
    everywhere = (F.softplus(logits).sum(-1) * valid).sum()
    text, start, end, label = gold.unbind(1)
    cells = torch.cat(
        [
            torch.stack([text, start, band.column_of(start, end, window), label], 1),
            torch.stack([text, end, band.column_of(end, start, window), label], 1),
        ]
    )
    found = logits[tuple(cells.unique(dim=0).unbind(1))].sum()
    return everywhere - (1 - label_smoothing / 2) * found
