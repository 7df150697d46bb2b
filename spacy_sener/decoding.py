"""Span tables to scored candidates, and these to the spans that may stand together."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from .types import Candidates, Ints, SpanPairs, SpanRows

Overlap = Literal["nested", "flat", "any", "released"]
LabelsPerSpan = Literal["many", "one"]
Ties = Literal["longest", "given"]
OVERLAPS: tuple[str, ...] = get_args(Overlap)
LABELS_PER_SPAN: tuple[str, ...] = get_args(LabelsPerSpan)


def find_candidates(
    answer: SpanRows | SpanPairs, *, threshold: float
) -> Iterator[tuple[int, Candidates]]:
    """The spans of each window whose probability reaches `threshold`: (document, candidates).

    A window answers for the span starts that it owns. The scores stay on their device; what leaves
    it are the candidates alone.
    """
    if isinstance(answer, SpanRows):
        yield from _in_rows(answer, threshold)
    else:
        yield _in_pairs(answer, threshold)


def _in_rows(rows: SpanRows, threshold: float) -> Iterator[tuple[int, Candidates]]:
    # Cells outside of the text have score 0, and are no candidates at threshold 0 either.
    hits = ((rows.scores >= threshold) & (rows.scores > 0)).nonzero()
    if not len(hits):
        return
    values = rows.scores[tuple(hits.unbind(1))].cpu().numpy()
    places, starts, distances, labels = hits.cpu().numpy().T
    starts = starts + rows.first_row
    for i, window in enumerate(rows.windows):
        begin, end = window.owned
        mine = (places == i) & (begin <= starts) & (starts < end)
        tokens = window.tokens[starts[mine]], window.tokens[starts[mine] + distances[mine]]
        yield window.doc, Candidates(*tokens, labels[mine], values[mine])


def _in_pairs(pairs: SpanPairs, threshold: float) -> tuple[int, Candidates]:
    begin, end = pairs.window.owned
    hits = (pairs.scores >= threshold) & (begin <= pairs.starts) & (pairs.starts < end)
    starts, ends, labels, scores = (
        each[hits].cpu().numpy() for each in (pairs.starts, pairs.ends, pairs.labels, pairs.scores)
    )
    tokens = pairs.window.tokens
    return pairs.window.doc, Candidates(tokens[starts], tokens[ends], labels, scores)


def join_candidates(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of all windows of a document as one."""
    if not parts:
        ints = np.empty(0, dtype=np.int64)
        return Candidates(ints, ints, ints, np.empty(0, dtype=np.float32))
    return Candidates(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def decode(
    candidates: Candidates,
    *,
    overlap: Overlap = "nested",
    labels_per_span: LabelsPerSpan = "many",
    ties: Ties = "longest",
) -> Candidates:
    """Keep the best-scored candidates that may stand together, in order of the text.

    Candidates are taken by score, the highest first (ties: earlier start, then longer span, then
    lower label; with `ties="given"`, in the order of the candidates), and one is dropped if it
    clashes with a span that was kept before it:

    - `nested`: spans may contain each other or be disjoint, but not cross;
    - `flat`: spans share no token;
    - `any`: nothing clashes;
    - `released`: as `nested`, but spans that share only one boundary token count as disjoint, as
      in the decoder of the published checkpoints.

    With `labels_per_span="one"` a span keeps its best label only; with `"many"` the labels of one
    and the same span never clash, save under `flat`, where the best one wins.
    """
    by_place = (candidates.labels, -candidates.ends, candidates.starts)
    order = np.lexsort((*(by_place if ties == "longest" else ()), -candidates.scores))
    if labels_per_span == "one":
        spans = np.stack([candidates.starts[order], candidates.ends[order]], axis=1)
        _, first = np.unique(spans, axis=0, return_index=True)
        order = order[np.sort(first)]
    if overlap != "any":
        order = _without_clashes(candidates, order, overlap)
    return in_order(take(candidates, order))


def in_order(candidates: Candidates) -> Candidates:
    """In order of the text, the longer one first where two start together."""
    order = np.lexsort((candidates.labels, -candidates.ends, candidates.starts))
    return take(candidates, order)


def take(candidates: Candidates, which: Ints) -> Candidates:
    """Some of them, by their places."""
    return Candidates(
        candidates.starts[which],
        candidates.ends[which],
        candidates.labels[which],
        candidates.scores[which],
    )


def _without_clashes(candidates: Candidates, order: Ints, overlap: str) -> Ints:
    if not len(order):
        return order
    n_tokens = int(candidates.ends.max()) + 1
    kept = _FlatSpans(n_tokens) if overlap == "flat" else _NestedSpans(n_tokens, overlap)
    taken = [kept.add(int(candidates.starts[i]), int(candidates.ends[i])) for i in order]
    return order[np.array(taken)]


class _FlatSpans:
    """Spans that share no token. Adding one costs its length."""

    def __init__(self, n_tokens: int) -> None:
        self.occupied = np.zeros(n_tokens, dtype=bool)

    def add(self, start: int, end: int) -> bool:
        if self.occupied[start : end + 1].any():
            return False
        self.occupied[start : end + 1] = True
        return True


class _NestedSpans:
    """Spans that do not cross. Adding one costs its length.

    A span [s, e] is crossed by one that starts inside it and ends after e, or that ends inside it
    and starts before s. So it is enough to keep, for each token, the last end of the spans that
    start there and the first start of those that end there.
    """

    def __init__(self, n_tokens: int, overlap: str) -> None:
        self.last_end = np.full(n_tokens, -1)
        self.first_start = np.full(n_tokens, n_tokens)
        # How many of a span's own ends may lie in a span that is only touched.
        self.touching = 1 if overlap == "released" else 0

    def add(self, start: int, end: int) -> bool:
        after = self.last_end[start + 1 : end + 1 - self.touching]
        before = self.first_start[start + self.touching : end]
        if after.max(initial=-1) > end or before.min(initial=start) < start:
            return False
        self.last_end[start] = max(self.last_end[start], end)
        self.first_start[end] = min(self.first_start[end], start)
        return True
