"""Windows put together: marks and loss of whole documents."""

from pathlib import Path

import numpy as np
import pytest
import torch
from spacy.language import Language
from spacy.tokens import Doc
from tiny_gliner import component, pipeline

from spacy_sener.marks import MarkBand, MarkedBatch, batch_loss, stitch_marks
from spacy_sener.nn.mark_loss import MarkLoss
from spacy_sener.prompted import group_prompted
from spacy_sener.prompts import make_prompt

LABELS = ["person", "place of birth", "date", "the history of science", "city", "work of art"]
TASK = "Who founded it? "
SETTINGS = MarkLoss(alpha=0.75, gamma=0.5, label_smoothing=0.1)


@pytest.fixture(scope="module")
def nlp(tiny_encoder: Path) -> Language:
    return pipeline(tiny_encoder, max_pieces=60)


@pytest.fixture
def batch(nlp: Language) -> MarkedBatch:
    """Documents of 0 to 5 windows, of one or two passes, with random logits."""
    prompts = [
        make_prompt(LABELS, task=TASK),
        make_prompt(LABELS[:1]),
        make_prompt(LABELS[:2]),
        make_prompt(LABELS),
    ]
    docs = [Doc(nlp.vocab, ["the"] * n) for n in (90, 0, 30, 100)]
    layout = component(nlp).model.predict(list(zip(docs, prompts, strict=True))).layout
    assert len({window.labels for window in layout.windows if window.item == 0}) == 2
    generator = torch.Generator().manual_seed(0)
    bands = []
    for group in group_prompted(layout.windows, 60):
        n_words = max(len(window.answered) for window in group) + 1  # padding
        n_labels = max(b - a for a, b in (window.labels for window in group)) + 1  # padding
        bands.append(
            MarkBand(group, torch.randn(len(group), n_words, n_labels, 3, generator=generator))
        )
    return MarkedBatch(layout, bands)


def by_hand(batch: MarkedBatch, item: int, word: int, label: int) -> torch.Tensor:
    """The three logits of a word and a label, from the window that owns them."""
    for band in batch.bands:
        for window, logits in zip(band.windows, band.logits, strict=True):
            place = word - window.words[0]
            asked = window.labels[0] <= label < window.labels[1]
            if window.item == item and asked and window.owned[0] <= place < window.owned[1]:
                return logits[
                    window.n_task_words + place - window.owned[0], label - window.labels[0]
                ]
    raise AssertionError("no window owns it")


def test_each_mark_is_of_its_window(batch: MarkedBatch) -> None:
    marks = stitch_marks(batch)
    assert [each.text.shape for each in marks] == [(90, 6, 3), (0, 1, 3), (30, 2, 3), (100, 6, 3)]
    for item, each in enumerate(marks):
        for word, label in np.ndindex(each.text.shape[:2]):
            expected = by_hand(batch, item, word, label).sigmoid().numpy()
            np.testing.assert_allclose(each.text[word, label], expected, rtol=1e-6)


def test_a_tasks_marks_are_the_highest_of_all_windows(batch: MarkedBatch) -> None:
    task = stitch_marks(batch)[0].task
    assert task.shape == (4, 6, 3)
    for word, label in np.ndindex(4, 6):
        seen = [
            logits[word, label - window.labels[0]]
            for band in batch.bands
            for window, logits in zip(band.windows, band.logits, strict=True)
            if window.item == 0 and window.labels[0] <= label < window.labels[1]
        ]
        assert len(seen) > 1
        expected = torch.stack(seen).amax(0).sigmoid().numpy()
        np.testing.assert_allclose(task[word, label], expected, rtol=1e-6)


GOLD = [
    [(0, 0, 0), (10, 80, 4), (20, 25, 4), (89, 89, 5)],  # one is longer than a window
    [],
    [],
    [(30, 60, 1)],
]


def slow_loss(batch: MarkedBatch) -> float:
    """In float64, cell by cell, from the definition."""
    total = 0.0
    for item, spans in enumerate(GOLD):
        words, prompt = batch.layout.words[item], batch.layout.prompts[item]
        for word, label in np.ndindex(len(words.texts), len(prompt.labels)):
            logits = by_hand(batch, item, word, label).double()
            mine = [(a, b) for a, b, which in spans if which == label]
            target = torch.tensor(
                [
                    any(word == a for a, _ in mine),
                    any(word == b for _, b in mine),
                    any(a <= word <= b for a, b in mine),
                ]
            ).double()
            y = target * (1 - SETTINGS.label_smoothing) + SETTINGS.label_smoothing / 2
            p = logits.sigmoid()
            weight = SETTINGS.alpha * y + (1 - SETTINGS.alpha) * (1 - y)
            weight = weight * (y * (1 - p) + (1 - y) * p) ** SETTINGS.gamma
            total += float((weight * -(y * p.log() + (1 - y) * (1 - p).log())).sum())
    return total / len(GOLD)


def gold() -> list[np.ndarray]:
    return [np.array(rows, dtype=np.int64).reshape(-1, 3) for rows in GOLD]


def test_the_loss_counts_every_word_once(batch: MarkedBatch) -> None:
    loss, _ = batch_loss(batch, gold(), SETTINGS)
    assert loss == pytest.approx(slow_loss(batch), rel=1e-5)


def test_the_gradient_is_that_of_the_loss(batch: MarkedBatch) -> None:
    _, gradients = batch_loss(batch, gold(), SETTINGS)
    generator, step = torch.Generator().manual_seed(1), 1e-2
    for band, gradient in zip(batch.bands, gradients, strict=True):
        assert gradient.shape == band.logits.shape
        direction = torch.randn(band.logits.shape, generator=generator)
        losses = []
        for sign in (1, -1):
            band.logits.add_(direction, alpha=sign * step)
            losses.append(slow_loss(batch))
            band.logits.add_(direction, alpha=-sign * step)
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-3, abs=1e-3)


def test_nobody_learns_from_words_of_other_windows(batch: MarkedBatch) -> None:
    _, gradients = batch_loss(batch, gold(), SETTINGS)
    for band, gradient in zip(batch.bands, gradients, strict=True):
        for window, mine in zip(band.windows, gradient, strict=True):
            first, last = window.n_task_words, len(window.answered)
            n_labels = window.labels[1] - window.labels[0]
            assert (mine[first:last, :n_labels] != 0).all()
            assert mine.count_nonzero() == (last - first) * n_labels * 3
