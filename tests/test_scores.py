"""Scores beside spans."""

import math

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from spacy_sener.scores import span_scores


@pytest.fixture
def doc() -> Doc:
    doc = spacy.blank("en")("one two three")
    doc.spans["sc"] = [doc[0:1], doc[0:2], doc[1:3]]
    return doc


def test_one_for_each_span(doc: Doc) -> None:
    assert span_scores(doc.spans["sc"]) == [None, None, None]
    doc.spans["sc"].attrs["scores"] = np.array([0.25, 0.5, 1.0], dtype=np.float32)
    assert span_scores(doc.spans["sc"]) == [0.25, 0.5, 1.0]


def test_what_is_no_number(doc: Doc) -> None:
    doc.spans["sc"].attrs["scores"] = [None, math.nan, 0.5]
    assert span_scores(doc.spans["sc"]) == [None, None, 0.5]


def test_a_column_is_read_as_a_row(doc: Doc) -> None:
    doc.spans["sc"].attrs["scores"] = np.array([[0.25], [0.5], [1.0]], dtype=np.float32)
    assert span_scores(doc.spans["sc"]) == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("scores", [["high", "low", "low"], [[0.5], [0.25, 0.5], []], [{}, {}, {}]])
def test_other_things_than_numbers(doc: Doc, scores: list[object]) -> None:
    doc.spans["sc"].attrs["scores"] = scores
    with pytest.raises(ValueError, match=r"'sc'\].attrs\['scores'\] should be a number for each"):
        span_scores(doc.spans["sc"])


def test_fewer_than_spans(doc: Doc) -> None:
    doc.spans["sc"].attrs["scores"] = [0.5]
    with pytest.raises(ValueError, match=r"'sc'\] has 3 spans, but attrs\['scores'\] has 1 scores"):
        span_scores(doc.spans["sc"])
