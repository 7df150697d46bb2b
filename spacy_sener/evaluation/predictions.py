"""Examples to evaluate: gold documents with what a pipeline, or a file, says of their texts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.pipeline import SpanCategorizer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.corpus import FILE_TYPE, walk_corpus
from spacy.vocab import Vocab

from ..corpora.copies import same_tokens
from ..corpora.docbin import (
    damage_named,
    load_docbin,
    load_docs,
    read_examples,
    require_docbin,
)
from ..extensions import LABELS, copy_labels


@dataclass
class Run:
    """Examples with predictions, read once and one after the other, and what is known of them.

    threshold: lowest score that the pipeline itself keeps. None: not known, or there is none.
    lowest_score: lowest score among these predictions, which may be less. None: as above.
    by_score: whether, as far as that is known, a higher threshold keeps what has a higher score.
    reach, labels: largest distance between the ends of a span, and labels, of a model with a reach.
    seconds: taken by reading, tokenizing and predicting so far; None for predictions from a file.
    asked: labels that documents named themselves, so far, in place of the model's.
    """

    examples: Iterator[Example]
    threshold: float | None = None
    lowest_score: float | None = None
    by_score: bool = True
    reach: int | None = None
    labels: tuple[str, ...] = ()
    seconds: float | None = None
    asked: set[str] = field(default_factory=set)

    @property
    def known(self) -> list[str]:
        """All labels that predictions can have, as far as that is known so far."""
        return sorted({*self.labels, *self.asked})


def require_spans(data_path: Path, spans_key: str) -> int:
    """How many documents the data has.

    Raises ValueError if none has spans under the key, and for a file that is no .spacy file.
    """
    require_docbin(data_path)
    vocab, keys, n_documents = spacy.blank("xx").vocab, set[str](), 0
    for path in walk_corpus(data_path, FILE_TYPE):
        doc_bin = load_docbin(path)
        n_documents += len(doc_bin)
        docs = doc_bin.get_docs(vocab)
        with damage_named(path):
            while spans_key not in keys and (doc := next(docs, None)) is not None:
                keys.update(key for key, group in doc.spans.items() if group)
    if spans_key not in keys:
        raise ValueError(_no_spans(f"{data_path} has no annotation in", spans_key, keys))
    return n_documents


def from_pipeline(
    nlp: Language,
    data_path: Path,
    *,
    spans_key: str,
    gold_preproc: bool = False,
    lowest_score: float = 0.05,
) -> Run:
    """Let a pipeline predict the documents, as `spacy evaluate` does, however long they are.

    Each is asked for the labels that its gold document names, if it does.

    gold_preproc: on the tokens of the gold documents. These are not cut into sentences, unlike by
        spaCy, as spans may be longer.
    lowest_score: the threshold of the component that writes to the key is lowered to it for the
        run, if it keeps spans by their scores.
    """
    nlp.max_length = sys.maxsize  # for components that need much memory for a long text
    pipe = writer(nlp, spans_key)
    by_score = keeps_by_score(pipe)
    threshold = pipe.cfg.get("threshold") if by_score else None
    lowest = None if threshold is None else min(threshold, lowest_score)
    run = Run(iter(()), threshold, lowest, by_score, _reach(pipe), _labels(pipe), 0.0)
    corpus = _on_gold_tokens(nlp, data_path) if gold_preproc else read_examples(data_path, nlp)

    def examples() -> Iterator[Example]:
        with nullcontext() if lowest is None else changed(pipe.cfg, threshold=lowest):
            asked = ((_as_asked(example, run), example) for example in corpus)
            pairs = nlp.pipe(asked, as_tuples=True)
            for predicted, example in _timed(pairs, run):
                yield Example(predicted, example.reference)

    run.examples = examples()
    return run


def from_file(path: Path, data_path: Path) -> Run:
    """Read predictions from a .spacy file: the documents of the data, in their order.

    Raises ValueError, where the documents are read, if they are not the same.
    """
    vocab = spacy.blank("xx").vocab
    return Run(paired(_read(path, vocab), _read(data_path, vocab), path, data_path))


def paired(
    predicted: Iterable[Doc], gold: Iterable[Doc], path: Path, gold_path: Path
) -> Iterator[Example]:
    """Each document with its gold one. Raises ValueError for another text, naming the files."""
    for number, (one, other) in enumerate(zip_longest(predicted, gold), start=1):
        if one is None or other is None or one.text != other.text:
            raise ValueError(
                f"Document {number} of {path} is not that of {gold_path}: {_start(one)} and "
                f"{_start(other)}. Both files must hold the same texts in the same order."
            )
        yield Example(one, other)


def require_predictions(keys: set[str], spans_key: str, source: str) -> None:
    """Raises ValueError if no document of the predictions has the key.

    keys: those of `doc.spans` in all of them.
    """
    if spans_key not in keys:
        raise ValueError(_no_spans(f"{source} writes nothing to", spans_key, keys))


def _no_spans(what: str, spans_key: str, keys: set[str]) -> str:
    hint = " If yours is one of them, name it with --spans-key." if keys else ""
    return (
        f"{what} doc.spans['{spans_key}']. The keys that are there: {sorted(keys) or 'none'}.{hint}"
    )


def writer(nlp: Language, spans_key: str) -> Any:
    """The last component that is configured to write to the key, or None."""
    writer = None
    for _, pipe in nlp.pipeline:
        cfg = getattr(pipe, "cfg", None)
        if isinstance(cfg, dict) and cfg.get("spans_key") == spans_key:
            writer = pipe
    return writer


def keeps_by_score(pipe: Any) -> bool:
    """Whether what a component gives at a threshold is what reaches it among all that it gives.

    That holds for spaCy's span categorizers, and for components of this package, but where a score
    is the mean of what the threshold is for. Of others it is not known: the threshold of spaCy's
    span finder, say, is for the ends of spans that have no scores.
    """
    return isinstance(pipe, SpanCategorizer) or getattr(pipe, "keeps_by_score", False)


def _reach(pipe: Any) -> int | None:
    """None where the component has no model with a reach, or no model at all."""
    attrs: dict[str, Any] = getattr(getattr(pipe, "model", None), "attrs", {})
    return attrs.get("reach")


def _labels(pipe: Any) -> tuple[str, ...]:
    return tuple(getattr(pipe, "labels", ()))


def _on_gold_tokens(nlp: Language, data_path: Path) -> Iterator[Example]:
    for gold in _read(data_path, nlp.vocab):
        yield Example(same_tokens(gold, nlp.vocab), gold)


@contextmanager
def changed(cfg: dict[str, Any], **settings: Any) -> Iterator[None]:
    """Other settings of a component for a while."""
    before = {name: cfg[name] for name in settings}
    cfg.update(settings)
    try:
        yield
    finally:
        cfg.update(before)


def _as_asked(example: Example, run: Run) -> Doc:
    copy_labels(example.reference, to=example.predicted)
    run.asked.update(example.reference._.get(LABELS) or ())
    return example.predicted


def _timed(pairs: Iterator[tuple[Doc, Example]], run: Run) -> Iterator[tuple[Doc, Example]]:
    while True:
        begin = time.perf_counter()
        pair = next(pairs, None)
        run.seconds = (run.seconds or 0.0) + time.perf_counter() - begin
        if pair is None:
            return
        yield pair


def _read(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """The documents of a file or folder but for empty ones, which spaCy's corpora skip, too."""
    for file in walk_corpus(path, FILE_TYPE):
        yield from (doc for doc in load_docs(file, vocab) if len(doc))


def _start(doc: Doc | None) -> str:
    return "no document" if doc is None else repr(" ".join(doc.text[:40].split()))
