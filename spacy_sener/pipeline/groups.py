"""Candidates to spaCy's span groups with scores, and these to entities."""

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from ..decoding import decode
from ..types import Candidates, Found


def span_group(doc: Doc, found: Candidates, labels: Sequence[str], *, name: str) -> SpanGroup:
    """The spans as a group of that name, their scores in `attrs["scores"]`."""
    spans = [
        Span(doc, int(start), int(end) + 1, label=labels[label])
        for start, end, label in zip(found.starts, found.ends, found.labels, strict=True)
    ]
    scores = np.asarray(found.scores, dtype=np.float32)
    return SpanGroup(doc, name=name, spans=spans, attrs={"scores": scores})


def best_disjoint(group: SpanGroup) -> list[Span]:
    """The best-scored spans of a group that share no token, in order of the text."""
    spans = list(group)
    starts = np.array([span.start for span in spans], dtype=np.int64)
    ends = np.array([span.end - 1 for span in spans], dtype=np.int64)
    candidates = Candidates(starts, ends, np.arange(len(spans)), group.attrs["scores"])
    return [spans[i] for i in decode(candidates, overlap="flat").labels]


def with_entities(spans: Sequence[Span], doc: Doc) -> list[Span]:
    """The spans, and those entities of the document that share no token with any of them.

    As spaCy's `prioritize_new_ents_filter`, which goes through all entities for each span.
    """
    taken = np.zeros(len(doc), dtype=bool)
    for span in spans:
        taken[span.start : span.end] = True
    return [*spans, *(each for each in doc.ents if not taken[each.start : each.end].any())]


def found_in_task(
    found: Candidates, labels: Sequence[str], words: Sequence[tuple[int, int]]
) -> list[Found]:
    """Spans of the words of a task. words: their first and last characters, the last exclusive."""
    return [
        Found(words[first][0], words[last][1], labels[label], float(score))
        for first, last, label, score in zip(
            found.starts, found.ends, found.labels, found.scores, strict=True
        )
    ]
