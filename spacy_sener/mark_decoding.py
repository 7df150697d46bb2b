"""Marks of words (the start, the end and the inside of every label) to spans, as GLiNER does.

A span may stand where its first word is marked as a start, its last as an end, and all of them as
insides of its label. Marks are of whole documents, so that no span is lost where windows meet.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .decoding import LabelsPerSpan, Overlap, decode, join_candidates
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
    among: Sequence[tuple[int, int]] | None = None,
) -> Candidates:
    """Find the spans of one document, and keep the best-scored that may stand together.

    marks: probabilities of start, end and inside, (n_words, n_labels, 3). threshold: starts and
    ends lie over it, insides not under it. overlap: see `decode`. labels_per_span: whether the
    labels of one and the same span may stand together, under "flat" too. span_score: the lowest of
    all of a span's marks (the authors' code since 0.2.17), or the mean of its insides (the paper).
    among: first and last words of the only spans to look at.

    Candidates are taken by score (ties: earlier start, then lower label, then shorter span), as in
    the authors' code. What `decode` does by itself differs: it takes the longer span of two that
    tie, which is frequent where scores are minima, and under "flat" never keeps two labels of one
    span. Time is linear in the words and in the candidates. For these defaults they are few even
    where every word is marked. Otherwise they could be as many as the square of the words of a
    passage that is marked throughout: of more than `MOST_CANDIDATES`, or `MOST_PER_WORD`, the best
    are taken, those over a higher threshold, and a warning says so.
    """
    if span_score not in get_args(SpanScore):
        raise ValueError(f"'span_score' must be one of {get_args(SpanScore)}, got {span_score!r}")
    flat_marks = _FlatMarks(marks, threshold)
    lowest = span_score == "min"
    if among is not None:
        starts, ends = flat_marks.among(among)
    elif lowest and overlap == "flat" and labels_per_span == "one":
        starts, ends = flat_marks.promising_pairs()
    else:
        starts, ends = _best_pairs(marks, threshold)
    candidates = flat_marks.scored(starts, ends, lowest=lowest)
    return best_together(candidates, overlap=overlap, labels_per_span=labels_per_span)


def _best_pairs(marks: Floats, threshold: float) -> tuple[Ints, Ints]:
    """All spans over the threshold, or over the lowest one that leaves a bounded number of them.

    Where even the best are too many, because they tie, those of them that are short.
    """
    flat_marks, most = (
        _FlatMarks(marks, threshold),
        max(MOST_CANDIDATES, MOST_PER_WORD * len(marks)),
    )
    n_pairs = flat_marks.n_pairs()
    if n_pairs <= most:
        return flat_marks.pairs()
    low, high = threshold, 1.0
    for _ in range(24):  # to the last digit of single precision
        middle = (low + high) / 2
        if _FlatMarks(marks, middle).n_pairs() > most:
            low = middle
        else:
            high = middle
    warnings.warn(
        f"A text of {len(marks)} words has {n_pairs} spans over the threshold {threshold}, most of "
        "which clash: "
        f"only those over {high:.6f} were compared. Raise the threshold, or set overlap to 'flat'.",
        stacklevel=2,
    )
    found = _FlatMarks(marks, high).pairs()
    return found if len(found[0]) else _FlatMarks(marks, low).promising_pairs()


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
    candidates = Candidates(starts[best], ends[best], found.labels[best], found.scores[best])
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
    return decode(join_candidates(parts), overlap="any")


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
    which = np.isin(found, standing).nonzero()[0]
    which = which[
        np.lexsort((candidates.labels[which], -candidates.ends[which], candidates.starts[which]))
    ]
    return Candidates(
        candidates.starts[which],
        candidates.ends[which],
        candidates.labels[which],
        candidates.scores[which],
    )


class _FlatMarks:
    """The marks of one label after the other, place label * n_words + word."""

    def __init__(self, marks: Floats, threshold: float) -> None:
        n_words, n_labels, _ = marks.shape
        self.n_words, self.n_labels = n_words, n_labels
        by_label = np.ascontiguousarray(marks.transpose(2, 1, 0), dtype=np.float32)
        self.start, self.end, self.inside = by_label.reshape(3, -1)
        is_inside = self.inside >= threshold
        self.is_start = is_inside & (self.start > threshold)
        self.is_end = is_inside & (self.end > threshold)
        self.run_end = self._run_ends(is_inside)

    def _run_ends(self, is_inside: NDArray[np.bool_]) -> Ints:
        """Of every place from which on it is inside, the last such; else some place before it."""
        place = np.arange(len(is_inside))
        # A run ends before the first place that is not inside, or with the label's last word.
        breaks = np.where(is_inside, len(is_inside), place)
        breaks = np.minimum.accumulate(breaks[::-1])[::-1] - 1
        last_of_label = place + (self.n_words - 1 - place % max(self.n_words, 1))
        return np.minimum(breaks, last_of_label)

    def among(self, spans: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
        """Those of some spans that are marked."""
        first, last = np.array(sorted(set(spans)), dtype=np.int64).reshape(-1, 2).T
        real = (first >= 0) & (first <= last) & (last < self.n_words)
        offset = np.arange(self.n_labels)[:, None] * self.n_words
        starts, ends = ((offset + words[real]).ravel() for words in (first, last))
        marked = self.is_start[starts] & self.is_end[ends] & (ends <= self.run_end[starts])
        return starts[marked], ends[marked]

    def pairs(self) -> tuple[Ints, Ints]:
        """All spans that are marked: first and last places."""
        starts, ends, first, beyond = self._ends_of_starts()
        counts = beyond - first
        which = np.repeat(np.arange(len(starts)), counts)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return starts[which], ends[first[which] + nth]

    def n_pairs(self) -> int:
        """How many spans are marked."""
        _, _, first, beyond = self._ends_of_starts()
        return int((beyond - first).sum())

    def promising_pairs(self) -> tuple[Ints, Ints]:
        """The marked spans that can be kept where spans share no word and the lowest mark counts.

        Where two spans start together, the shorter one's end being as probable, the shorter one's
        score is as high, and it is taken first. What clashes with it clashes with the longer one.
        So of the ends after a start only those are needed that are more probable than all before.
        """
        starts, ends, first, beyond = self._ends_of_starts()
        better = _next_greater(self.end[ends])
        which, nth = np.arange(len(starts)), first
        found: list[tuple[Ints, Ints]] = []
        while len(which):
            found.append((which, nth))
            nth = better[nth]
            more = nth < beyond[which]
            which, nth = which[more], nth[more]
        which, nth = (
            (np.concatenate(x) for x in zip(*found, strict=True)) if found else (which, nth)
        )
        return starts[which], ends[nth]

    def _ends_of_starts(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The starts that have ends, all ends, and for each of the former which of the latter:
        the first and the one beyond the last."""
        starts, ends = self.is_start.nonzero()[0], self.is_end.nonzero()[0]
        first = np.searchsorted(ends, starts)
        beyond = np.searchsorted(ends, self.run_end[starts], side="right")
        some = beyond > first
        return starts[some], ends, first[some], beyond[some]

    def scored(self, starts: Ints, ends: Ints, *, lowest: bool) -> Candidates:
        """Spans as candidates, by start, then label, then end."""
        if lowest:
            scores = np.minimum(self.start[starts], self.end[ends])
            scores = np.minimum(scores, _range_minima(self.inside, starts, ends))
        else:
            sums = np.concatenate([[0.0], np.cumsum(self.inside, dtype=np.float64)])
            scores = ((sums[ends + 1] - sums[starts]) / (ends + 1 - starts)).astype(np.float32)
        labels, first = np.divmod(starts, max(self.n_words, 1))
        last = ends - labels * self.n_words
        order = np.lexsort((last, labels, first))
        return Candidates(first[order], last[order], labels[order], scores[order])


def _next_greater(values: Floats) -> Ints:
    """For each value the place of the next greater one, their number if there is none."""
    following = np.full(len(values), len(values))
    open_places: list[int] = []
    for place, value in enumerate(values.tolist()):
        while open_places and values[open_places[-1]] < value:
            following[open_places.pop()] = place
        open_places.append(place)
    return following


def _range_minima(values: Floats, starts: Ints, ends: Ints) -> Floats:
    """The least of the values from each start to its end.

    Of every power of two up to the longest range, the minima of all ranges of that length are made;
    any range is two such, which may overlap.
    """
    minima = np.empty(len(starts), dtype=values.dtype)
    power = np.frexp(ends + 1 - starts)[1] - 1
    table = values
    for level in range(int(power.max(initial=-1)) + 1):
        if level:
            half = 1 << (level - 1)
            table = np.minimum(table[:-half], table[half:])
        here = power == level
        first, last = starts[here], ends[here] + 1 - (1 << level)
        minima[here] = np.minimum(table[first], table[last])
    return minima
