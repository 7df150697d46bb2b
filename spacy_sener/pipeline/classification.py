"""Classes of texts by prompt: they are words of the task, and the model marks those that hold."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from spacy.tokens import Doc

from ..prompted import TaskTooLongError
from ..prompts import make_prompt
from ..types import Found
from ..wordings import WORDINGS
from .finder import Finder, as_docs

MATCH = "match"
SEPARATOR = ", "
Class = tuple[str, str]
"""Its label, and what the model reads for it."""


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

    Classes that fill more than half of a window are asked in several passes, as labels are: in
    halves, until they fit (the package cuts off what is over). A score is the probability of one
    class, so those of several passes may be compared; but the model reads a class beside those of
    its own pass only, and may score it otherwise than beside all.

    Raises ValueError for no or blank labels, and for one that alone fills half of a window.
    """
    docs = as_docs(docs)
    classes = make_prompt(labels)
    pairs = list(zip(classes.labels, classes.readings, strict=True))
    found = [_sorted(scores) for scores in _scores(finder, docs, pairs, threshold)]
    return found if multi else [_best(scores) for scores in found]


def _scores(
    finder: Finder, docs: Sequence[Doc], classes: Sequence[Class], threshold: float | None
) -> list[dict[str, float]]:
    """Of each document the classes that were found."""
    task, places = _task(WORDINGS[finder.wording].classes, [reading for _, reading in classes])
    try:
        answers = finder.find_in_task(
            docs,
            [make_prompt([MATCH], task=task)] * len(docs),
            threshold=threshold,
            overlap="any",  # what begins in one class and ends in another may not displace either
            labels_per_span="one",
        )
    except TaskTooLongError:
        if len(classes) == 1:
            raise
        half = len(classes) // 2
        halves = [
            _scores(finder, docs, some, threshold) for some in (classes[:half], classes[half:])
        ]
        return [first | second for first, second in zip(*halves, strict=True)]
    labels = [label for label, _ in classes]
    return [_best_spans(answer, labels, places) for answer in answers]


def _task(wording: str, classes: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """The task, and where in it each class stands: first character, one after the last."""
    classes = [each.strip() for each in classes]
    places = []
    start = wording.index("{}")
    for each in classes:
        places.append((start, start + len(each)))
        start += len(each) + len(SEPARATOR)
    return wording.format(SEPARATOR.join(classes)), places


def _best_spans(
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
    return scores


def _sorted(scores: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def _best(scores: Mapping[str, float]) -> dict[str, float]:
    """The first one, with its share in the softmax over all."""
    total = sum(math.exp(score) for score in scores.values())
    return {label: math.exp(score) / total for label, score in islice(scores.items(), 1)}
