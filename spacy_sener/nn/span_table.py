"""The head: token vectors to one logit per span and label (paper, equations 4 to 10)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import band, boundaries
from .biaffine import Biaffine
from .bispa import BiSPA, Columns
from .boundaries import Boundaries, Evidence
from .scoring import Average, ScoredPairs, ScoredRows, span_scores
from .strips import Strips, cut, neighbours, twice

MAX_DEPTH = 100
"""What a hostile file asks for must not keep us busy for ever."""


class SpanTable(nn.Module):
    """Score all spans of at most `span_window + 1` tokens for all labels.

    S = biaffine(tokens), then `depth` BiSPA blocks, then

        logits = output(bispa(S) + S)                                    (equation 10)

    With `boundaries` the odds of a span's ends and inside are added, which the paper does not have,
    and spans up to a distance of `reach` are scored by them; see the module `boundaries`.

    input_size: width of a token vector. span_window: largest distance between the first and the
    last token of a span in the table. hidden_size: width of a token as an end of a span.
    span_size: width of a span. columns: see `BiSPA`. token_dropout: on token vectors.
    span_dropout: on span vectors. reach: largest distance between the first and the last token of
    a span that is longer than the table's; there is none if it is no larger than `span_window`.
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
        boundaries: bool = False,
        reach: int = 0,
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
        if not 0 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth is {depth} blocks, must be from 0 to {MAX_DEPTH}")
        for name, rate in [("token_dropout", token_dropout), ("span_dropout", span_dropout)]:
            if not 0 <= rate < 1:
                raise ValueError(f"{name} is {rate}, must be 0 or more and below 1")
        if reach < 0:
            raise ValueError(f"reach is {reach} tokens, must be 0 or more")
        if reach > span_window and not boundaries:
            raise ValueError(
                f"reach is {reach} tokens, more than span_window = {span_window}: that needs "
                "boundaries. Set boundaries to true, or reach to 0"
            )
        self.span_window = span_window
        self.reach = max(span_window, reach)
        self.n_labels = n_labels
        self.biaffine = Biaffine(input_size, hidden_size, span_size, dropout=token_dropout)
        self.blocks = nn.ModuleList(
            BiSPA(span_size, span_window=span_window, columns=columns, dropout=span_dropout)
            for _ in range(depth)
        )
        self.output = nn.Linear(span_size, n_labels)
        self.boundaries = (
            Boundaries(input_size, n_labels, dropout=token_dropout) if boundaries else None
        )

    def set_prior(self, prior: Tensor, mark_prior: Tensor | None = None) -> None:
        """Begin with the log-odds of the labels, so that the many empty cells cost little.

        prior: probability that a cell has the label, (n_labels,), each in (0, 1). mark_prior: with
        boundaries, that a token is a start, an end and an inside of the label, (3, n_labels).
        Raises ValueError for another shape or range.
        """
        _require_prior("prior", prior, (self.n_labels,))
        bias = prior.logit()
        if self.boundaries is not None and mark_prior is not None:
            _require_prior("mark_prior", mark_prior, (3, self.n_labels))
            self.boundaries.set_prior(mark_prior)
            bias = bias - mark_prior.logit().sum(0)  # which they add to every cell already
        with torch.no_grad():
            self.output.bias.copy_(bias)

    def forward(
        self, tokens: Tensor, token_lengths: Tensor, *, recompute: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Give the logits of all cells, and the evidence of `Boundaries` if there are any.

        tokens: (batch_size, n_tokens, input_size). token_lengths: in tokens, (batch_size,).
        recompute: keep only what passes from layer to layer for the backward pass, and compute the
        rest again.
        Returns logits, (batch_size, n_tokens, 2 * span_window + 1, n_labels): column
        `span_window + j - i` of row `i` is cell (i, j). Cells that are not valid are 0.
        """
        n_tokens = tokens.shape[1]
        evidence = None if self.boundaries is None else self.boundaries(tokens)
        bands = [tokens.new_zeros(0, n_tokens, 2 * self.span_window + 1, self.n_labels)]
        for texts, strips in cut(token_lengths, self.span_window, recompute=recompute):
            none = tokens.new_zeros(len(strips.lengths), 0, 2 * strips.window + 1, self.n_labels)
            logits = self._logits(tokens[texts], strips, _of(evidence, texts))
            rows = torch.cat([none, *logits], dim=1)
            missing = (0, 0, 0, 0, 0, n_tokens - strips.n_tokens)
            bands.append(F.pad(band.widen(rows, self.span_window), missing))
        return torch.cat(bands) if evidence is None else (torch.cat(bands), evidence)

    def stream(
        self, tokens: Tensor, token_lengths: Tensor, *, average: Average
    ) -> Iterator[ScoredRows | ScoredPairs]:
        """Give the probabilities of all spans, some rows at a time: no whole band is in memory.

        The spans of a text that are longer than the window come after its rows.

        tokens, token_lengths: as in `forward`. average: see `span_scores`. They are
        computed when they are asked for: switch gradients off there, not where this is called.
        """
        evidence = None if self.boundaries is None else self.boundaries(tokens)
        for texts, strips in cut(token_lengths, self.span_window):
            logits = neighbours(self._logits(tokens[texts], strips, _of(evidence, texts)))
            for (first_row, _), (_, rows, after), valid in zip(
                strips.bounds, logits, strips.valid(), strict=True
            ):
                yield ScoredRows(texts, first_row, span_scores(rows, after, valid, average=average))
        if evidence is not None and self.reach > self.span_window:
            yield from self._long_spans(boundaries.read(evidence), token_lengths)

    def _long_spans(self, evidence: Evidence, token_lengths: Tensor) -> Iterator[ScoredPairs]:
        for text, n_tokens in enumerate(token_lengths.tolist()):
            if n_tokens > self.span_window + 1:
                yield ScoredPairs(
                    text,
                    *boundaries.long_spans(
                        evidence, text, n_tokens, window=self.span_window, reach=self.reach
                    ),
                )

    def _logits(self, tokens: Tensor, strips: Strips, evidence: Tensor | None) -> Iterator[Tensor]:
        """(texts, rows, 2 * window + 1, n_labels) of one strip after the other."""
        table = self.biaffine(tokens[:, : strips.n_tokens], strips)
        if self.training:
            # Under autocast products are in half precision; in training sums and norms are not.
            table = (rows.to(self.output.weight.dtype) for rows in table)
        pairs, spans = twice(table)
        for block in self.blocks:
            spans = block(spans, strips)
        marks = None if evidence is None else boundaries.read(evidence).marks
        for rows, own, bounds, valid in zip(
            spans, pairs, strips.bounds, strips.valid(), strict=True
        ):
            logits = self.output(rows + own)
            if marks is not None:
                logits = logits + boundaries.band_logits(marks, *bounds, strips.window)
            yield logits if valid is None else logits * valid[..., None]


def _of(evidence: Tensor | None, texts: slice) -> Tensor | None:
    return None if evidence is None else evidence[texts]


def _require_prior(name: str, prior: Tensor, shape: tuple[int, ...]) -> None:
    if prior.shape != shape:
        raise ValueError(f"{name} has shape {tuple(prior.shape)}, must be {shape}")
    if not ((prior > 0) & (prior < 1)).all():
        raise ValueError(f"{name} must lie strictly between 0 and 1, is {prior.tolist()}")
