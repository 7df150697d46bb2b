"""What the network answers for windows, put together for whole documents."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from .prompted import Layout, PromptedWindow
from .types import Floats


@dataclass(frozen=True)
class MarkBand:
    """Some windows as the network answers them."""

    windows: list[PromptedWindow]
    logits: torch.Tensor
    """Start, end and inside, (windows, words, labels, 3), the words of the tasks first."""


@dataclass(frozen=True)
class Marks:
    """Probabilities of start, end and inside for each word and each label of one prompt."""

    text: Floats
    """(words of the document, labels, 3): of each word from the window that owns it."""
    task: Floats
    """(words of the task, labels, 3): the highest in any window, as the answer to a task may stand
    in any part of the text."""


def stitch_marks(layout: Layout, bands: Iterable[MarkBand]) -> list[Marks]:
    """The marks of every document of a batch."""
    marks = [
        Marks(
            np.zeros((len(words.texts), len(prompt.labels), 3), dtype=np.float32),
            np.zeros((len(task), len(prompt.labels), 3), dtype=np.float32),
        )
        for words, prompt, task in zip(layout.words, layout.prompts, layout.task_words, strict=True)
    ]
    for band in bands:
        probabilities = band.logits.float().sigmoid().cpu().numpy()
        for window, answer in zip(band.windows, probabilities, strict=True):
            _enter(marks[window.item], window, answer)
    return marks


def _enter(marks: Marks, window: PromptedWindow, answer: Floats) -> None:
    n_task, labels = window.n_task_words, slice(*window.labels)
    n_labels = labels.stop - labels.start
    begin, (first, last) = window.words[0], window.owned
    mine = answer[n_task + first : n_task + last, :n_labels]
    marks.text[begin + first : begin + last, labels] = mine
    task = marks.task[:, labels]
    np.maximum(task, answer[:n_task, :n_labels], out=task)
