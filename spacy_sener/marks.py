"""What the network answers for windows, put together for whole documents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .nn.mark_loss import MarkLoss, mark_loss
from .prompted import Layout, PromptedWindow
from .types import Floats, Ints
from .words import Words


@dataclass(frozen=True)
class MarkBand:
    """Some windows as the network answers them."""

    windows: list[PromptedWindow]
    logits: Tensor
    """Start, end and inside, (windows, words, labels, 3): of each window the words that it answers
    for, those of its task first."""


@dataclass(frozen=True)
class MarkedBatch:
    """Documents with their prompts, as the network answers them: window by window.

    In prediction the bands are computed as they are asked for, and can be read once.
    """

    layout: Layout
    bands: Iterable[MarkBand]


@dataclass(frozen=True)
class Marks:
    """Probabilities of start, end and inside for each word and each label of one prompt."""

    words: Words
    """Of the document."""
    task_words: list[tuple[int, int]]
    """Their characters in the task."""
    text: Floats
    """(words of the document, labels, 3): of each word from the window that owns it."""
    task: Floats
    """(words of the task, labels, 3): the highest in any window, as the answer to a task may stand
    in any part of the text."""


def stitch_marks(batch: MarkedBatch) -> list[Marks]:
    """The marks of every document of a batch. Words that were in no window are not marked."""
    layout = batch.layout
    marks = []
    for words, prompt, task in zip(layout.words, layout.prompts, layout.task_words, strict=True):
        n_labels = len(prompt.labels)
        unmarked = (np.zeros((len(of), n_labels, 3), np.float32) for of in (words.texts, task))
        marks.append(Marks(words, task, *unmarked))
    for band in batch.bands:
        probabilities = band.logits.float().sigmoid().cpu().numpy()
        for window, answer in zip(band.windows, probabilities, strict=True):
            mine, here = _places(window)
            marks[window.item].text[here] = answer[mine]
            of_task = marks[window.item].task[:, slice(*window.labels)]
            np.maximum(of_task, answer[: window.n_task_words, mine[1]], out=of_task)
    return marks


def batch_loss(
    batch: MarkedBatch, gold: Sequence[Ints], settings: MarkLoss
) -> tuple[float, list[Tensor]]:
    """The loss of whole documents, and its gradient in the logits of each band.

    Each word counts once, with what the window that owns it says. A span that reaches over several
    windows begins and ends where it does in the document, and nowhere else. Sum over the words and
    labels of a document, mean over the documents.

    gold: of each document rows (first word, last word, label), (n_spans, 3).
    """
    bands = list(batch.bands)
    total, gradients = 0.0, [torch.zeros_like(band.logits) for band in bands]
    by_item: dict[int, list[tuple[int, int]]] = {}
    for b, band in enumerate(bands):
        for w, window in enumerate(band.windows):
            by_item.setdefault(window.item, []).append((b, w))
    for item, places in by_item.items():
        words, prompt = batch.layout.words[item], batch.layout.prompts[item]
        device = bands[places[0][0]].logits.device
        whole = torch.zeros(len(words.texts), len(prompt.labels), 3, device=device)
        for b, w in places:
            mine, here = _places(bands[b].windows[w])
            whole[here] = bands[b].logits[w][mine].float()
        loss, d_whole = _document_loss(whole, gold[item], settings)
        total += loss / len(gold)
        for b, w in places:
            mine, here = _places(bands[b].windows[w])
            gradients[b][w][mine] = (d_whole[here] / len(gold)).to(gradients[b])
    return total, gradients


def _document_loss(logits: Tensor, gold: Ints, settings: MarkLoss) -> tuple[float, Tensor]:
    """Of one document, and its gradient. logits: (words, labels, 3)."""
    logits.requires_grad_()
    n_words, n_labels = (torch.tensor([n], device=logits.device) for n in logits.shape[:2])
    spans = torch.from_numpy(np.pad(gold, ((0, 0), (1, 0)))).to(logits.device)
    loss = mark_loss(logits[None], n_words, n_labels, spans, settings)
    (d_logits,) = torch.autograd.grad(loss, logits)
    return float(loss.detach()), d_logits


def _places(window: PromptedWindow) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """What a window answers for: words and labels, in its logits and in the document."""
    n_task, begin, (first, last) = window.n_task_words, window.words[0], window.owned
    labels = slice(*window.labels)
    return (
        (slice(n_task, n_task + last - first), slice(0, labels.stop - labels.start)),
        (slice(begin + first, begin + last), labels),
    )
