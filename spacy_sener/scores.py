"""The scores that a component keeps beside its spans."""

from __future__ import annotations

import math

import numpy as np
from spacy.tokens import SpanGroup


def span_scores(group: SpanGroup) -> list[float | None]:
    """The score of each span, from `group.attrs["scores"]`; None for one that has no finite number.

    A column of scores, as spaCy's `spancat_singlelabel` writes, is read as a row.

    Raises ValueError if there are scores, but not one for each span, or what cannot be read as a
    number.
    """
    scores = group.attrs.get("scores")
    if scores is None:
        return [None] * len(group)
    try:
        numbers = np.array(scores, dtype=float).ravel().tolist()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"doc.spans['{group.name}'].attrs['scores'] should be a number for each span: {error}"
        ) from error
    if len(numbers) != len(group):
        raise ValueError(
            f"doc.spans['{group.name}'] has {len(group)} spans, but attrs['scores'] has "
            f"{len(numbers)} scores: there should be one for each"
        )
    return [number if math.isfinite(number) else None for number in numbers]
