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


def halved(spans: Tensor) -> Tensor:
    """A band that gives one half of each span's value to cell (i, j) and one to (j, i).

    spans: (windows, rows, span_window + 1, labels).
    """
    upper = F.pad(spans / 2, (0, 0, spans.shape[2] - 1, 0))
    return upper + transpose(None, upper, None)
