"""What is compared: anything that learns from documents with spans, and then finds spans."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example
from spacy.util import filter_spans, fix_random_seed, load_config, load_model_from_config, registry
from tqdm import tqdm

from benchmarks.accuracy.corpora import KEY, copied

LOWEST_SCORE = 0.02
"""Down to which methods give their candidates."""
FOLDER = Path(__file__).parent


class Method(Protocol):
    """One model, from nothing to its predictions."""

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """Learn from the gold in `doc.spans[KEY]`: that many updates of one document each."""

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """Copies of the documents, with the same tokens.

        In `doc.spans[KEY]` are all candidates of `LOWEST_SCORE` and more, and their scores in
        `.attrs["scores"]`. The scores of a threshold's candidates are all that are not lower. A
        method that knows no scores gives its answer, without them.
        """


class SpacyMethod:
    """A pipeline of a spaCy config whose last component writes to `doc.spans[KEY]` or `doc.ents`.

    config: its path in this folder. overrides: values by their dotted names in it.
    `[training]` gives the optimizer, dropout and annotating components; the harness sets the
    optimizer's `total_steps` and `warmup_steps`.
    """

    def __init__(self, config: str, overrides: dict[str, Any] | None = None) -> None:
        self.config = FOLDER / config
        self.overrides = overrides or {}
        self.nlp: Language

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """As `spacy train` does, but for the choice of a best state: the last one stays."""
        steps = {
            "training.optimizer.total_steps": updates,
            "training.optimizer.warmup_steps": updates // 10,
        }
        config = load_config(self.config, overrides={**self.overrides, **steps})
        fix_random_seed(seed)
        nlp = self.nlp = load_model_from_config(config, auto_fill=True)
        training = registry.resolve(
            nlp.config.interpolate()["training"], schema=ConfigSchemaTraining
        )
        optimizer = training["optimizer"]
        examples = [_example(nlp, doc) for doc in docs]
        nlp.initialize(lambda: examples)
        # Its weights are drawn: what follows does not depend on how many numbers that took.
        fix_random_seed(seed)
        for example in tqdm(_shuffled(examples, updates, seed), total=updates, unit="update"):
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

    def predict(self, docs: Sequence[Doc]) -> Iterator[Doc]:
        """See `Method.predict`."""
        writer = self.nlp.pipeline[-1][1]
        if "threshold" in writer.cfg:
            writer.cfg["threshold"] = LOWEST_SCORE
        for doc in docs:
            predicted = self.nlp(copied(doc, self.nlp.vocab))
            if writer.cfg.get("spans_key") != KEY:
                predicted.spans[KEY] = list(predicted.ents)
            yield _with_spans(doc, predicted.spans[KEY])


def _example(nlp: Language, doc: Doc) -> Example:
    """`reference.ents` get the longest of spans that overlap, for components that know no more."""
    reference = copied(doc, nlp.vocab, spans=doc.spans[KEY])
    reference.set_ents(filter_spans(reference.spans[KEY]))
    return Example(copied(doc, nlp.vocab), reference)


def _shuffled(examples: Sequence[Example], count: int, seed: int) -> Iterator[Example]:
    """Each once in a random order, and again in another, `count` in all."""
    order = random.Random(seed)
    left: list[Example] = []
    for _ in range(count):
        left = left or order.sample(examples, len(examples))
        yield left.pop()


def _with_spans(doc: Doc, group: SpanGroup) -> Doc:
    """A copy of the document with these spans and their scores, and nothing else of their document.

    Vectors of all tokens hang on a document that a transformer has read.
    """
    copy = copied(doc, doc.vocab)
    copy.spans[KEY] = SpanGroup(
        copy,
        name=KEY,
        spans=[Span(copy, span.start, span.end, label=span.label_) for span in group],
        attrs={"scores": group.attrs["scores"]} if "scores" in group.attrs else {},
    )
    return copy
