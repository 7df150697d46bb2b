"""Documents to train on, to choose a threshold on, and to score: the same for every method."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_sener.corpora.copies import same_tokens
from spacy_sener.corpora.readers import READERS, doc_from_record
from spacy_sener.corpora.records import Record
from spacy_sener.corpora.report import Report
from spacy_sener.corpora.segments import cut
from spacy_sener.extensions import LABELS

KEY = "sc"
"""Where gold and predicted spans are in `doc.spans`."""
SETTINGS = Path(__file__).parent / "corpora.yml"


@dataclass(frozen=True)
class CorpusSettings:
    """What of a corpus is taken, and how.

    train, dev: numbers of documents, the first ones in the order of a hash of their names.
    longest: longest segment, in tokens, that a document to train on is cut into; None: not cut.
    updates: of one segment each.
    held_out: share of the train documents that is kept out of training, to choose a threshold.
    format: one of `spacy_sener.corpora.readers.READERS`.
    """

    train: int
    dev: int
    longest: int | None
    updates: int
    held_out: float
    format: str


@dataclass(frozen=True)
class Data:
    """Documents with gold spans. Those held out and those of dev are whole.

    lost: gold spans of the train documents that a cut goes through; they are in no segment.
    problems: annotations that the reader had to change or leave out, by kind.
    """

    segments: list[Doc]
    held_out: list[Doc]
    dev: list[Doc]
    lost: int
    problems: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Sizes."""
        parts = {"segments": self.segments, "held_out": self.held_out, "dev": self.dev}
        sizes = {
            name: {
                "count": len(docs),
                "tokens": sum(map(len, docs)),
                "longest": max(map(len, docs), default=0),
                "spans": sum(len(doc.spans[KEY]) for doc in docs),
            }
            for name, docs in parts.items()
        }
        return {**sizes, "lost_spans": self.lost, "problems": self.problems}


def corpus_settings() -> dict[str, CorpusSettings]:
    """Those of `corpora.yml`, by name."""
    return {name: CorpusSettings(**each) for name, each in srsly.read_yaml(SETTINGS).items()}


def train_file(folder: Path) -> Path:
    """Of one corpus."""
    return folder / "train.jsonl.gz"


def dev_file(folder: Path) -> Path:
    """Of one corpus."""
    return folder / "dev.jsonl.gz"


def read_corpus(folder: Path, settings: CorpusSettings) -> Data:
    """Read, choose, tokenize and cut."""
    report = Report()
    train = read_docs(train_file(folder), settings.format, settings.train, report)
    dev = read_docs(dev_file(folder), settings.format, settings.dev, report)
    n_held_out = round(settings.held_out * len(train))
    segments, lost = [], 0
    for doc in train[n_held_out:]:
        pieces = list(cut(doc, settings.longest))
        segments += pieces
        lost += len(doc.spans[KEY]) - sum(len(piece.spans[KEY]) for piece in pieces)
    return Data(segments, train[:n_held_out], dev, lost, dict(report.problems))


def read_docs(path: Path, record_format: str, count: int, report: Report) -> list[Doc]:
    """The first `count` documents of a file in the order of `hashed`.

    Raises ValueError if there are fewer.
    """
    records = sorted(READERS[record_format](path, report), key=hashed)
    if len(records) < count:
        raise ValueError(f"{path} has {len(records)} documents, but corpora.yml takes {count}")
    nlp = spacy.blank("en")
    return [doc_from_record(nlp, each, spans_key=KEY, report=report) for each in records[:count]]


def hashed(record: Record) -> str:
    """A key for an order that has nothing to do with what is in the documents."""
    return hashlib.sha256(str(record.doc_id).encode()).hexdigest()


def copied(doc: Doc, vocab: Vocab, *, spans: Iterable[Span] = ()) -> Doc:
    """The same tokens in another vocabulary, with these spans, asked for the same labels."""
    copy = same_tokens(doc, vocab)
    copy.spans[KEY] = [Span(copy, span.start, span.end, label=span.label_) for span in spans]
    copy.user_data["doc_id"] = doc.user_data["doc_id"]
    copy._.set(LABELS, doc._.get(LABELS))
    return copy
