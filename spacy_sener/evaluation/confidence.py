"""Whether scores mean what they say, and what another threshold would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from spacy.scorer import PRFScore

from ..types import Floats
from .accuracy import figures
from .judging import Judged

N_BINS = 10


class Confidence:
    """Scores of predicted spans, and whether each span is right."""

    def __init__(self) -> None:
        self.scores: list[float | None] = []
        self.right: list[bool] = []
        self.n_gold = 0

    def add(self, judged: Judged) -> None:
        """Take the scores of one document, those below the pipeline's threshold included."""
        self.n_gold += len(judged.gold)
        for key, candidate in judged.candidates.items():
            self.scores.append(candidate.score)
            self.right.append(key in judged.gold)

    def to_json(
        self, *, threshold: float | None, lowest: float | None, by_score: bool
    ) -> dict[str, Any]:
        """The parts `calibration` and `curve` of a report: None without scores.

        threshold, lowest, by_score: of the `Run`. Where `lowest` is not known it is the lowest
            score that was seen; without `by_score` there is no curve.
        """
        if not self.scores or any(score is None for score in self.scores):
            return {"calibration": None, "curve": None}
        scores = np.array(self.scores, dtype=np.float32)
        right = np.array(self.right)
        lowest = float(scores.min()) if lowest is None else lowest
        is_probability = scores.min() >= 0 and scores.max() <= 1
        return {
            "calibration": calibration(scores, right, threshold, lowest)
            if is_probability
            else None,
            "curve": self._curve(scores, right, threshold, lowest) if by_score else None,
        }

    def _curve(
        self, scores: Floats, right: np.ndarray, threshold: float | None, lowest: float
    ) -> list[dict[str, Any]]:
        steps = {i / 20 for i in range(1, 20) if i / 20 >= lowest} | {lowest}
        points = []
        for step in sorted(steps if threshold is None else steps | {threshold}):
            kept = scores >= np.float32(step)
            tp = int(right[kept].sum())
            score = PRFScore(tp=tp, fp=int(kept.sum()) - tp, fn=self.n_gold - tp)
            points.append({"threshold": step, **figures(score)})
        return points


def best_point(curve: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Where F is highest; of several such thresholds the one next to 0.5, the usual one."""
    return max(curve, key=lambda point: (point["f"] or 0, -abs(point["threshold"] - 0.5)))


def calibration(
    scores: Floats, right: np.ndarray, threshold: float | None, lowest: float
) -> dict[str, Any]:
    """Mean score beside the share of right spans, in ten bins of equal width.

    The expected calibration error is the distance between the two, weighted by the spans of a bin:
    sum_b n_b / n * |mean_score_b - share_right_b|.
    """
    edges = np.linspace(0, 1, N_BINS + 1, dtype=np.float32)  # as the scores: 0.9 is in 0.9 to 1
    counts, sums, n_right = _binned(scores, right, edges)
    kept = scores >= np.float32(lowest if threshold is None else threshold)
    _, kept_sums, kept_right = _binned(scores[kept], right[kept], edges)
    bins: list[dict[str, Any]] = [
        {
            "from": round(float(edges[i]), 3),
            "to": round(float(edges[i + 1]), 3),
            "count": int(count),
            "mean_score": float(sums[i] / count) if count else None,
            "share_right": float(n_right[i] / count) if count else None,
        }
        for i, count in enumerate(counts)
    ]
    return {
        "lowest_score": lowest,
        "count": len(scores),
        "ece": float(np.abs(sums - n_right).sum() / len(scores)),
        "ece_predicted": float(np.abs(kept_sums - kept_right).sum() / kept.sum())
        if kept.any()
        else None,
        "bins": bins,
    }


def _binned(
    scores: Floats, right: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bin the number of spans, the sum of their scores, and how many are right."""
    return (
        np.histogram(scores, edges)[0],
        np.histogram(scores, edges, weights=scores.astype(np.float64))[0],
        np.histogram(scores[right], edges)[0],
    )
