"""Classes by prompt: read off the places where they stand in it, whatever they are called."""

import math
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Doc
from taught_gliner import BORN, BOTH, CLASSES, CLASSES_OF, COURT, MOVED, SCIENCE
from tiny_gliner import ALONE, component, marking_pipeline

from spacy_sener.pipeline.classification import _best_spans
from spacy_sener.prompts import make_prompt
from spacy_sener.types import Found


@pytest.fixture
def gliner(taught: Language) -> Any:
    return taught.get_pipe("gliner_multitask")


@pytest.fixture
def docs(taught: Language) -> list[Doc]:
    return [taught.make_doc(text) for text in CLASSES_OF]


def test_several_classes(gliner: Any, docs: list[Doc]) -> None:
    """Of classes that hold commas, or each other's words, that one comes out which is meant."""
    found = gliner.classify(docs, CLASSES, multi=True)
    assert [set(each) for each in found] == [set(each) for each in CLASSES_OF.values()]
    for scores in found:
        values = list(scores.values())
        assert values == sorted(values, reverse=True)
        assert all(0.5 < value <= 1 for value in values)


def test_one_class(gliner: Any, docs: list[Doc]) -> None:
    """Its score is its share in the softmax over all classes that were found."""
    several, one = gliner.classify(docs, CLASSES, multi=True), gliner.classify(docs, CLASSES)
    for scores, single in zip(several, one, strict=True):
        if not scores:
            assert single == {}
            continue
        best, *_ = scores
        total = sum(math.exp(score) for score in scores.values())
        assert single == {best: pytest.approx(math.exp(scores[best]) / total)}
    by_text = dict(zip(CLASSES_OF, one, strict=True))
    assert by_text[SCIENCE] == {"science": 1.0}
    assert by_text[BORN] == {"art history": 1.0}
    assert 0.5 <= next(iter(by_text[BOTH].values())) < 0.6
    assert by_text[MOVED] == {}


def test_a_class_has_the_best_score_of_a_span_within_its_words(published: Language) -> None:
    gliner: Any = published.get_pipe("gliner_multitask")
    docs = [published.make_doc(BORN)]
    labels = ["art, music", "art", "art history"]
    places = [(0, 10), (12, 15), (17, 28)]
    text = ", ".join(labels)
    assert [text[start:end] for start, end in places] == labels
    task = f"Classify text into the following classes: {text} \n "
    offset = task.index(text)
    (found,) = gliner.classify(docs, labels, multi=True, threshold=0.01)
    marked = gliner.find_in_task(
        docs, [make_prompt(["match"], task=task)], threshold=0.01, overlap="any"
    )[0]
    expected = {}
    for label, (start, end) in zip(labels, places, strict=True):
        within = [
            each.score
            for each in marked
            if start <= each.start_char - offset and each.end_char - offset <= end
        ]
        if within:
            expected[label] = max(within)
    assert len(marked) > sum(len(label.split()) for label in labels)  # some lie across classes
    assert found == expected
    assert set(found) == set(labels)


def test_the_best_span_of_a_class_may_be_any_of_its_spans() -> None:
    spans = [Found(0, 3, "match", 0.4), Found(4, 9, "match", 0.9), Found(0, 9, "match", 0.7)]
    spans.append(Found(4, 12, "match", 0.95))  # it ends in the next class
    assert _best_spans(spans, ["art music", "law"], [(0, 9), (11, 14)]) == {"art music": 0.9}


def test_descriptions_are_read_and_names_come_out(gliner: Any, docs: list[Doc]) -> None:
    named = {"A": "art", "H": "art history", "S": " science ", "O": "law, order", "L": "law"}
    by_name = gliner.classify(docs, named, multi=True)
    names = {reading.strip(): name for name, reading in named.items()}
    plain = gliner.classify(docs, CLASSES, multi=True)
    assert by_name == [{names[label]: score for label, score in each.items()} for each in plain]


def test_classes_that_hold_braces(published: Language) -> None:
    gliner: Any = published.get_pipe("gliner_multitask")
    docs = [published.make_doc(BORN)]
    labels = ["{}", "{0}", "100 %s", "science"]
    (found,) = gliner.classify(docs, labels, multi=True, threshold=0.001)
    assert set(found) == set(labels)


def test_batches_empty_documents_and_long_ones(gliner: Any, taught: Language) -> None:
    """A long document is read in windows, with the classes in each."""
    texts = (COURT, "", " ".join([COURT] * 15), " \n ", SCIENCE)
    docs = [taught.make_doc(text) for text in texts]
    found = gliner.classify(docs, CLASSES, threshold=0.05, multi=True)
    alone = [gliner.classify([doc], CLASSES, threshold=0.05, multi=True)[0] for doc in docs]
    assert [list(each) for each in found] == [list(each) for each in alone]
    for together, single in zip(found, alone, strict=True):
        assert together == pytest.approx(single, abs=1e-4)
    assert [bool(each) for each in found] == [True, False, True, False, True]
    assert gliner.classify([], CLASSES) == []


def test_what_is_asked_must_make_sense(gliner: Any, docs: list[Doc]) -> None:
    for labels in ([], "art", ["art", " "]):
        with pytest.raises(ValueError, match="label"):
            gliner.classify(docs, labels)
    with pytest.raises(ValueError, match=r"Give a list of documents, \[doc\]"):
        gliner.classify(docs[0], CLASSES)
    with pytest.raises(ValueError, match=r"The task 'Classify.*max_pieces = 128"):
        gliner.classify(docs, ["art", "law " * 100])


def test_any_number_of_classes(tiny_encoder: Path) -> None:
    """Also one that leaves a piece or two beside the task, which "match" is longer than."""
    nlp = marking_pipeline(tiny_encoder, max_pieces=160)
    gliner, docs = component(nlp), [nlp.make_doc(BORN)]
    for n_classes in range(1, 60):
        labels = [f"a{i}" for i in range(n_classes - 1)]
        (found,) = gliner.classify(docs, [*labels, ALONE], multi=True)
        assert list(found) == [ALONE]


def test_more_classes_than_a_window_holds(tiny_encoder: Path) -> None:
    """A word of the task is marked for what it is, in whatever pass it stands."""
    nlp = marking_pipeline(tiny_encoder, max_pieces=256)
    gliner, docs = component(nlp), [nlp.make_doc(BORN), nlp.make_doc("")]
    labels = [f"class {i}" for i in range(500)]
    for place in (0, 249, 250, 499):
        labels[place] = f"{ALONE} {place}"
    several, nothing = gliner.classify(docs, labels, multi=True)
    assert list(several) == [f"{ALONE} {place}" for place in (0, 249, 250, 499)]
    assert len(set(several.values())) == 1
    assert nothing == {}
    assert gliner.classify(docs[:1], labels) == [{f"{ALONE} 0": pytest.approx(0.25)}]
