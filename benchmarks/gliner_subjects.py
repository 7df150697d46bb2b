"""What `benchmarks.gliner` measures: a checkpoint, read by the gliner package and by ours."""

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import gliner_checkpoints as checkpoints
from benchmarks import texts
from benchmarks.worker import Pass

PIECE_WINDOW = 128
"""Of arrow attention."""
Found = list[tuple[int, int, str]]
"""First character, the one after the last, and label of each span."""


@dataclass(frozen=True)
class Question:
    """A text, the labels asked for, and where in it the names are that were planted."""

    text: str
    labels: Sequence[str]
    names: Sequence[tuple[int, int]] = ()

    @classmethod
    def of(cls, n_words: int, n_labels: int | None) -> "Question":
        """n_labels: None for a text in whose paragraphs names are planted, and their label."""
        if n_labels is not None:
            return cls(texts.text(n_words), checkpoints.label_names(n_labels))
        text, names = checkpoints.planted(n_words // checkpoints.PARAGRAPH)
        return cls(text, [checkpoints.NAME_LABEL], names)

    def judge(self, found: Found) -> dict[str, int]:
        """How many spans were found, a number for which, and how many names are among them."""
        spans = {(start, end) for start, end, _ in found}
        read = [name in spans for name in self.names]
        return {
            "spans": len(found),
            "digest": zlib.crc32(repr(sorted(found)).encode()),
            "names": sum(read),
            "last name": sum(read[-1:]),
        }


def gliner(n_words: int, *, folder: str, n_labels: int | None) -> Pass:
    """The package. Its tokenizer drops all beyond 512 pieces, those of the labels included."""
    question = Question.of(n_words, n_labels)
    model = checkpoints.load(folder)
    read = {"windows": 1}

    def count(module: torch.nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        read["words read"] = int((inputs["words_mask"] > 0).sum())  # the first piece of each

    model.model.register_forward_pre_hook(count, with_kwargs=True)

    def find() -> Found:
        found = model.predict_entities(question.text, question.labels)
        return [(each["start"], each["end"], each["label"]) for each in found]

    return _timed(find, question, read)


def ours(
    n_words: int, *, folder: str, n_labels: int | None, attention: str, max_pieces: int
) -> Pass:
    """The component over the same weights; attention and max_pieces are its settings."""
    from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner
    from spacy_sener.prompts import make_prompt

    question = Question.of(n_words, n_labels)
    pipeline = partial(
        pipeline_from_gliner,
        folder,
        labels=question.labels,
        attention=attention,
        piece_window=PIECE_WINDOW,
        max_pieces=max_pieces,
    )
    # By a pipeline of its own: the measured one has not seen the text. Nothing is computed for it.
    other = pipeline()
    item = other.make_doc(question.text), make_prompt(question.labels)
    windows = other.get_pipe("gliner_multitask").model.predict([item]).layout.windows
    read = {"windows": len(windows), "words read": _n_read(windows)}
    nlp = pipeline()
    nlp.get_pipe("gliner_multitask").cfg["overlap"] = "flat"  # the package's default

    def find() -> Found:
        doc = nlp(question.text)
        return [(each.start_char, each.end_char, each.label_) for each in doc.spans["sc"]]

    return _timed(find, question, read)


def _timed(find: Callable[[], Found], question: Question, read: dict[str, int]) -> Pass:
    def annotate() -> dict[str, float]:
        begin = time.process_time()
        found = find()
        used = time.process_time() - begin
        return {"processor": used, **read, **question.judge(found)}

    return annotate


def _n_read(windows: Iterable[Any]) -> int:
    """Words that have a vector in the window that answers for them."""
    n_read = 0
    for window in windows:
        if window.labels[0] == 0:  # a further pass over the labels reads the same words
            first, last = (window.n_task_words + word for word in window.owned)
            words = np.unique(window.piece_words)
            n_read += int(((words > first) & (words <= last)).sum())
    return n_read
