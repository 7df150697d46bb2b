"""A few documents that can be learned by heart."""

import gzip
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import spacy
from spacy.tokens import Doc, Span

from benchmarks.accuracy.corpora import KEY, copied

SENTENCES = [
    ("Anna Keller is a professor at the University of Zurich .", [(0, 2, "PER"), (6, 10, "ORG")]),
    ("She worked in Berlin from 2010 until 2014 .", [(1, 8, "JOB"), (3, 4, "PLACE")]),
    ("Her PhD is from Stanford University .", [(1, 6, "DEGREE"), (4, 6, "ORG")]),
    ("The library was founded in London .", [(5, 6, "PLACE")]),
]


def make_docs() -> list[Doc]:
    """Each sentence twice, under two names."""
    vocab = spacy.blank("en").vocab
    docs = []
    for number, (text, spans) in enumerate([*SENTENCES, *SENTENCES]):
        doc = Doc(vocab, words=text.split())
        doc.spans[KEY] = [Span(doc, *span) for span in spans]
        doc.user_data["doc_id"] = f"doc-{number}"
        docs.append(doc)
    return docs


def write_corpus(folder: Path) -> None:
    """All sentences as a file to train on, and as one to score."""
    folder.mkdir(parents=True)
    for name in ("train", "dev"):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf8") as file:
            for doc in make_docs():
                words = [token.text for token in doc]
                spans = [[s.start, s.end, words[s.start : s.end], s.label_] for s in doc.spans[KEY]]
                record = {"doc_id": doc.user_data["doc_id"], "text": words, "entity": spans}
                file.write(json.dumps(record) + "\n")


class Greedy:
    """A method that asks for more memory than any machine has."""

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        bytearray(10**15)


class Killed:
    """A method that the system has to kill."""

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Sure:
    """A method that knows all answers, and gives no scores."""

    has_scores = False

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """Nothing is left to learn."""

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """The documents as they are."""
        yield from docs


class Busy(Sure):
    """A method that takes half a second to begin, and a twentieth for each update."""

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """Nothing is learned."""
        end = time.process_time() + 0.5 + 0.05 * updates
        while time.process_time() < end:
            pass


class Silent(Sure):
    """A method with scores that finds nothing."""

    has_scores = True

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """Copies without spans."""
        for doc in docs:
            yield copied(doc, doc.vocab)
