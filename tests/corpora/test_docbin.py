"""spaCy's binary files as they are read: tokens, spans and scores stay."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora.documents import NLP, read
from spacy.tokens import Doc, DocBin, Span


def write(path: Path, *docs: Doc) -> Path:
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


def test_tokens_spans_and_scores_stay(tmp_path: Path) -> None:
    doc = Doc(NLP.vocab, words=["one", "two", "-", "three"], spaces=[True, False, False, False])
    doc.spans["sc"] = [Span(doc, 0, 2, "x"), Span(doc, 3, 4, "y")]
    doc.spans["sc"].attrs["scores"] = np.array([0.25, 0.5], dtype=np.float32)
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert [token.text for token in again] == ["one", "two", "-", "three"]
    spans = [(span.text, span.label_) for span in again.spans["sc"]]
    assert spans == [("one two", "x"), ("three", "y")]
    assert again.spans["sc"].attrs["scores"].tolist() == [0.25, 0.5]
    assert again.user_data["doc_id"] == "a.spacy:1"
    assert (report.docs, report.spans) == (1, 2)
    assert not report.problems


def test_entities_are_taken_where_there_is_no_such_key(tmp_path: Path) -> None:
    named, other, bare = NLP("one two"), NLP("three"), NLP("four")
    named.ents = [Span(named, 0, 1, "x")]
    other.spans["other"] = [other[0:1]]
    docs, report = read(write(tmp_path / "a.spacy", named, other, bare))
    assert [[span.text for span in doc.spans["sc"]] for doc in docs] == [["one"], [], []]
    assert report.problems == {"from doc.ents": 1, "other spans key": 1}
    assert report.examples["other spans key"] == [
        "a.spacy:2 (document 2): {'key': 'other', 'spans': 1}"
    ]


def test_what_is_beside_an_empty_group_is_reported(tmp_path: Path) -> None:
    doc = NLP("one two three")
    doc.spans["sc"], doc.spans["other"], doc.spans["none"] = [], [doc[0:2], doc[1:2]], []
    doc.ents = [Span(doc, 2, 3, "y")]
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert not again.spans["sc"]
    assert report.problems == {"other spans key": 1, "beside an empty group": 1}


def test_spans_are_trimmed_and_each_taken_once(tmp_path: Path) -> None:
    doc = Doc(NLP.vocab, words=["\n", "one", "two", "\n", "\n"])
    ends = [(0, 4, "x"), (1, 3, "x"), (1, 3, "y"), (3, 5, "x")]
    doc.spans["sc"] = [Span(doc, *at, label=label, kb_id="Q1", span_id="s") for *at, label in ends]
    doc.spans["sc"].attrs.update(scores=[0.5, 0.25, 0.125, 1.0], by="Ada")
    [again], report = read(write(tmp_path / "a.spacy", doc))
    spans = [
        (span.start, span.end, span.label_, span.kb_id_, span.id_) for span in again.spans["sc"]
    ]
    assert spans == [(1, 3, "x", "Q1", "s"), (1, 3, "y", "Q1", "s")]
    assert again.spans["sc"].attrs["scores"].tolist() == [0.5, 0.125]
    assert again.spans["sc"].attrs["by"] == "Ada"
    assert report.problems == {"whitespace at an end": 1, "duplicate": 1, "only whitespace": 1}


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "a.spacy").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a\.spacy: not a whole \.spacy file: (?!.*not a whole)"):
        read(tmp_path / "a.spacy")
    doc = NLP("one")
    doc.user_data["doc_id"] = ("one", 2)
    path = write(tmp_path / "b.spacy", NLP("two"), doc)
    with pytest.raises(ValueError, match=r"b\.spacy, document 2: a document's name should be"):
        read(path)


def test_what_is_beside_the_spans_of_the_key_is_reported(tmp_path: Path) -> None:
    """Spans as a problem, as in other formats; entities, of another kind, are counted."""
    doc = NLP("one two three")
    doc.spans["sc"], doc.spans["other"] = [Span(doc, 0, 1, "x")], [doc[0:2], doc[1:2]]
    doc.ents = [Span(doc, 2, 3, "y")]
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert [span.text for span in again.spans["sc"]] == ["one"]
    assert [span.text for span in again.spans["other"]] == ["one two", "two"]
    assert report.problems == {"other spans key": 1}
    assert report.examples["other spans key"][0].endswith(": {'key': 'other', 'spans': 2}")
    assert report.unread == {"named entities": 1}


def test_spans_without_a_label_are_left_out(tmp_path: Path) -> None:
    doc = NLP("one two three")
    doc.spans["sc"] = [Span(doc, 0, 2), Span(doc, 1, 2, "x"), Span(doc, 0, 1, " ")]
    doc.spans["sc"].attrs["scores"] = [0.25, 0.5, 0.75]
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert [span.label_ for span in again.spans["sc"]] == ["x"]
    assert again.spans["sc"].attrs["scores"].tolist() == [0.5]
    assert report.problems == {"unlabelled": 2}
    assert set(report.labels) == {"x"}


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5, 0.5], ["high", "low"], "ab", 5, {"a": 1}])
def test_scores_that_are_not_one_number_for_each_span(tmp_path: Path, scores: Any) -> None:
    for wrong in (scores, [0.5, float("inf")]):
        doc = NLP("one two")
        doc.spans["sc"] = [Span(doc, 0, 1, "x"), Span(doc, 1, 2, "y")]
        doc.spans["sc"].attrs["scores"] = wrong
        [again], report = read(write(tmp_path / "a.spacy", doc))
        assert [span.label_ for span in again.spans["sc"]] == ["x", "y"]
        assert "scores" not in again.spans["sc"].attrs
        assert report.problems == {"unusable score": 1}


def test_scores_in_a_column_are_kept_as_a_row(tmp_path: Path) -> None:
    doc = NLP("one two")
    doc.spans["sc"] = [Span(doc, 0, 1, "x"), Span(doc, 1, 2, "y")]
    doc.spans["sc"].attrs["scores"] = np.array([[0.5], [0.25]])
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert again.spans["sc"].attrs["scores"].tolist() == [0.5, 0.25]
    assert not report.problems


def test_a_span_may_have_no_score(tmp_path: Path) -> None:
    doc = NLP("one two")
    doc.spans["sc"] = [Span(doc, 0, 1, "x"), Span(doc, 1, 2, "y")]
    doc.spans["sc"].attrs["scores"] = [0.5, None]
    [again], report = read(write(tmp_path / "a.spacy", doc))
    scores = again.spans["sc"].attrs["scores"]
    assert scores[0] == 0.5
    assert np.isnan(scores[1])
    assert not report.problems


@pytest.mark.parametrize("wrong", ["person", 7, True])
def test_labels_asked_for_that_are_no_labels(tmp_path: Path, wrong: Any) -> None:
    doc = NLP("one")
    doc._.gliner_labels = wrong
    path = write(tmp_path / "a.spacy", NLP("two"), doc)
    message = r"a\.spacy, document 2: 'gliner_labels' should be a list of labels, but is "
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("labels", "kept", "n_unusable"),
    [
        (["person", "city"], ["person", "city"], 0),
        ({"person": "somebody", "city": ""}, {"person": "somebody"}, 1),
        (["person", 7, "person", " "], ["person"], 2),
        ([" "], None, 1),
        ([], None, 0),
    ],
)
def test_labels_asked_for_are_read_as_in_other_formats(
    tmp_path: Path, labels: Any, kept: Any, n_unusable: int
) -> None:
    doc = NLP("one")
    doc._.gliner_labels = labels
    [again], report = read(write(tmp_path / "a.spacy", doc))
    assert again._.gliner_labels == kept
    assert report.problems["unusable label"] == n_unusable
