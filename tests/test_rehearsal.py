"""What a rehearsing model is told, against loops over spans."""

from collections.abc import Iterator

import pytest
import torch
from spacy.lang.en import English
from spacy.tokens import Doc

from spacy_sener.nn.scoring import Average
from spacy_sener.rehearsal import difference, halved
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


def test_halves_go_to_both_cells() -> None:
    spans = torch.randn(2, 6, 4, N_LABELS)
    band = halved(spans)
    assert band.shape == (2, 6, 7, N_LABELS)
    for i in range(6):
        assert torch.equal(band[:, i, 3], spans[:, i, 0])
        for j in range(i + 1, min(i + 4, 6)):
            assert torch.equal(band[:, i, 3 + j - i], spans[:, i, j - i] / 2)
            assert torch.equal(band[:, j, 3 + i - j], spans[:, i, j - i] / 2)
