"""Classes of texts by prompt: they are words of the task, and the model marks those that hold."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from spacy.tokens import Doc

from ..prompts import make_prompt
from ..types import Found
from ..wordings import WORDINGS
from .finder import Finder, as_docs

MATCH = "match"
SEPARATOR = ", "


def classify(
    finder: Finder,
    docs: Iterable[Doc],
    labels: Sequence[str] | Mapping[str, str],
    *,
    multi: bool = False,
    threshold: float | None = None,
) -> list[dict[str, float]]:
    """Find which classes each document is of.

    labels: the classes, or what the model reads for each: {label: description}. multi: whether a
    document may be of several. threshold: None for the component's.

    Returns for each document its classes and their scores, the best first. With `multi` these are
    the probabilities of their marks. Without it there is one class at most, and its score is, as in
    the authors' package, its share in the softmax over the scores of all that were found: 1.0 where
    it was the only one. A document that no class was found for has none, as has one without words
    (the package says "other", with a score of 1.0).

    Raises ValueError for no or blank labels.
    """
    docs = as_docs(docs)
    classes = make_prompt(labels)
    task, places = _task(WORDINGS[finder.wording].classes, classes.readings)
    answers = finder.find_in_task(
        docs,
        [make_prompt([MATCH], task=task)] * len(docs),
        threshold=threshold,
        overlap="any",  # what begins in one class and ends in another may not displace either
        labels_per_span="one",
    )
    found = [_by_score(answer, classes.labels, places) for answer in answers]
    return found if multi else [_best(scores) for scores in found]


def _task(wording: str, classes: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The task, and where in it each class stands: first character, one after the last."""
    classes = [each.strip() for each in classes]
    places = []
    start = wording.index("{}")
    for each in classes:
        places.append((start, start + len(each)))
        start += len(each) + len(SEPARATOR)
    return wording.format(SEPARATOR.join(classes)), places


def _by_score(
    answer: Sequence[Found], labels: Sequence[str], places: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Of each class that a span lies in, the best one's score.

    Where it lies is what counts: classes may hold commas, or each other's words.
    """
    scores: dict[str, float] = {}
    for found in answer:
        for label, (start, end) in zip(labels, places, strict=True):
            if start <= found.start_char and found.end_char <= end:
                scores[label] = max(found.score, scores.get(label, 0.0))
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _best(scores: Mapping[str, float]) -> dict[str, float]:
    """The first one, with its share in the softmax over all."""
    total = sum(math.exp(score) for score in scores.values())
    return {label: math.exp(score) / total for label, score in islice(scores.items(), 1)}
