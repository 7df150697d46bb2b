"""A suggester for a span categorizer that learns together with a span finder."""

from collections.abc import Callable, Iterable

import numpy as np
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Ops, get_current_ops
from thinc.types import Ragged

Suggester = Callable[..., Ragged]


@registry.misc("spacy-sener-benchmarks.bounded_preset_suggester.v1")
def build_bounded_preset_suggester(spans_key: str, per_token: int) -> Suggester:
    """The spans under a key, as `spacy.preset_spans_suggester.v1`, but never none and not too many.

    Not none: the span categorizer is the last listener, and without spans it would not pass on to
    the encoder what the span finder has learned. Not too many: in its first update the span finder
    is indifferent, and suggests every pair of tokens.

    per_token: of a document only the shortest spans are taken, that many times its tokens.
    """

    def suggest(docs: Iterable[Doc], *, ops: Ops | None = None) -> Ragged:
        ops = ops or get_current_ops()
        each = [_bounded(doc, spans_key, per_token) for doc in docs]
        spans = np.concatenate(each) if each else np.zeros((0, 2), dtype="i")
        return Ragged(ops.asarray2i(spans), ops.asarray1i([len(ends) for ends in each]))

    return suggest


def _bounded(doc: Doc, spans_key: str, per_token: int) -> np.ndarray:
    """(spans, 2) first token and the one after the last."""
    ends = {(span.start, span.end) for span in doc.spans.get(spans_key, [])} or {(0, 1)}
    shortest = sorted(ends, key=lambda end: (end[1] - end[0], end))[: per_token * len(doc)]
    return np.array(shortest, dtype="i").reshape(-1, 2)
