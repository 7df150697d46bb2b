"""Precision, recall and F: in all, per type, per length, and of nested spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from spacy.scorer import PRFScore

from ..matching import Key
from ..scorer import BUCKETS, length_bucket
from .judging import Judged

RESAMPLES = 1000
Item = TypeVar("Item")


class Accuracy:
    """Counts of right and wrong spans, added up document by document.

    The figures are those of `scorer.score_spans`, which needs all documents at once: spaCy's
    `PRFScore` counts the same sets.
    """

    def __init__(self) -> None:
        self.micro = PRFScore()
        self.per_type: defaultdict[str, PRFScore] = defaultdict(PRFScore)
        self.per_length: defaultdict[str, PRFScore] = defaultdict(PRFScore)
        self.nesting: defaultdict[str, PRFScore] = defaultdict(PRFScore)
        self.per_document: list[tuple[int, int, int]] = []

    def add(self, judged: Judged) -> None:
        """Count one document."""
        gold, predicted = judged.gold, judged.predicted
        score = _count(set(predicted), set(gold))
        self.micro += score
        self.per_document.append((score.tp, score.fp, score.fn))
        _add(
            self.per_type,
            _grouped(predicted, attrgetter("label")),
            _grouped(gold, attrgetter("label")),
        )
        _add(
            self.per_length,
            _grouped(predicted, lambda key: length_bucket(predicted[key].n_tokens)),
            _grouped(gold, lambda key: length_bucket(len(gold[key]))),
        )
        nested = nested_keys(gold)
        place = {key: "nested" if key in nested else "outermost" for key in gold}
        by_place = _grouped(gold, place.__getitem__)
        # Only recall: a predicted span has no place among the gold ones unless it is one of them.
        found = {name: keys & set(predicted) for name, keys in by_place.items()}
        _add(self.nesting, found, by_place)

    def to_json(self, *, seed: int) -> dict[str, Any]:
        """The parts `micro`, `per_type`, `per_length` and `nesting` of a report."""
        per_length = {name: self.per_length[name] for name in BUCKETS if name in self.per_length}
        return {
            "micro": {**figures(self.micro), "interval": bootstrap(self.per_document, seed=seed)},
            "per_type": {name: figures(self.per_type[name]) for name in sorted(self.per_type)},
            "per_length": {name: figures(score) for name, score in per_length.items()},
            "nesting": {
                name: {"gold": score.tp + score.fn, "r": score.recall}
                for name, score in sorted(self.nesting.items(), reverse=True)
            },
        }


def figures(score: PRFScore) -> dict[str, float | int | None]:
    """P, R, F and what they are made of; None where there is no span at all, as spaCy has it."""
    values = score.to_dict() if len(score) else dict.fromkeys("prf")
    return {
        **values,
        "gold": score.tp + score.fn,
        "predicted": score.tp + score.fp,
        "right": score.tp,
    }


def bootstrap(
    per_document: Sequence[tuple[int, int, int]], *, seed: int
) -> dict[str, list[float]] | None:
    """95% intervals of P, R and F: percentiles over samples of the documents with replacement.

    per_document: right, spurious and missed spans of each document. None for fewer than two of
    them, and without any span. A sample without any has no figures, and does not count.
    """
    n = len(per_document)
    if n < 2 or not any(map(any, per_document)):
        return None
    counts, rng = np.array(per_document), np.random.default_rng(seed)
    samples = []
    for _ in range(RESAMPLES):
        tp, fp, fn = counts[rng.integers(n, size=n)].sum(axis=0).tolist()
        score = PRFScore(tp=tp, fp=fp, fn=fn)
        if len(score):
            samples.append((score.precision, score.recall, score.fscore))
    low, high = np.percentile(samples, [2.5, 97.5], axis=0).tolist()
    return {name: [low[i], high[i]] for i, name in enumerate("prf")}


def nested_keys(keys: Iterable[Key]) -> set[Key]:
    """Those that lie inside a longer one. Spans of equal ends do not lie in each other."""
    nested = set()
    before, farthest = -1, -1  # farthest end of the spans that start earlier
    here = -1  # farthest end of those that start at the same place
    for key in sorted(keys, key=lambda key: (key.start, -key.end)):
        if key.start != before:
            before, farthest, here = key.start, max(farthest, here), key.end
        if key.end <= farthest or key.end < here:
            nested.add(key)
    return nested


def _count(predicted: set[Key], gold: set[Key]) -> PRFScore:
    score = PRFScore()
    score.score_set(predicted, gold)
    return score


def _grouped(items: Iterable[Item], group: Callable[[Item], str]) -> dict[str, set[Item]]:
    groups: dict[str, set[Item]] = {}
    for item in items:
        groups.setdefault(group(item), set()).add(item)
    return groups


def _add(
    scores: defaultdict[str, PRFScore],
    predicted: dict[str, set[Key]],
    gold: dict[str, set[Key]],
) -> None:
    for name in predicted.keys() | gold.keys():
        scores[name] += _count(predicted.get(name, set()), gold.get(name, set()))
