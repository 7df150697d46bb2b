"""A threshold for each label."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span, SpanGroup

from benchmarks.accuracy.corpora import KEY
from benchmarks.accuracy.thresholds import FEWEST, above, label_thresholds
from tests.benchmarks.accuracy.learned import make_docs

THRESHOLDS = [0.1, 0.3, 0.5, 0.7]


def spans_of(doc: Doc) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label_) for span in doc.spans[KEY]]


def scored(doc: Doc, spans: list[Span], scores: list[float]) -> None:
    attrs = {"scores": np.array(scores, dtype=np.float32)}
    doc.spans[KEY] = SpanGroup(doc, name=KEY, spans=spans, attrs=attrs)


@pytest.fixture
def predicted() -> list[Doc]:
    """Right spans at 0.3, and of each document's first token a wrong PLACE at 0.5."""
    docs = make_docs()
    for doc in docs:
        right = list(doc.spans[KEY])
        wrong = Span(doc, 0, 1, "PLACE")
        scored(doc, [*right, wrong], [0.3] * len(right) + [0.5])
    return docs


def test_each_label_has_the_threshold_of_its_own_best_f(predicted: list[Doc]) -> None:
    """One that single precision writes a little above 0.3 is reached by 0.3."""
    gold, copies = make_docs() * 3, predicted * 3
    chosen = label_thresholds(copies, gold, thresholds=THRESHOLDS, default=0.7)
    # 12 spans of ORG, all right at 0.3; 12 of PLACE, and 24 wrong ones wherever those are found.
    assert FEWEST <= 12
    assert (chosen["ORG"], chosen["PLACE"]) == (0.3, 0.3)
    assert {label for label, each in chosen.items() if each == 0.7} == {"PER", "JOB", "DEGREE"}


def test_what_is_above_its_label_threshold_is_kept(predicted: list[Doc]) -> None:
    kept = above(predicted, {"PLACE": 0.5, "ORG": 0.3}, default=0.9)
    for doc, gold in zip(kept, make_docs(), strict=True):
        expected = [span for span in spans_of(gold) if span[2] == "ORG"]
        assert spans_of(doc) == [*expected, (0, 1, "PLACE")]
        assert doc.spans[KEY].attrs["scores"][-1] == np.float32(0.5)
