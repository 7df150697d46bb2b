"""Marks of words (the start, the end and the inside of every label) to spans, as GLiNER does.

A span may stand where its first word is marked as a start, its last as an end, and all of them as
insides of its label. Marks are of whole documents, so that no span is lost where windows meet.
"""

import warnings
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from .decoding import LabelsPerSpan, Overlap, decode, in_order, join_candidates, take
from .flat_marks import FlatMarks
from .types import Candidates, Floats, Ints
from .words import Words

SpanScore = Literal["min", "mean"]

MOST_CANDIDATES, MOST_PER_WORD = 100_000, 20
"""Spans of one document that are compared with each other: the larger of these two numbers."""


def decode_marks(
    marks: Floats,
    *,
    threshold: float = 0.5,
    overlap: Overlap = "flat",
    labels_per_span: LabelsPerSpan = "one",
    span_score: SpanScore = "min",
) -> Candidates:
    """Find the spans of one document, and keep the best-scored that may stand together.

    marks: probabilities of start, end and inside, (n_words, n_labels, 3). threshold: starts and
    ends lie over it, insides not under it. overlap: see `decode`. labels_per_span: whether the
    labels of one and the same span may stand together, under "flat" too. span_score: the lowest of
    all of a span's marks (the authors' code since 0.2.17), or the mean of its insides (the paper).

    Candidates are taken by score (ties: earlier start, then lower label, then shorter span), as in
    the authors' code. What `decode` does by itself differs: it takes the longer span of two that
    tie, which is frequent where scores are minima, and under "flat" never keeps two labels of one
    span. Time is linear in the words and in the candidates. For these defaults they are few even
    where every word is marked: see `FlatMarks.promising_pairs`. Otherwise they could be as many as
    the square of the words of a passage that is marked throughout: of more than `MOST_CANDIDATES`,
    or `MOST_PER_WORD`, the best are taken, those over a higher threshold, and a warning says so.
    """
    if span_score not in get_args(SpanScore):
        raise ValueError(f"'span_score' must be one of {get_args(SpanScore)}, got {span_score!r}")
    flat_marks = FlatMarks(marks, threshold)
    lowest = span_score == "min"
    if lowest and overlap == "flat" and labels_per_span == "one":
        starts, ends = flat_marks.promising_pairs()
    else:
        starts, ends = _best_pairs(flat_marks, marks, threshold)
    candidates = flat_marks.scored(starts, ends, lowest=lowest)
    return best_together(candidates, overlap=overlap, labels_per_span=labels_per_span)


def _best_pairs(flat_marks: FlatMarks, marks: Floats, threshold: float) -> tuple[Ints, Ints]:
    """All spans over the threshold, or over the lowest one that leaves a bounded number of them.

    Where even the best are too many, because they tie, those of them that are short. flat_marks:
    those of the threshold.
    """
    most = max(MOST_CANDIDATES, MOST_PER_WORD * len(marks))
    n_pairs = flat_marks.n_pairs()
    if n_pairs <= most:
        return flat_marks.pairs()
    low, high = threshold, 1.0
    for _ in range(24):  # to the last digit of single precision
        middle = (low + high) / 2
        if FlatMarks(marks, middle).n_pairs() > most:
            low = middle
        else:
            high = middle
    warnings.warn(
        f"A text of {len(marks)} words has {n_pairs} spans over the threshold {threshold}, most of "
        f"which clash: only those over {high:.6f} were compared. Raise the threshold, or set "
        "overlap to 'flat', labels_per_span to 'one' and span_score to 'min'.",
        stacklevel=2,
    )
    found = FlatMarks(marks, high).pairs()
    return found if len(found[0]) else FlatMarks(marks, low).promising_pairs()


def spans_of_tokens(
    found: Candidates, words: Words, *, overlap: Overlap, labels_per_span: LabelsPerSpan
) -> Candidates:
    """Spans of words as spans of the tokens that hold any character of them.

    Where spans of words share a token at their ends, they may come to be one and the same, of which
    the best score is kept, or may not stand together any more, as `best_together` decides.
    """
    starts, ends = words.first[found.starts], words.last[found.ends]
    best = np.lexsort((found.labels, -ends, starts, -found.scores))
    spans = np.stack([starts, ends, found.labels], axis=1)[best]
    best = np.sort(best[np.unique(spans, axis=0, return_index=True)[1]])
    candidates = take(replace(found, starts=starts, ends=ends), best)
    return best_together(candidates, overlap=overlap, labels_per_span=labels_per_span)


def marked_spans(
    marks: Floats,
    words: Words,
    *,
    threshold: float,
    overlap: Overlap,
    labels_per_span: LabelsPerSpan,
    span_score: SpanScore,
    labels_apart: bool = False,
) -> Candidates:
    """The spans of tokens that the marks of a document's words say.

    labels_apart: find those of each label as if there were no other. The other settings are those
    of `decode_marks`.
    """

    def find(marks: Floats) -> Candidates:
        found = decode_marks(
            marks,
            threshold=threshold,
            overlap=overlap,
            labels_per_span=labels_per_span,
            span_score=span_score,
        )
        return spans_of_tokens(found, words, overlap=overlap, labels_per_span=labels_per_span)

    if not labels_apart:
        return find(marks)
    parts = [find(marks[:, label : label + 1]) for label in range(marks.shape[1])]
    parts = [replace(part, labels=part.labels + label) for label, part in enumerate(parts)]
    return in_order(join_candidates(parts))


def best_together(
    candidates: Candidates, *, overlap: Overlap, labels_per_span: LabelsPerSpan
) -> Candidates:
    """The best-scored candidates that may stand together; those that tie are in order of choice.

    overlap, labels_per_span: as in `decode_marks`.
    """
    kept = decode(candidates, overlap=overlap, labels_per_span="one", ties="given")
    return kept if labels_per_span == "one" else _with_all_labels(kept, candidates)


def _with_all_labels(kept: Candidates, candidates: Candidates) -> Candidates:
    """All candidates that are of one span with a kept one: where it stands, they do."""
    found, standing = (each.starts * (1 << 32) + each.ends for each in (candidates, kept))
    return in_order(take(candidates, np.isin(found, standing).nonzero()[0]))
