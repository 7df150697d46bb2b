"""What is wrong between gold and predicted spans: counts, and the worst examples of each error."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

from spacy.tokens import Span

from ..matching import VERDICTS, Match, key_of
from ..scorer import BUCKETS, length_bucket
from .judging import Judged

ERRORS = tuple(verdict for verdict in VERDICTS if verdict != "found")
SNIPPET = 90  # characters


class Errors:
    """Errors added up document by document.

    n_examples: how many of each are kept: those of the highest score ("type", "spurious"), with
        the ends farthest off ("start", "end", "both"), the longest ("missed").
    """

    def __init__(self, n_examples: int) -> None:
        self.n_examples = n_examples
        self.counts: Counter[tuple[str, str, str]] = Counter()  # label, length bucket, verdict
        self.confusion: Counter[tuple[str, str]] = Counter()  # gold label, predicted label
        self.offsets = {"start": _Offset(), "end": _Offset()}
        self.worst: dict[str, list[tuple[float, int, dict[str, Any]]]] = {}
        self._n_seen = 0

    def add(self, judged: Judged) -> None:
        """Count one document."""
        for match in judged.matches:
            self._count(match, judged)
            if match.verdict != "found":
                self._keep(match, judged)

    def to_json(self) -> dict[str, Any]:
        """The parts `errors` and `examples` of a report."""
        labels = sorted({label for label, _, _ in self.counts})
        lengths = {length for _, length, _ in self.counts}
        return {
            "errors": {
                "total": self._row(),
                "per_type": {label: self._row(label=label) for label in labels},
                "per_length": {name: self._row(length=name) for name in BUCKETS if name in lengths},
                "ends": {name: offset.to_json() for name, offset in self.offsets.items()},
                "confusion": [
                    {"gold": gold, "predicted": predicted, "count": count}
                    for (gold, predicted), count in sorted(
                        self.confusion.items(), key=lambda item: (-item[1], item[0])
                    )
                ],
            },
            "examples": {
                verdict: [example for *_, example in sorted(self.worst[verdict], reverse=True)]
                for verdict in ERRORS
                if verdict in self.worst
            },
        }

    def _row(self, *, label: str | None = None, length: str | None = None) -> dict[str, int]:
        row = dict.fromkeys(map(str, VERDICTS), 0)
        for (its_label, its_length, verdict), count in self.counts.items():
            if label in (None, its_label) and length in (None, its_length):
                row[verdict] += count
        return row

    def _count(self, match: Match, judged: Judged) -> None:
        gold, predicted = match.gold, match.predicted
        if gold is not None:
            self.counts[gold.label_, length_bucket(len(gold)), match.verdict] += 1
        elif predicted is not None:
            n_tokens = judged.predicted[key_of(predicted)].n_tokens
            self.counts[predicted.label_, length_bucket(n_tokens), match.verdict] += 1
        if gold is None or predicted is None:
            return
        if match.verdict == "type":
            self.confusion[gold.label_, predicted.label_] += 1
        self.offsets["start"].add(gold.start - predicted.start)
        self.offsets["end"].add(predicted.end - gold.end)

    def _keep(self, match: Match, judged: Judged) -> None:
        if not self.n_examples:
            return
        self._n_seen += 1
        worst = self.worst.setdefault(match.verdict, [])
        # Of equally bad ones those that came first stay; no two entries compare further than that.
        rank = (_badness(match, judged), -self._n_seen)
        if len(worst) < self.n_examples or rank > worst[0][:2]:
            add = heapq.heappush if len(worst) < self.n_examples else heapq.heappushpop
            add(worst, (*rank, _example(match, judged)))


class _Offset:
    """How far one end is off, where it is."""

    def __init__(self) -> None:
        self.n, self.n_outside, self.tokens = 0, 0, 0

    def add(self, outside: int) -> None:
        """outside: tokens by which the predicted span reaches beyond the gold one there."""
        self.n += outside != 0
        self.n_outside += outside > 0
        self.tokens += abs(outside)

    def to_json(self) -> dict[str, float | int | None]:
        mean = self.tokens / self.n if self.n else None
        return {"count": self.n, "outside": self.n_outside, "mean_tokens": mean}


def _badness(match: Match, judged: Judged) -> float:
    gold, predicted = match.gold, match.predicted
    if gold is None or match.verdict == "type":
        assert predicted is not None
        return judged.predicted[key_of(predicted)].score or 0.0
    if predicted is None:
        return len(gold)
    return abs(gold.start - predicted.start) + abs(gold.end - predicted.end)


def _example(match: Match, judged: Judged) -> dict[str, Any]:
    one = match.gold if match.gold is not None else match.predicted
    assert one is not None
    doc_id = judged.doc.user_data.get("doc_id")
    # A missed span may be among the candidates, with a score below the threshold.
    candidate = judged.candidates.get(key_of(one if match.predicted is None else match.predicted))
    return {
        "doc_id": None if doc_id is None else str(doc_id),
        "document": judged.number,
        "line": judged.doc.text.count("\n", 0, one.start_char) + 1,
        "gold": None if match.gold is None else _span(match.gold),
        "predicted": None if match.predicted is None else _span(match.predicted),
        "score": None if candidate is None else candidate.score,
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "label": span.label_,
        "start": span.start_char,
        "end": span.end_char,
        "tokens": len(span),
        "text": snippet(span.text),
    }


def snippet(text: str) -> str:
    """The text on one line; of a long one both ends."""
    text = " ".join(text.split())
    if len(text) <= SNIPPET:
        return text
    half = SNIPPET // 2 - 2
    return f"{text[:half].rstrip()} … {text[-half:].lstrip()}"
