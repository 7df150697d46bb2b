"""What is reported of label prompts, of a method whose answers are known."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from spacy.tokens import Doc, Span

from benchmarks.accuracy.corpora import KEY, copied
from tests.benchmarks.accuracy.learned import make_docs

pytest.importorskip("gliner")

from benchmarks.accuracy.zero_shot import ask, figures, page


class Lexicon:
    """A method that finds every span it has seen of a label it is asked for, with one score."""

    def __init__(self, score: float) -> None:
        self.score = score

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        self.known = {(span.text, span.label_) for doc in docs for span in doc.spans[KEY]}

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        for doc in docs:
            copy = copied(doc, doc.vocab)
            found = [
                Span(copy, start, end, label=label)
                for start in range(len(doc))
                for end in range(start + 1, len(doc) + 1)
                for label in doc._.gliner_labels
                if (doc[start:end].text, label) in self.known
            ]
            copy.spans[KEY] = found
            copy.spans[KEY].attrs["scores"] = np.full(len(found), self.score, dtype=np.float32)
            yield copy


def test_labels_are_read_as_words() -> None:
    docs = make_docs()
    docs[0].spans[KEY] = [Span(docs[0], 0, 2, label="PER"), Span(docs[0], 2, 3, label="used_to")]
    ask(docs[:1])
    assert docs[0]._.gliner_labels == {"PER": "person", "used_to": "used to"}


def test_figures_are_of_unseen_labels_beside_those_of_learned_ones() -> None:
    learned, unseen = make_docs()[:2], make_docs()[2:4]
    ask(learned)
    ask(unseen)
    method = Lexicon(score=0.4)
    method.train([*learned, unseen[1]], updates=1, seed=1)
    row = figures(method, learned, unseen)
    assert row["threshold"] == 0.4
    assert row["learned"]["f"] == 1.0
    assert row["default"]["f"] == 0.0, "all scores are below 0.5"
    assert (row["chosen"]["p"], row["chosen"]["r"]) == (1.0, pytest.approx(1 / 3))
    about = {"method": "lexicon", "stage": "zero-shot", "seed": 1}
    data = {"segments": 3, "test": 2, "test_spans": 3}
    settings = {"train": ["a"], "test": "b", "updates": 1, "longest": 9, "gliner": "0.2"}
    text = page({**settings, "data": data, "rows": [{**about, **row}]})
    assert "| 100.0 33.3 50.0 | 100.0 100.0 100.0 |" in text
