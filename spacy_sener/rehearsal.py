"""What an earlier model answered, as a target for the model that learns on."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from .nn.band import transpose, valid_cells
from .nn.scoring import Average, span_scores
from .types import SpanBand, SpanPairs, SpanRows


def difference(
    band: SpanBand, answer: Iterator[SpanRows | SpanPairs], *, average: Average
) -> Tensor:
    """The probability of every span of `band`, less that which the earlier model gave it.

    answer: as much is taken from it as belongs to the rows of the windows of `band`, in their
    order. Spans that are longer than the table's window are passed over.
    Returns (windows, rows, span_window + 1, labels), 0 where the span is not in the text.
    """
    n_rows = band.logits.shape[1]
    valid = valid_cells(band.lengths, n_rows, band.span_window)
    result = span_scores(band.logits, None, valid, average=average)
    first = 0
    while first < len(band.windows):
        rows = next(part for part in answer if isinstance(part, SpanRows))
        n_windows, n_rows, n_distances, _ = rows.scores.shape
        end = rows.first_row + n_rows
        result[first : first + n_windows, rows.first_row : end, :n_distances] -= rows.scores
        if end == max(len(window.tokens) for window in rows.windows):
            first += n_windows
    return result


def both_ways(spans: Tensor) -> Tensor:
    """A band that has each span's value in both of its cells, (i, j) and (j, i).

    Of `difference` that is the gradient of cross-entropy over all cells, as in `span_loss`, where
    each cell is judged by the probability of its span, and its target is the earlier model's.
    (With `average` "probabilities" so far as the two cells of a span agree.)

    spans: (windows, rows, span_window + 1, labels).
    """
    span_window = spans.shape[2] - 1
    upper = F.pad(spans, (0, 0, span_window, 0))
    off_diagonal = F.pad(spans[:, :, 1:], (0, 0, span_window + 1, 0))
    return upper + transpose(None, off_diagonal, None)
