"""Annotations as they stand in a file: checked one by one, before there are tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span

from .report import Report


@dataclass(frozen=True)
class Annotation:
    """A labelled stretch, `end` exclusive, in its format's units, and the item it came from."""

    start: int
    end: int
    label: str
    item: Any
    score: float | None = None


def valid_annotations(
    items: Iterable[Any], size: int, *, report: Report, where: str
) -> Iterator[Annotation]:
    """The items that can be used in a text of `size` units; the others go into the report.

    An item is a mapping with `start`, `end` and `label`, and perhaps `score`, or a list that begins
    with start and end and finishes with the label.
    """
    for item in items:
        start, end, label = _fields(item)
        if type(start) is not int or type(end) is not int:
            report.add_problem("malformed", where, item)
        elif not isinstance(label, str) or not label.strip():
            report.add_problem("unlabelled", where, item)
        elif start < 0 or end > size:
            report.add_problem("out of range", where, item)
        elif start >= end:
            report.add_problem("empty", where, item)
        else:
            yield Annotation(start, end, label, item, _score(item, report, where))


def trimmed(
    annotation: Annotation, is_space: Iterable[bool], *, report: Report, where: str
) -> tuple[int, int] | None:
    """Start and end without the whitespace units at the ends; None if nothing is left.

    `is_space` says of each unit from start to end whether it is whitespace.
    """
    kept = [unit for unit, space in enumerate(is_space, annotation.start) if not space]
    if not kept:
        report.add_problem("only whitespace", where, annotation.item)
        return None
    start, end = kept[0], kept[-1] + 1
    if (start, end) != (annotation.start, annotation.end):
        report.add_problem("whitespace at an end", where, annotation.item)
    return start, end


def set_spans(
    doc: Doc, spans: Iterable[tuple[Annotation, Span]], spans_key: str, report: Report, where: str
) -> None:
    """Put spans into `doc.spans[spans_key]`, each once.

    Scores go beside them, into its `attrs["scores"]`, NaN for a span that has none; where no span
    has one, there is no such attribute.
    """
    unique: dict[tuple[int, int, str], tuple[Span, float | None]] = {}
    for annotation, span in spans:
        key = (span.start, span.end, span.label_)
        if key in unique:
            report.add_problem("duplicate", where, annotation.item)
        unique.setdefault(key, (span, annotation.score))
    doc.spans[spans_key] = [span for span, _ in unique.values()]
    scores = [score for _, score in unique.values()]
    if any(score is not None for score in scores):
        # As floats of 64 bits, None is NaN.
        doc.spans[spans_key].attrs["scores"] = np.array(scores, dtype=np.float64)


def _fields(item: Any) -> tuple[Any, Any, Any]:
    if isinstance(item, Mapping):
        return item.get("start"), item.get("end"), item.get("label")
    if isinstance(item, list) and len(item) >= 3:
        return item[0], item[1], item[-1]
    return None, None, None


def _score(item: Any, report: Report, where: str) -> float | None:
    score = item.get("score") if isinstance(item, Mapping) else None
    if score is None:
        return None
    try:
        value = float(score) if type(score) in (int, float) else math.nan
    except OverflowError:  # an integer of hundreds of digits
        value = math.nan
    if not math.isfinite(value):
        report.add_problem("unusable score", where, item)
        return None
    return value
