"""Gold and predicted documents for the tests of the report, and what the report says of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import spacy
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from spacy_sener.evaluation.predictions import Run
from spacy_sener.evaluation.report import evaluate

VOCAB = spacy.blank("en").vocab
Spans = Sequence[tuple[int, int, str]]  # first token, token after the last, label


def make_doc(
    spans: Spans | None,
    scores: Sequence[float] | None = None,
    *,
    words: Sequence[str] = tuple(f"w{i}" for i in range(200)),
    spaces: Sequence[bool] | None = None,
    key: str = "sc",
) -> Doc:
    """A document with spans under the key, and scores beside them where there are some."""
    doc = Doc(VOCAB, words=list(words), spaces=None if spaces is None else list(spaces))
    if spans is not None:
        doc.spans[key] = SpanGroup(
            doc,
            name=key,
            spans=[Span(doc, start, end, label=label) for start, end, label in spans],
            attrs={} if scores is None else {"scores": np.array(scores, dtype=np.float32)},
        )
    return doc


def make_example(
    gold: Spans | None, predicted: Spans | None, scores: Sequence[float] | None = None
) -> Example:
    """What the report compares: the documents of one text."""
    return Example(make_doc(predicted, scores), make_doc(gold))


def report_on(
    examples: Iterable[Example], *, spans_key: str = "sc", n_examples: int = 10, **run: Any
) -> dict[str, Any]:
    """The figures of a report. run: what is known of the model, as `Run` has it."""
    figures = evaluate(
        Run(iter(list(examples)), **run),
        spans_key=spans_key,
        source="the test",
        n_examples=n_examples,
    )
    names = {"version": 1, "name": "test", "model": "model", "data": "data.spacy"}
    return {**names, **figures}
