"""Self-training: a component goes on learning from the spans that it is sure of in raw texts.

So the authors of GLiNER multi-task bring a model to a new domain (arXiv 2406.12925, section 2.3):
the model annotates texts of the domain, and is trained on that for a few hundred steps, at a low
rate and with smoothed labels. It helps where the model is weak (their F of 0.51 became 0.63), and
does nothing, or harm, where it is good (above 0.6).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Model
from tqdm import tqdm

from .corpora.copies import same_tokens
from .corpora.segments import cut
from .evaluation.judging import reaches
from .evaluation.predictions import changed
from .optimizers import build_adamw_v1
from .pipeline.asked import with_gold_labels
from .scorer import score_spans
from .scores import span_scores

FACTORIES = ("sener", "gliner_multitask")
LOWEST_SCORE = 0.05
"""Down to which spans are looked at, to say how many are uncertain."""

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Settings:
    """How to train. Rates, steps and smoothing are those of the paper for gliner-multitask.

    threshold: lowest score of a span to learn from; None for the component's own threshold.
    learn_rate, encoder_learn_rate: at the first step; they fall to 0 linearly.
    label_smoothing: draws targets towards 0.5 by this share: of gold spans in `sener`, all in
        `gliner_multitask`.
    dropout: as spaCy's `training.dropout`, of a thinc tok2vec below `sener`. The dropouts of the
        networks themselves are in their config.
    batch_size: documents, or segments, in a step.
    max_length: longer documents are learned in segments of so many tokens; None leaves them whole.
    """

    threshold: float | None = None
    steps: int = 500
    learn_rate: float = 7e-6
    encoder_learn_rate: float = 5e-6
    label_smoothing: float = 0.2
    dropout: float = 0.1
    batch_size: int = 8
    max_length: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("threshold", "label_smoothing", "dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} must lie in [0, 1], not {value}")
        for name in ("steps", "batch_size", "max_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")
        if self.learn_rate <= 0 or self.encoder_learn_rate < 0:
            raise ValueError(
                "learn_rate must be above 0 and encoder_learn_rate not below; they are "
                f"{self.learn_rate} and {self.encoder_learn_rate}"
            )


@dataclass
class Annotated:
    """What a component is sure of in raw texts.

    docs: the documents, or their segments, with such spans, and no others, under its key.
    n_texts: documents that were read. n_left_out: documents, or segments, without such a span.
        They are no examples: where a model is weak, it has more likely missed what is there.
    labels: spans to learn from, by label. n_cut: spans that no segment holds.
    n_uncertain: spans with a lower score, down to `LOWEST_SCORE`. They are not in the examples,
        which thus say, of those in their texts, that they are none: in both components the loss
        is of all words and labels (or cells) of a text, and knows no span that it is silent on.
    best: the highest score of all; None where no span reaches `LOWEST_SCORE`.
    """

    docs: list[Doc] = field(default_factory=list)
    n_texts: int = 0
    n_left_out: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    n_cut: int = 0
    n_uncertain: int = 0
    best: float | None = None


def self_train(
    nlp: Language,
    texts: Iterable[Doc],
    *,
    component: str | None = None,
    settings: Settings | None = None,
    gold: Iterable[Example] = (),
) -> dict[str, Any]:
    """Train one component of a pipeline, in place, on what it finds in texts.

    texts: documents without annotations, read once.
    component: its name; may be left out where one alone is of one of `FACTORIES`.
    gold: examples to evaluate before and after, if any.

    Returns what was done: the settings, the counts of `Annotated`, `losses` by step, and `before`
    and `after`, each {"p", "r", "f"} from 0 to 1 over all spans, or None without gold. The same
    seed, pipeline and texts give the same pipeline, on a CPU.

    Raises ValueError if there is no such component, no text, or no span to learn from, and, before
    all else, if the gold documents have no annotation under the component's key.
    """
    settings = settings or Settings()
    name = find_component(nlp, component)
    pipe: Any = nlp.get_pipe(name)
    threshold = pipe.cfg["threshold"] if settings.threshold is None else settings.threshold
    gold = list(gold)
    before = evaluate(nlp, name, gold) if gold else None
    found = annotate(nlp, name, texts, threshold=threshold, max_length=settings.max_length)
    losses = train(nlp, name, found.docs, settings)
    return {
        "component": name,
        **asdict(settings),
        "threshold": threshold,
        "texts": found.n_texts,
        "examples": len(found.docs),
        "left_out": found.n_left_out,
        "spans": found.labels.total(),
        "spans_per_label": dict(sorted(found.labels.items())),
        "spans_cut": found.n_cut,
        "spans_uncertain": found.n_uncertain,
        "losses": losses,
        "before": before,
        "after": evaluate(nlp, name, gold) if gold else None,
    }


def find_component(nlp: Language, name: str | None = None) -> str:
    """The name of the component to train. Raises ValueError if it is not there, or not clear."""
    fitting = [each for each in nlp.pipe_names if nlp.get_pipe_meta(each).factory in FACTORIES]
    if name is not None:
        if name not in fitting:
            raise ValueError(
                f"'{name}' is no component that can be self-trained; the pipeline has "
                f"{nlp.pipe_names}, of which these can: {fitting or 'none'}"
            )
        return name
    if len(fitting) != 1:
        raise ValueError(
            f"the pipeline should have one component made by {' or '.join(FACTORIES)}, or the one "
            f"to train should be named (--component), but of {nlp.pipe_names} these are such: "
            f"{fitting or 'none'}"
        )
    return fitting[0]


def annotate(
    nlp: Language,
    name: str,
    texts: Iterable[Doc],
    *,
    threshold: float,
    max_length: int | None = None,
) -> Annotated:
    """What a component of a pipeline finds in texts with at least a score.

    Raises ValueError where that is nothing at all.
    """
    pipe: Any = nlp.get_pipe(name)
    found = Annotated()
    lowest = min(threshold, LOWEST_SCORE) if pipe.keeps_by_score else threshold
    with changed(pipe.cfg, threshold=lowest):
        for doc in tqdm(nlp.pipe(texts), desc="Annotating", unit=" docs"):
            _take(found, doc, pipe.key, threshold, max_length)
    if not found.n_texts:
        raise ValueError("there are no texts to learn from")
    if not found.docs:
        best = f"the best score is {found.best:.3f}" if found.best is not None else "no span"
        raise ValueError(
            f"'{name}' finds no span with a score of {threshold} or more in {found.n_texts} "
            f"text(s): {best} (looked at down to {lowest}). A lower "
            "threshold, or labels in other words, may find some."
        )
    return found


def train(nlp: Language, name: str, docs: Sequence[Doc], settings: Settings) -> list[float]:
    """Train a component on annotated documents, at a rate that falls to 0; the loss of each step.

    Other components stay as they are: those that this one listens to only annotate. Raises
    ValueError if there are no documents.
    """
    if not docs:
        raise ValueError("there are no documents to train on")
    fix_random_seed(settings.seed)
    pipe: Any = nlp.get_pipe(name)
    optimizer: Any = build_adamw_v1(
        head_learn_rate=settings.learn_rate,
        encoder_learn_rate=settings.encoder_learn_rate,
        warmup_steps=0,
        total_steps=settings.steps,
    )
    others = [other for other in nlp.pipe_names if other != name]
    listened_to = [
        other
        for other in others
        if name in getattr(nlp.get_pipe(other), "listening_components", ())
    ]
    _forget_batch(pipe.model)
    history = []
    examples = [Example(same_tokens(doc, nlp.vocab), doc) for doc in docs]
    batches = _batches(examples, settings.batch_size, settings.seed)
    with changed(pipe.cfg, label_smoothing=settings.label_smoothing):
        for _ in tqdm(range(settings.steps), desc="Training", unit=" steps"):
            losses: dict[str, float] = {}
            nlp.update(
                next(batches),
                drop=settings.dropout,
                sgd=optimizer,
                losses=losses,
                exclude=others,
                annotates=listened_to,
            )
            optimizer.step_schedules()
            history.append(losses[name])
    return history


def evaluate(nlp: Language, name: str, gold: Iterable[Example]) -> Figures:
    """Precision, recall and F of a component's spans, as `spacy evaluate` has them.

    Each document is asked for the labels that its gold one is asked for. Raises ValueError if the
    gold documents have no annotation under the component's key.
    """
    pipe: Any = nlp.get_pipe(name)
    gold = list(gold)
    if not any(pipe.key in example.reference.spans for example in gold):
        raise ValueError(f"the gold documents have no annotation in doc.spans['{pipe.key}']")
    docs = nlp.pipe([with_gold_labels(example) for example in gold])
    examples = [Example(doc, example.reference) for doc, example in zip(docs, gold, strict=True)]
    scores = score_spans(examples, spans_key=pipe.key)
    return {figure: scores[f"spans_{pipe.key}_{figure}"] for figure in "prf"}


def _take(found: Annotated, doc: Doc, key: str, threshold: float, max_length: int | None) -> None:
    """Count a document, and add it, or its segments, to the examples if there is what to learn."""
    scores = span_scores(doc.spans[key])
    sure = [
        span
        for span, score in zip(doc.spans[key], scores, strict=True)
        if reaches(score, threshold)
    ]
    found.n_texts += 1
    found.n_uncertain += len(scores) - len(sure)
    found.best = max([score for score in (*scores, found.best) if score is not None], default=None)
    doc.spans[key] = sure
    segments = list(cut(doc, max_length, key))
    examples = [segment for segment in segments if segment.spans[key]]
    found.docs += examples
    found.n_left_out += len(segments) - len(examples)
    labels = Counter(span.label_ for segment in examples for span in segment.spans[key])
    found.labels += labels
    found.n_cut += len(sure) - labels.total()


def _forget_batch(model: Model[Any, Any]) -> None:
    """Let listeners read what the shared encoder annotates, in place of what it gave to train on.

    They keep the last batch of an `nlp.update`, and would take it for the next.
    """
    for node in model.walk():
        if hasattr(node, "receive"):
            node.receive(None, None, None)


def _batches(examples: list[Example], size: int, seed: int) -> Iterator[list[Example]]:
    """All examples in a random order, and again in another, and so on."""
    rng = random.Random(seed)
    while True:
        order = rng.sample(examples, len(examples))
        yield from (order[begin : begin + size] for begin in range(0, len(order), size))
