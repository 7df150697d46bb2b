"""What is compared: anything that learns from documents with spans, and then finds spans."""

import importlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import numpy as np
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example
from spacy.util import (
    filter_spans,
    fix_random_seed,
    load_config,
    load_model,
    load_model_from_config,
    registry,
)
from thinc.api import Config
from tqdm import tqdm

from benchmarks.accuracy.corpora import KEY, copied, cut
from spacy_sener.cli.init_config import init_config_cli
from spacy_sener.scores import span_scores
from spacy_sener.sources import DEFAULT_SOURCE

LOWEST_SCORE = 0.02
"""Down to which methods give their candidates."""
FOLDER = Path(__file__).parent
T = TypeVar("T")


class Method(Protocol):
    """One model, from nothing to its predictions."""

    @property
    def has_scores(self) -> bool:
        """Whether what it finds has scores. Asked once it is trained."""

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """Learn from the gold in `doc.spans[KEY]`: that many updates of one document each."""

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """Copies of the documents, with the same tokens.

        In `doc.spans[KEY]` are all candidates of `LOWEST_SCORE` and more, and their scores in
        `.attrs["scores"]`. The scores of a threshold's candidates are all that are not lower. A
        method without scores gives its answer.
        """


class SpacyMethod:
    """A pipeline of a spaCy config whose last component writes to `doc.spans[KEY]` or `doc.ents`.

    config: its path in this folder. `[training]` gives the optimizer, dropout and annotating
        components; the `total_steps` and `warmup_steps` of an AdamW follow from the updates.
    overrides: values by their dotted names in the config.
    code: module that registers what the config names.
    longest: documents of more tokens are read in parts, which lose the spans that cross them.
    empty: share of the documents without spans that is trained on, drawn with the seed.
    read_with: other values of the config with which the trained pipeline is loaded, to read.
    """

    def __init__(
        self,
        *,
        config: str,
        overrides: dict[str, Any] | None = None,
        code: str | None = None,
        longest: int | None = None,
        empty: float = 1.0,
        read_with: dict[str, Any] | None = None,
    ) -> None:
        if code is not None:
            importlib.import_module(code)
        self.config = FOLDER / config
        self.overrides = overrides or {}
        self.longest = longest
        self.empty = empty
        self.read_with = read_with
        self.nlp: Language
        self.averages: dict[Any, Any] | None = None

    @property
    def has_scores(self) -> bool:
        """Of a component with a threshold. It is there once it is trained."""
        return "threshold" in self.nlp.pipeline[-1][1].cfg

    def read_config(self, docs: Sequence[Doc], updates: int) -> Config:
        """That which is trained on the documents, with so many updates."""
        return load_config(self.config, overrides=self.overrides)

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """As `spacy train` does, but for the choice of a best state: the last one stays."""
        config = self.read_config(docs, updates)
        if config["training"]["optimizer"]["@optimizers"] == "spacy-sener.AdamW.v1":
            steps = {"total_steps": updates, "warmup_steps": updates // 10}
            config["training"]["optimizer"] |= steps
        fix_random_seed(seed)
        nlp = self.nlp = load_model_from_config(config, auto_fill=True)
        training = registry.resolve(
            nlp.config.interpolate()["training"], schema=ConfigSchemaTraining
        )
        optimizer = training["optimizer"]
        examples = [_example(nlp, doc) for doc in thinned(docs, self.empty, seed)]
        nlp.initialize(lambda: examples)
        # Weights were drawn: what follows must not depend on how many numbers that took.
        fix_random_seed(seed)
        for example in tqdm(shuffled(examples, updates, seed), total=updates, unit="update"):
            nlp.update(
                [example],
                drop=training["dropout"],
                # A transformer has its gradients only after all its listeners have been updated.
                sgd=False,
                annotates=training["annotating_components"],
            )
            for _, pipe in nlp.pipeline:
                pipe.finish_update(optimizer)
            optimizer.step_schedules()
        self.averages = optimizer.averages
        if self.read_with is not None:
            with TemporaryDirectory() as folder, nlp.use_params(self.averages):
                nlp.to_disk(folder)
                self.nlp = load_model(folder, config=self.read_with)

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """See `Method.predict`."""
        writer = self.nlp.pipeline[-1][1]
        if self.has_scores:
            writer.cfg["threshold"] = LOWEST_SCORE
        with self.nlp.use_params(self.averages):
            for doc in docs:
                parts = list(cut(copied(doc, self.nlp.vocab), self.longest))
                for part in parts:
                    self.nlp(part)
                    if writer.cfg.get("spans_key") != KEY:
                        part.spans[KEY] = list(part.ents)
                yield _joined(doc, parts)


class InitConfigMethod(SpacyMethod):
    """What `spacy sener init-config --max-steps UPDATES` writes for the documents, on a CPU.

    Not its batches, as an update is of one document. encoder: as in `spacy_sener.sources`.
    overrides: values by their dotted names in what it writes.
    """

    def __init__(
        self, *, encoder: str = DEFAULT_SOURCE, overrides: dict[str, Any] | None = None
    ) -> None:
        super().__init__(config="", overrides=overrides)
        self.encoder = encoder

    def read_config(self, docs: Sequence[Doc], updates: int) -> Config:
        """The config that it writes. What it says of documents without spans is kept to as well."""
        with TemporaryDirectory() as folder:
            corpus, config = Path(folder) / "train.spacy", Path(folder) / "written.cfg"
            DocBin(docs=docs).to_disk(corpus)
            init_config_cli(config, corpus, encoder=self.encoder, max_steps=updates)
            written = load_config(config, overrides=self.overrides)
        self.empty = written["corpora"]["train"].get("empty", 1.0)
        return written


def _example(nlp: Language, doc: Doc) -> Example:
    """`reference.ents` get the longest of spans that overlap, for components that know no more."""
    reference = copied(doc, nlp.vocab, spans=doc.spans[KEY])
    reference.set_ents(filter_spans(reference.spans[KEY]))
    return Example(copied(doc, nlp.vocab), reference)


def thinned(docs: Sequence[Doc], empty: float, seed: int) -> list[Doc]:
    """Those with spans, and of the others about this share."""
    draw = random.Random(seed).random
    return [doc for doc in docs if doc.spans[KEY] or draw() < empty]


def shuffled(items: Sequence[T], count: int, seed: int) -> Iterator[T]:
    """Each once in a random order, and again in another, `count` in all."""
    order = random.Random(seed)
    left: list[T] = []
    for _ in range(count):
        left = left or order.sample(items, len(items))
        yield left.pop()


def _joined(doc: Doc, parts: Sequence[Doc]) -> Doc:
    """A copy of the document with the spans of its parts and their scores.

    Nothing else is kept: vectors of all tokens hang on what a transformer has read.
    """
    joined = copied(doc, parts[0].vocab)
    spans, scores, start = [], [], 0
    for part in parts:
        group = part.spans[KEY]
        spans += [Span(joined, start + s.start, start + s.end, label=s.label_) for s in group]
        scores += span_scores(group)
        start += len(part)
    attrs = {} if None in scores else {"scores": np.array(scores, dtype=np.float32)}
    joined.spans[KEY] = SpanGroup(joined, name=KEY, spans=spans, attrs=attrs)
    return joined
