"""Precision, recall and F by hand, and against spaCy's scorer."""

import random

import pytest
from spacy.lang.en import English
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_sener.scorer import length_bucket, make_span_scorer, score_spans

VOCAB = English().vocab
Spans = list[tuple[int, int, str]]  # first token, last token, label


def make_doc(spans: Spans | None, key: str = "sc", n_tokens: int = 300) -> Doc:
    doc = Doc(VOCAB, words=["a"] * n_tokens)
    if spans is not None:
        doc.spans[key] = [Span(doc, start, end + 1, label=label) for start, end, label in spans]
    return doc


def make_example(predicted: Spans | None, gold: Spans | None, key: str = "sc") -> Example:
    return Example(make_doc(predicted, key), make_doc(gold, key))


@pytest.mark.parametrize(
    ("n_tokens", "bucket"),
    [
        *[(1, "1"), (2, "2-4"), (4, "2-4"), (5, "5-16"), (16, "5-16"), (17, "17-64")],
        *[(64, "17-64"), (65, "65-128"), (128, "65-128"), (129, ">128"), (9999, ">128")],
    ],
)
def test_length_buckets(n_tokens: int, bucket: str) -> None:
    assert length_bucket(n_tokens) == bucket


def test_by_hand() -> None:
    """Of five predicted spans three are right; there are six gold ones."""
    right = [(0, 0, "A"), (3, 5, "B"), (0, 130, "C")]  # 1, 3 and 131 tokens
    predicted = [*right, (7, 9, "A"), (10, 30, "B")]  # wrong: a label, and a length of 21
    gold = [*right, (7, 9, "B"), (10, 29, "B"), (100, 164, "A")]  # the last is of 65 tokens
    scores = score_spans([make_example(predicted, gold)], spans_key="sc")
    assert scores["spans_sc_p"] == pytest.approx(3 / 5)
    assert scores["spans_sc_r"] == pytest.approx(3 / 6)
    assert scores["spans_sc_f"] == pytest.approx(2 * 3 / (5 + 6))
    assert scores["spans_sc_per_type"] == {
        "A": pytest.approx({"p": 1 / 2, "r": 1 / 2, "f": 1 / 2}),
        "B": pytest.approx({"p": 1 / 2, "r": 1 / 3, "f": 2 / 5}),
        "C": pytest.approx({"p": 1, "r": 1, "f": 1}),
    }
    assert scores["spans_sc_per_length"] == {
        "1": pytest.approx({"p": 1, "r": 1, "f": 1}),
        "2-4": pytest.approx({"p": 1 / 2, "r": 1 / 2, "f": 1 / 2}),
        "17-64": {"p": 0, "r": 0, "f": 0},
        "65-128": {"p": 0, "r": 0, "f": 0},
        ">128": pytest.approx({"p": 1, "r": 1, "f": 1}),
    }


def test_a_span_counts_in_the_bucket_of_its_own_length() -> None:
    """Predicted with 17 tokens, annotated with 16: false in one bucket, missed in the other."""
    scores = score_spans([make_example([(0, 16, "A")], [(0, 15, "A")])], spans_key="sc")
    assert set(scores["spans_sc_per_length"]) == {"5-16", "17-64"}
    assert scores["spans_sc_f"] == 0


def test_equals_the_scorer_of_spacy() -> None:
    rng = random.Random(0)

    def spans() -> Spans:
        starts = [rng.randrange(20) for _ in range(rng.randrange(12))]
        found = {(start, start + rng.randrange(4), rng.choice("AB")) for start in starts}
        return sorted(found)

    examples = [make_example(spans(), spans()) for _ in range(20)]
    ours = score_spans(examples, spans_key="sc")
    assert 0 < ours["spans_sc_f"] < 1
    theirs = Scorer.score_spans(
        examples,
        "spans_sc",
        getter=lambda doc, _: doc.spans["sc"],
        has_annotation=lambda doc: "sc" in doc.spans,
        allow_overlap=True,
    )
    assert {name: value for name, value in ours.items() if "length" not in name} == theirs
    assert set(ours) - set(theirs) == {"spans_sc_per_length"}


def test_documents_without_annotation_do_not_count() -> None:
    annotated = make_example([(0, 1, "A")], [(0, 1, "A")])
    unknown = make_example([(0, 1, "A"), (5, 9, "B")], None)
    assert score_spans([annotated, unknown], spans_key="sc")["spans_sc_p"] == 1
    scores = score_spans([unknown], spans_key="sc")
    assert scores["spans_sc_f"] is None
    assert "spans_sc_per_length" not in scores
    assert score_spans([], spans_key="sc")["spans_sc_f"] is None


def test_documents_annotated_as_empty_count() -> None:
    scores = score_spans([make_example([(0, 1, "A")], [])], spans_key="sc")
    assert (scores["spans_sc_p"], scores["spans_sc_r"], scores["spans_sc_f"]) == (0, 0, 0)
    scores = score_spans([make_example([], [(0, 1, "A")])], spans_key="sc")
    assert (scores["spans_sc_p"], scores["spans_sc_r"], scores["spans_sc_f"]) == (0, 0, 0)


def test_a_document_without_a_prediction_misses_its_spans() -> None:
    examples = [make_example(None, [(0, 1, "A")]), make_example([(0, 1, "A")], [(0, 1, "A")])]
    scores = score_spans(examples, spans_key="sc")
    assert scores["spans_sc_r"] == pytest.approx(1 / 2)
    assert scores["spans_sc_per_length"]["2-4"]["r"] == pytest.approx(1 / 2)


def test_another_key_is_read_and_named() -> None:
    example = make_example([(0, 1, "A")], [(0, 1, "A")], key="blocks")
    scores = make_span_scorer()([example], spans_key="blocks", threshold=0.5)
    assert scores["spans_blocks_f"] == 1
    assert score_spans([example], spans_key="sc")["spans_sc_f"] is None


def test_the_same_words_in_other_tokens() -> None:
    """A predicted span of other tokens is right if it holds the same characters."""
    words = ["New", "York", "is", "large"]
    predicted = Doc(VOCAB, words=["New", "Yo", "rk", "is", "large"], spaces=[1, 0, 1, 1, 0])
    predicted.spans["sc"] = [Span(predicted, 0, 3, label="A")]
    reference = Doc(VOCAB, words=words, spaces=[1, 1, 1, 0])
    reference.spans["sc"] = [Span(reference, 0, 2, label="A")]
    scores = score_spans([Example(predicted, reference)], spans_key="sc")
    assert scores["spans_sc_f"] == 1
