"""One document with its gold and predicted spans, paired and scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..matching import Key, Match, key_of, match_spans
from ..scores import span_scores


@dataclass(frozen=True)
class Predicted:
    """A predicted span at the tokens of the gold document.

    n_tokens: its length in the tokens of the predicted document.
    score: its probability, or None where the pipeline writes none, or what is no number.
    """

    span: Span
    n_tokens: int
    score: float | None


@dataclass(frozen=True)
class Judged:
    """One document of the evaluation.

    example: keeps the documents that the spans belong to.
    number: its place in the data, from 1.
    gold: annotated spans, each once.
    candidates: predicted spans down to the lowest score of the run, each once.
    predicted: those of them that the pipeline gives at its own threshold.
    matches: gold and predicted spans, paired.
    n_unaligned: spans that the pipeline gives at its own threshold, and whose ends fall inside gold
        tokens. spaCy's scorer leaves them out.
    """

    example: Example
    number: int
    gold: dict[Key, Span]
    candidates: dict[Key, Predicted]
    predicted: dict[Key, Predicted]
    matches: list[Match]
    n_unaligned: int

    @property
    def doc(self) -> Doc:
        """The gold document."""
        return self.example.reference


def judge(example: Example, number: int, *, spans_key: str, threshold: float | None) -> Judged:
    """Pair the spans of one document.

    threshold: candidates with a lower score are not taken for predicted. None: all are.

    Raises ValueError if the number of scores is not that of the spans.
    """
    group = example.reference.spans.get(spans_key, [])
    gold = {key_of(span): span for span in group}
    candidates, n_unaligned = _candidates(example, spans_key, threshold)
    predicted = {key: each for key, each in candidates.items() if reaches(each.score, threshold)}
    return Judged(
        example=example,
        number=number,
        gold=gold,
        candidates=candidates,
        predicted=predicted,
        matches=match_spans(gold.values(), [each.span for each in predicted.values()]),
        n_unaligned=n_unaligned,
    )


def reaches(score: float | None, threshold: float | None) -> bool:
    """As the components compare: in single precision."""
    return score is None or threshold is None or bool(np.float32(score) >= np.float32(threshold))


def align(
    spans: Iterable[Span], other: Doc, indices: Sequence[np.ndarray]
) -> dict[int, tuple[int, int]]:
    """First and after-last token in the other document, by the number of the span.

    As `example.get_aligned_spans_x2y` and `_y2x`, which do not say which spans they leave out, and
    take time for the whole document at each call.

    indices: `example.alignment.x2y` or `.y2x`: tokens of `other`, for tokens of the spans'.
    """
    places = {}
    for number, span in enumerate(spans):
        tokens = indices[span.start : span.end]
        if len(tokens):
            start, end = int(tokens[0]), int(tokens[-1]) + 1
            if _letters(other[start:end]) == _letters(span):
                places[number] = start, end
    return places


def _letters(span: Span) -> str:
    """What spaCy compares, to see whether two spans are of the same text."""
    return span.text.lower().strip().replace(" ", "")


def _candidates(
    example: Example, spans_key: str, threshold: float | None
) -> tuple[dict[Key, Predicted], int]:
    """Predicted spans at gold tokens, and how many that reach the threshold have no place there."""
    if spans_key not in example.predicted.spans:
        return {}, 0
    group = example.predicted.spans[spans_key]
    spans, scores = list(group), span_scores(group)
    rank = [-np.inf if score is None else score for score in scores]
    places = align(spans, example.reference, example.alignment.x2y)
    found: dict[Key, Predicted] = {}
    # The best of equal spans comes last, and stays.
    for i in sorted(places, key=rank.__getitem__):
        start, end = places[i]
        span = Span(example.reference, start, end, label=spans[i].label_)
        found[key_of(span)] = Predicted(span, len(spans[i]), scores[i])
    lost = [i for i in range(len(spans)) if i not in places and reaches(scores[i], threshold)]
    return found, len(lost)
