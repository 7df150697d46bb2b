"""Precision, recall and F of spans: in all, per label, and per length in tokens."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

# Longest span, in tokens, of each bucket; the last bucket has no end.
LENGTH_BUCKETS = (1, 4, 16, 64, 128)


def length_bucket(n_tokens: int) -> str:
    """Name of the bucket that a span of that length falls in: "1", "2-4", ... ">128"."""
    shortest = 1
    for longest in LENGTH_BUCKETS:
        if n_tokens <= longest:
            return str(longest) if shortest == longest else f"{shortest}-{longest}"
        shortest = longest + 1
    return f">{LENGTH_BUCKETS[-1]}"


BUCKETS = (*map(length_bucket, LENGTH_BUCKETS), length_bucket(LENGTH_BUCKETS[-1] + 1))


def score_spans(examples: Iterable[Example], *, spans_key: str, **_: Any) -> dict[str, Any]:
    """Score `doc.spans[spans_key]`: a span counts if its start, end and label are right.

    Gives `spans_{key}_p`, `_r`, `_f` and `_per_type` as spaCy's own scorer does, overlapping spans
    allowed, and `spans_{key}_per_length`: the same three figures per length bucket, a predicted
    span in the bucket of its own length and a gold span in that of its own.
    """
    examples = list(examples)
    attr = f"spans_{spans_key}"
    score = partial(
        Scorer.score_spans,
        examples,
        attr,
        has_annotation=lambda doc: spans_key in doc.spans,
        allow_overlap=True,
    )

    def spans(doc: Doc, _: str, bucket: str | None = None) -> list[Span]:
        group = doc.spans.get(spans_key, [])
        return [span for span in group if bucket in (None, length_bucket(len(span)))]

    scores: dict[str, Any] = score(getter=spans)
    if scores[f"{attr}_f"] is None:
        return scores
    per_length = {}
    for bucket in BUCKETS:
        result = score(getter=partial(spans, bucket=bucket))
        if result[f"{attr}_f"] is not None:
            per_length[bucket] = {name: result[f"{attr}_{name}"] for name in "prf"}
    return {**scores, f"{attr}_per_length": per_length}


def make_span_scorer() -> Callable[..., dict[str, Any]]:
    """Registered as `spacy-sener.span_scorer.v1`."""
    return score_spans
