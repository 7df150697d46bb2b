"""Annotated spans to words, and the labels that a document is asked for in training."""

import random
from collections.abc import Iterable, Sequence

import numpy as np

from .gold import GoldSpan
from .prompts import Prompt
from .types import Ints
from .words import Words


def training_prompt(asked: Prompt, gold: Iterable[str], max_labels: int) -> Prompt:
    """The labels that a document has, and others of those asked, drawn and ordered at random.

    max_labels: how many in all; labels that the document has are never left out.
    """
    present = set(gold)
    absent = [label for label in asked.labels if label not in present]
    drawn = random.sample(absent, min(len(absent), max(max_labels - len(present), 0)))
    labels = [label for label in asked.labels if label in present] + drawn
    random.shuffle(labels)
    readings = dict(zip(asked.labels, asked.readings, strict=True))
    return Prompt(tuple(labels), tuple(readings[label] for label in labels), asked.task)


def gold_words(spans: Sequence[GoldSpan], words: Words, prompt: Prompt) -> Ints:
    """Rows (first word, last word, label in the prompt) of spans of tokens, (n_spans, 3).

    A word belongs to a span that holds any character of it. Spans of labels that the prompt does
    not have are left out.
    """
    places = {label: i for i, label in enumerate(prompt.labels)}
    rows = [
        (*words.overlapping(span.start, span.end), places[span.label])
        for span in spans
        if span.label in places
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
