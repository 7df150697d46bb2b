"""Annotated spans to cells of the span table, and an account of those that have no cell."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from spacy.tokens import Doc
from spacy.training import Example
from torch import Tensor

from .types import Floats, SpanBand, Window

TOO_LONG = "longer than the model reaches"
MISALIGNED = "not aligned with the tokens"
BLANK = "made of whitespace only"
UNSEEN = "in no window whole, or without a word piece"


@dataclass(frozen=True)
class GoldSpan:
    """An annotated span of the predicted document, both ends on visible tokens."""

    start: int
    end: int  # inclusive
    label: str


@dataclass
class GoldCount:
    """What the data holds: for the output's prior, and for a warning on what cannot be learned.

    span_window: largest distance between the ends of a span in the table. reach: of any span.
    """

    span_window: int
    reach: int
    n_cells: int = 0
    n_tokens: int = 0
    label_cells: Counter[str] = field(default_factory=Counter)
    label_marks: tuple[Counter[str], Counter[str], Counter[str]] = field(
        default_factory=lambda: (Counter(), Counter(), Counter())
    )
    left_out: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)  # of doc.spans under which there are spans

    def add(self, example: Example, spans_key: str) -> None:
        """Count one document and its spans, at the tokens of its predicted side."""
        self.keys.update(key for key, group in example.reference.spans.items() if len(group))
        doc = example.predicted
        visible = np.cumsum([not token.is_space for token in doc])
        n, window = int(visible[-1]) if len(doc) else 0, self.span_window
        self.n_cells += n * n if n <= window else n * (2 * window + 1) - window * (window + 1)
        self.n_tokens += n
        for span in dict.fromkeys(gold_spans(example, spans_key, self.left_out)):
            distance = int(visible[span.end] - visible[span.start])
            for counter, count in zip(self.label_marks, (1, 1, distance + 1), strict=True):
                counter[span.label] += count
            self.label_cells[span.label] += 0  # the label is known, though the span has no cell
            if distance <= window:
                self.label_cells[span.label] += 1 if distance == 0 else 2
            elif distance > self.reach:
                self.left_out[TOO_LONG] += 1

    def prior(self, labels: Sequence[str]) -> Floats:
        """How often a cell carries each label, never quite 0 or 1: (len(labels),)."""
        return _rates([self.label_cells[label] for label in labels], self.n_cells)

    def mark_prior(self, labels: Sequence[str]) -> Floats:
        """How often a token is a start, an end and an inside of each label: (3, len(labels)).

        Spans that share a token count once each. Never quite 0 or 1.
        """
        return np.stack(
            [
                _rates([marks[label] for label in labels], self.n_tokens)
                for marks in self.label_marks
            ]
        )

    def warning(self) -> str | None:
        """One sentence on the spans that have no cell in the table, or None."""
        setting = "span_window" if self.reach == self.span_window else "reach"
        limit = f" ({setting} = {self.reach})" if self.left_out[TOO_LONG] else ""
        return left_out_warning(self.left_out, limit)


def left_out_warning(left_out: Counter[str], limit: str = "") -> str | None:
    """One sentence on annotated spans, counted by the reason why they are left out; None of none.

    limit: the setting that bounds what can be learned, if any, in brackets.
    """
    if not left_out:
        return None
    reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.items())
    return (
        f"{sum(left_out.values())} annotated span(s) of the training data cannot be "
        f"learned: {reasons}{limit}. In evaluation they count as missed."
    )


def _rates(counts: Sequence[int], total: int) -> Floats:
    return np.clip((np.array(counts, dtype=np.float32) + 0.5) / (total + 1), 1e-6, 0.5)


def gold_spans(example: Example, spans_key: str, left_out: Counter[str]) -> list[GoldSpan]:
    """The annotated spans at the tokens of `example.predicted`, whitespace at their ends trimmed.

    Counts in `left_out` the spans whose ends fall inside of tokens, or that hold no visible token.
    """
    reference = example.reference
    group = list(reference.spans[spans_key]) if spans_key in reference.spans else []
    aligned = example.get_aligned_spans_y2x(group, allow_overlap=True)
    if len(aligned) < len(group):
        left_out[MISALIGNED] += len(group) - len(aligned)
    found = []
    for span in aligned:
        visible = [token.i for token in span if not token.is_space]
        if visible:
            found.append(GoldSpan(visible[0], visible[-1], span.label_))
        else:
            left_out[BLANK] += 1
    return found


def gold_cells(
    band: SpanBand, spans: Sequence[Sequence[GoldSpan]], labels: dict[str, int]
) -> Tensor:
    """Rows (window of the band, first row, last row, label) of the spans that a window holds.

    spans: the gold spans of each document of the batch. Those longer than the band's reach are left
    out. Returns (cells, 4) on the band's device.
    """
    cells = [
        (i, start, end, labels[span.label])
        for i, window in enumerate(band.windows)
        for span in spans[window.doc]
        for start, end in _rows(window, span)
        if end - start <= band.reach
    ]
    return torch.tensor(cells, dtype=torch.long, device=band.logits.device).view(-1, 4)


def gold_marks(
    band: SpanBand, spans: Sequence[Sequence[GoldSpan]], labels: dict[str, int]
) -> Tensor:
    """1 at the rows that are a start, an end or an inside of a span of a label, else 0.

    A span that reaches beyond a window still has its marks in it. spans: as in `gold_cells`.
    Returns (windows, rows, 3, labels) on the band's device.
    """
    marked = torch.zeros(len(band.windows), band.logits.shape[1], 3, len(labels))
    for i, window in enumerate(band.windows):
        begin, end = window.covers
        for span in spans[window.doc]:
            label, (first, last) = labels[span.label], _clipped(window, span)
            if first <= last:
                if begin <= span.start:
                    marked[i, first, 0, label] = 1
                if span.end <= end:
                    marked[i, last, 1, label] = 1
                marked[i, first : last + 1, 2, label] = 1
    return marked.to(band.logits.device)


def count_lost(
    bands: Iterable[SpanBand], spans: Sequence[Sequence[GoldSpan]], reach: int
) -> Counter[str]:
    """How many of the spans of each document are too long, or lie in no window, by the reason."""
    distances = {
        (window.doc, span): end - start
        for band in bands
        for window in band.windows
        for span in spans[window.doc]
        for start, end in _rows(window, span)
    }
    n_spans = sum(len(set(each)) for each in spans)
    too_long = sum(distance > reach for distance in distances.values())
    return +Counter({TOO_LONG: too_long, UNSEEN: n_spans - len(distances)})


def _rows(window: Window, span: GoldSpan) -> Iterable[tuple[int, int]]:
    """The span's first and last row, if the window holds it."""
    first, last = window.covers
    if first <= span.start and span.end <= last:
        start, end = _clipped(window, span)
        if start <= end:
            yield start, end


def _clipped(window: Window, span: GoldSpan) -> tuple[int, int]:
    """First and last row of the span's part in the window; the last is less if there is none."""
    start = int(np.searchsorted(window.tokens, span.start, side="left"))
    end = int(np.searchsorted(window.tokens, span.end, side="right")) - 1
    return start, end


def describe(doc: Doc) -> str:
    """How to name a document in a message: its id if its data carries one, and its first words."""
    name = doc.user_data.get("doc_id")
    words = " ".join(doc.text[:60].split())
    return f"{name} ({words!r})" if name is not None else repr(words)
