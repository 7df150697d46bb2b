"""The head: token vectors to one logit per span and label (paper, equations 4 to 10)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band
from .biaffine import Biaffine
from .bispa import BiSPA, Columns
from .scoring import Average, ScoredRows, span_scores
from .strips import Strips, cut, neighbours, twice


class SpanTable(nn.Module):
    """Score all spans of at most `span_window + 1` tokens for all labels.

    S = biaffine(tokens), then `depth` BiSPA blocks, then

        logits = output(bispa(S) + S)                                    (equation 10)

    input_size: width of a token vector. span_window: largest distance between the first and the
    last token of a span. hidden_size: width of a token as an end of a span. span_size: width of a
    span. columns: see `BiSPA`. token_dropout: on token vectors. span_dropout: on span vectors.
    """

    def __init__(
        self,
        input_size: int,
        n_labels: int,
        *,
        span_window: int = 128,
        hidden_size: int = 100,
        span_size: int = 32,
        depth: int = 2,
        columns: Columns = "paper",
        token_dropout: float = 0.4,
        span_dropout: float = 0.2,
    ):
        super().__init__()
        if columns not in ("paper", "released"):
            raise ValueError(f"columns is {columns!r}, must be 'paper' or 'released'")
        if hidden_size < 1:
            raise ValueError(f"hidden_size is {hidden_size}, must be 1 or more")
        if span_size < 2 or span_size % 2:
            raise ValueError(f"span_size is {span_size}, must be even and 2 or more")
        if span_window < 0:
            raise ValueError(f"span_window is {span_window} tokens, must be 0 or more")
        if depth < 0:
            raise ValueError(f"depth is {depth} blocks, must be 0 or more")
        self.span_window = span_window
        self.n_labels = n_labels
        self.biaffine = Biaffine(input_size, hidden_size, span_size, dropout=token_dropout)
        self.blocks = nn.ModuleList(
            BiSPA(span_size, span_window=span_window, columns=columns, dropout=span_dropout)
            for _ in range(depth)
        )
        self.output = nn.Linear(span_size, n_labels)

    def set_prior(self, prior: Tensor) -> None:
        """Begin with the log-odds of the labels, so that the many empty cells cost little.

        prior: probability that a cell has the label, (n_labels,), each in (0, 1).
        Raises ValueError for another shape or range.
        """
        if prior.shape != (self.n_labels,):
            raise ValueError(f"prior has shape {tuple(prior.shape)}, must be ({self.n_labels},)")
        if not ((prior > 0) & (prior < 1)).all():
            raise ValueError(f"prior must lie strictly between 0 and 1, is {prior.tolist()}")
        with torch.no_grad():
            self.output.bias.copy_(prior.logit())

    def forward(self, tokens: Tensor, token_lengths: Tensor, *, recompute: bool = False) -> Tensor:
        """Give the logits of all cells.

        tokens: (batch_size, n_tokens, input_size). token_lengths: in tokens, (batch_size,).
        recompute: keep only what passes from layer to layer for the backward pass, and compute the
        rest again.
        Returns logits, (batch_size, n_tokens, 2 * span_window + 1, n_labels): column
        `span_window + j - i` of row `i` is cell (i, j). Cells that are not valid are 0.
        """
        n_tokens = tokens.shape[1]
        bands = [tokens.new_zeros(0, n_tokens, 2 * self.span_window + 1, self.n_labels)]
        for texts, strips in cut(token_lengths, self.span_window, recompute=recompute):
            none = tokens.new_zeros(len(strips.lengths), 0, 2 * strips.window + 1, self.n_labels)
            rows = torch.cat([none, *self._logits(tokens[texts], strips)], dim=1)
            missing = (0, 0, 0, 0, 0, n_tokens - strips.n_tokens)
            bands.append(F.pad(band.widen(rows, self.span_window), missing))
        return torch.cat(bands)

    def stream(
        self, tokens: Tensor, token_lengths: Tensor, *, average: Average
    ) -> Iterator[ScoredRows]:
        """Give the probabilities of all spans, some rows at a time: no whole band is in memory.

        tokens, token_lengths: as in `forward`. average: see `span_scores`. They are
        computed when they are asked for: switch gradients off there, not where this is called.
        """
        for texts, strips in cut(token_lengths, self.span_window):
            logits = neighbours(self._logits(tokens[texts], strips))
            for (first_row, _), (_, rows, after), valid in zip(
                strips.bounds, logits, strips.valid(), strict=True
            ):
                yield ScoredRows(texts, first_row, span_scores(rows, after, valid, average=average))

    def _logits(self, tokens: Tensor, strips: Strips) -> Iterator[Tensor]:
        """(texts, rows, 2 * window + 1, n_labels) of one strip after the other."""
        table = self.biaffine(tokens[:, : strips.n_tokens], strips)
        if self.training:
            # Under autocast products are in half precision; in training sums and norms are not.
            table = (rows.to(self.output.weight.dtype) for rows in table)
        pairs, spans = twice(table)
        for block in self.blocks:
            spans = block(spans, strips)
        for rows, own, valid in zip(spans, pairs, strips.valid(), strict=True):
            logits = self.output(rows + own)
            yield logits if valid is None else logits * valid[..., None]
