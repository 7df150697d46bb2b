"""The scores that a component keeps beside its spans."""

from __future__ import annotations

import math

from spacy.tokens import SpanGroup


def span_scores(group: SpanGroup) -> list[float | None]:
    """The score of each span, from `group.attrs["scores"]`; None for one that has no finite number.

    Raises ValueError if there are scores, but not one for each span.
    """
    scores = group.attrs.get("scores")
    if scores is None:
        return [None] * len(group)
    if len(scores) != len(group):
        raise ValueError(
            f"doc.spans['{group.name}'] has {len(group)} spans, but attrs['scores'] has "
            f"{len(scores)} scores: there should be one for each"
        )
    return [
        float(score) if score is not None and math.isfinite(score) else None for score in scores
    ]
