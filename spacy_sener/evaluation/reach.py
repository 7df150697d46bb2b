"""Which gold spans a model that reaches so many tokens can find at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..gold import MISALIGNED, TOO_LONG
from .judging import Judged, align

AT_WHITESPACE = "with whitespace at an end, or made of it"
UNKNOWN_LABEL = "of a label that the model does not have"


class Reach:
    """Gold spans inside and outside of a model's reach, per label.

    tokens: the farthest that a span's last visible token may be from its first.
    labels: those that the model knows.
    """

    def __init__(self, tokens: int, labels: Collection[str]) -> None:
        self.tokens = tokens
        self.labels = frozenset(labels)
        self.counts: dict[str, Counter[str | None]] = {}  # by label: what is in the way, or None

    def add(self, judged: Judged) -> None:
        """Count one document."""
        doc, alignment = judged.example.predicted, judged.example.alignment
        visible = np.cumsum([not token.is_space for token in doc])
        places = align(judged.gold.values(), doc, alignment.y2x)
        for i, span in enumerate(judged.gold.values()):
            obstacle = self._obstacle(doc, visible, places.get(i))
            if span.label_ not in self.labels:
                obstacle = UNKNOWN_LABEL
            self.counts.setdefault(span.label_, Counter())[obstacle] += 1

    def _obstacle(self, doc: Doc, visible: np.ndarray, place: tuple[int, int] | None) -> str | None:
        if place is None:
            return MISALIGNED
        first, last = place[0], place[1] - 1
        if doc[first].is_space or doc[last].is_space:
            return AT_WHITESPACE
        return TOO_LONG if visible[last] - visible[first] > self.tokens else None

    def to_json(self) -> dict[str, Any]:
        """The part `reach` of a report."""
        total: Counter[str | None] = Counter()
        for counts in self.counts.values():
            total.update(counts)
        return {
            "tokens": self.tokens,
            "total": _figures(total),
            "per_type": {label: _figures(self.counts[label]) for label in sorted(self.counts)},
        }


def _figures(counts: Counter[str | None]) -> dict[str, Any]:
    gold, reachable = sum(counts.values()), counts[None]
    lost = {reason: count for reason, count in sorted(counts.items(), key=str) if reason}
    return {
        "gold": gold,
        "reachable": reachable,
        "recall_ceiling": reachable / gold if gold else None,
        "lost": lost,
    }
