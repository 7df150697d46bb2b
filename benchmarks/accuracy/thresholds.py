"""A threshold for each label, chosen on documents held out: does it beat a single one?"""

from collections.abc import Mapping, Sequence

import numpy as np
from spacy.tokens import Doc, SpanGroup

from benchmarks.accuracy.corpora import KEY, copied
from spacy_sener.evaluation.judging import reaches
from spacy_sener.scores import span_scores

FEWEST = 10
"""Gold spans held out that a label needs; one of fewer keeps the threshold of all."""

Cell = tuple[int, int, int, str]
"""Document, first token, end, label."""


def label_thresholds(
    predicted: Sequence[Doc], gold: Sequence[Doc], *, thresholds: Sequence[float], default: float
) -> dict[str, float]:
    """Of `thresholds` those of the highest F of each label, the nearest to `default` of several."""
    scores, expected = _cells(predicted), _cells(gold)
    chosen = {}
    for label in sorted({cell[3] for cell in expected}):
        found = {cell: score or 0.0 for cell, score in scores.items() if cell[3] == label}
        right = {cell for cell in expected if cell[3] == label}
        chosen[label] = default
        if len(right) >= FEWEST:
            chosen[label] = max(
                thresholds, key=lambda t: (_f_score(found, right, t), -abs(t - default))
            )
    return chosen


def above(docs: Sequence[Doc], thresholds: Mapping[str, float], *, default: float) -> list[Doc]:
    """Copies of the documents, with the spans that reach their label's threshold."""
    return [_above(doc, thresholds, default) for doc in docs]


def _above(doc: Doc, thresholds: Mapping[str, float], default: float) -> Doc:
    group = doc.spans[KEY]
    pairs = [
        (span, score)
        for span, score in zip(group, span_scores(group), strict=True)
        if score is not None and reaches(score, thresholds.get(span.label_, default))
    ]
    copy = copied(doc, doc.vocab, spans=[span for span, _ in pairs])
    attrs = {"scores": np.array([score for _, score in pairs], dtype=np.float32)}
    copy.spans[KEY] = SpanGroup(copy, name=KEY, spans=list(copy.spans[KEY]), attrs=attrs)
    return copy


def _cells(docs: Sequence[Doc]) -> dict[Cell, float | None]:
    """Scores of the spans; None for gold."""
    return {
        (i, span.start, span.end, span.label_): score
        for i, doc in enumerate(docs)
        for span, score in zip(doc.spans[KEY], span_scores(doc.spans[KEY]), strict=True)
    }


def _f_score(scores: Mapping[Cell, float], expected: set[Cell], threshold: float) -> float:
    found = {cell for cell, score in scores.items() if reaches(score, threshold)}
    return 2 * len(found & expected) / max(1, len(found) + len(expected))
