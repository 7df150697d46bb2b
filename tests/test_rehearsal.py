"""What a rehearsing model is told, against loops over spans."""

from collections.abc import Iterator

import pytest
import torch
from spacy.lang.en import English
from spacy.tokens import Doc

from spacy_sener.nn.band import valid_cells
from spacy_sener.nn.scoring import Average, span_loss
from spacy_sener.rehearsal import both_ways, difference
from spacy_sener.types import SpanBand, SpanRows
from spacy_sener.windows import make_windows

N_LABELS = 2


def make_band(lengths: list[int], span_window: int) -> SpanBand:
    docs = [Doc(English().vocab, words=["a"] * length) for length in lengths]
    windows = make_windows(docs, None, max_pieces=100, span_window=span_window)
    shape = (len(lengths), max(lengths), 2 * span_window + 1, N_LABELS)
    return SpanBand(windows, torch.randn(shape), torch.tensor(lengths), shape[2] // 2)


def probability(band: SpanBand, text: int, i: int, j: int, average: Average) -> torch.Tensor:
    w = band.span_window
    one, other = band.logits[text, i, w + j - i], band.logits[text, j, w + i - j]
    if average == "logits":
        return ((one + other) / 2).sigmoid()
    return (one.sigmoid() + other.sigmoid()) / 2


def answer(band: SpanBand, average: Average, step: int) -> Iterator[SpanRows]:
    """The first text alone, the others together; some rows and only so many distances at a time."""
    for texts in (slice(0, 1), slice(1, len(band.windows))):
        windows = band.windows[texts]
        longest = max(len(window.tokens) for window in windows)
        n_distances = min(band.span_window, longest - 1) + 1
        whole = torch.zeros(len(windows), longest, n_distances, N_LABELS)
        for text, window in enumerate(windows):
            for i in range(len(window.tokens)):
                for j in range(i, min(i + n_distances, len(window.tokens))):
                    place = texts.start + text
                    whole[text, i, j - i] = probability(band, place, i, j, average)
        for first_row in range(0, longest, step):
            yield SpanRows(windows, first_row, whole[:, first_row : first_row + step])


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("step", [2, 100])
def test_difference_to_another_model(average: Average, step: int) -> None:
    torch.manual_seed(0)
    lengths, span_window = [7, 3, 2, 5], 4
    band, earlier = make_band(lengths, span_window), make_band(lengths, span_window)
    stream = answer(earlier, average, step)
    found = difference(band, stream, average=average)
    assert next(stream, None) is None
    expected = torch.zeros_like(found)
    for text, length in enumerate(lengths):
        for i in range(length):
            for j in range(i, min(i + span_window + 1, length)):
                ours, theirs = (probability(b, text, i, j, average) for b in (band, earlier))
                expected[text, i, j - i] = ours - theirs
    torch.testing.assert_close(found, expected)
    assert float(found.abs().max()) > 0.1


@pytest.mark.parametrize("span_window", [0, 3])
def test_values_go_to_both_cells(span_window: int) -> None:
    spans = torch.randn(2, 6, span_window + 1, N_LABELS)
    band = both_ways(spans)
    assert band.shape == (2, 6, 2 * span_window + 1, N_LABELS)
    for i in range(6):
        for j in range(i, min(i + span_window + 1, 6)):
            assert torch.equal(band[:, i, span_window + j - i], spans[:, i, j - i])
            assert torch.equal(band[:, j, span_window + i - j], spans[:, i, j - i])


def test_the_gradient_is_that_of_an_update() -> None:
    """In double precision, where both cells of a span have one logit; with targets below 1."""
    torch.manual_seed(0)
    lengths, span_window, smoothing = torch.tensor([6, 4]), 3, 0.5
    upper = torch.randn(2, 6, span_window + 1, N_LABELS, dtype=torch.float64)
    logits = both_ways(upper).requires_grad_()
    gold = torch.tensor([[0, 1, 3, 0], [0, 5, 5, 1], [1, 0, 3, 1], [1, 2, 2, 0]])
    span_loss(logits, lengths, gold, label_smoothing=smoothing).backward()
    change = upper.sigmoid()
    for text, start, end, label in gold.tolist():
        change[text, start, end - start, label] -= 1 - smoothing / 2
    valid = valid_cells(lengths, 6, span_window)[..., None]
    torch.testing.assert_close(logits.grad, both_ways(change) * valid)
