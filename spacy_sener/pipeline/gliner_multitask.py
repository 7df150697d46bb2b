"""The component "gliner_multitask": spans of any length, their labels named in plain words."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Optimizer
from torch import Tensor

from ..checkpoints import gliner_folder
from ..decoding import LabelsPerSpan, Overlap
from ..gliner import GLiNERSource, MarkModel, fitting
from ..gold import GoldCount, gold_spans, left_out_warning
from ..mark_decoding import SpanScore, decode_marks, marked_spans
from ..mark_gold import gold_words, training_prompt
from ..marks import MarkedBatch, Marks, batch_loss, stitch_marks
from ..nn.mark_loss import MarkLoss
from ..prompted import Prompted, read_at_once
from ..prompts import Prompt, make_prompt
from ..relations import add_extension
from ..scorer import score_spans
from ..sources import DEFAULT_SOURCE
from ..types import Found
from ..wordings import WordingName
from . import classification, relations, tasks
from .asked import (
    Labels,
    as_asked,
    asking_doc,
    gold_labels,
    labels_of,
    prompt_of,
    require_asked,
)
from .checks import (
    Warner,
    begin_update,
    check_choice,
    check_decoding,
    check_least,
    require_finite,
    require_initialized,
)
from .finder import as_docs
from .groups import found_in_task, span_group
from .span_pipe import SpanPipe

OVERLAPS = ("nested", "flat", "any")
MIN_PIECES = 16  # of a window: half for the prompt


class GLiNERMultitask(SpanPipe):
    """Find spans of labels that are named in plain words, and write them with their scores.

    model (Model[Sequence[tuple[Doc, Prompt]], MarkedBatch]): Gives the marks of words.
    labels (list or dict): Names, or {name: description}, in which case the model reads the
        descriptions. `doc._.gliner_labels`, of the same form, overrides them for one document.
    spans_key (str): Where spans are read from and written to: `doc.spans[spans_key]`, with their
        probabilities in `doc.spans[spans_key].attrs["scores"]`.
    threshold (float): The marks of a span that is kept lie over it.
    overlap (str): Which spans may stand together: "nested", "flat" or "any". This holds for spans
        of tokens: where the model's words are finer, two spans that share no word may clash.
    labels_per_span (str): "one" to keep a span's best label only, or "many".
    span_score (str): "min" for the lowest of a span's marks, "mean" for the mean of its insides.
    set_ents (bool): Also set `doc.ents` to the best spans that do not overlap.
    max_pieces (int): Longest stretch of text that the model sees at once, in word pieces, the
        prompt included. Longer documents are covered by overlapping windows with the prompt in
        each. Labels that fill more than half of it are asked in several passes.
    wording (str): How tasks are put: as in the authors' "package", or in their "paper".
    alpha (float): Weight in the loss of targets of 1, those of 0 having 1 - alpha; None for alike.
    gamma (float): How much less in the loss what is nearly right counts.
    label_smoothing (float): Targets are drawn towards 0.5 by this share.
    max_train_labels (int): Labels that a document is asked for in training: those that it has, and
        others that are drawn at random.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: MarkModel,
        name: str = "gliner_multitask",
        *,
        labels: Labels = (),
        spans_key: str = "sc",
        threshold: float = 0.5,
        overlap: Overlap = "nested",
        labels_per_span: LabelsPerSpan = "one",
        span_score: SpanScore = "min",
        set_ents: bool = False,
        max_pieces: int = 2048,
        wording: WordingName = "package",
        alpha: float | None = 0.75,
        gamma: float = 0.0,
        label_smoothing: float = 0.0,
        max_train_labels: int = 30,
        scorer: Callable[..., dict[str, Any]] | None = score_spans,
    ) -> None:
        if model.attrs.keys() != {"max_pieces"}:
            raise ValueError(
                f"[components.{name}.model] is '{model.name}', which reads no prompts: set its "
                "@architectures to spacy-sener.GLiNER.v1."
            )
        check_choice(name, "span_score", span_score, get_args(SpanScore))
        check_choice(name, "wording", wording, get_args(WordingName))
        check_least(name, "max_pieces", max_pieces, MIN_PIECES)
        check_least(name, "max_train_labels", max_train_labels, 1)
        model.attrs["max_pieces"] = max_pieces
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {
            "labels": {},
            "spans_key": spans_key,
            "threshold": threshold,
            "overlap": overlap,
            "labels_per_span": labels_per_span,
            "span_score": span_score,
            "set_ents": set_ents,
            "wording": wording,
            "alpha": alpha,
            "gamma": gamma,
            "label_smoothing": label_smoothing,
            "max_train_labels": max_train_labels,
        }
        check_decoding(name, self.cfg, OVERLAPS)
        add_extension()
        self._loss_settings()  # raises what is wrong with them
        self._begin_training()
        if labels:
            self.set_labels(labels)

    def _begin_training(self) -> None:
        """What is said once, and what is counted, is of one training."""
        self._n_updates = 0
        self._warner, self._score_warner = Warner(), Warner()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that documents are asked for which name none of their own."""
        return tuple(self.cfg["labels"])

    @property
    def wording(self) -> WordingName:
        """How tasks are put."""
        check_choice(self.name, "wording", self.cfg["wording"], get_args(WordingName))
        return cast(WordingName, self.cfg["wording"])

    @property
    def label_data(self) -> dict[str, str]:
        """The labels with what the model reads for each, as `spacy init labels` saves them."""
        labels = self.cfg["labels"]
        # A list is what somebody may put there by hand.
        return (
            dict(labels) if isinstance(labels, Mapping) else dict(zip(labels, labels, strict=True))
        )

    def add_label(self, label: str) -> int:
        """Ask for one more label, also after training. Returns 0 if it was there, else 1."""
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        if label in self.labels:
            return 0
        self.set_labels({**self.label_data, label: label})
        return 1

    def set_labels(self, labels: Labels) -> None:
        """Ask for these labels and no others. Raises ValueError as `make_prompt` does."""
        prompt = make_prompt(labels)
        self.cfg["labels"] = dict(zip(prompt.labels, prompt.readings, strict=True))

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | dict[str, str] | None = None,
        encoder: str | None = None,
        checkpoint: str | None = None,
    ) -> None:
        """Load a checkpoint, or make a new network over a pretrained encoder.

        get_examples (Callable): Gives the training examples; all of them are read once. If the
            component has no labels, it takes those of the examples.
        labels (Optional): In place of the component's.
        encoder (Optional[str]): For a new network: a hub name, a folder, or "package:NAME" for a
            folder that an installed Python package carries.
        checkpoint (Optional[str]): A checkpoint of GLiNER: a folder, or a hub name.

        Warns once, with counts, of spans that cannot be learned. Raises ValueError if both an
        encoder and a checkpoint are given, if a new network has no label to learn, and for gold
        spans of labels that their document is not asked for; the component is then as it was.
        """
        if encoder is not None and checkpoint is not None:
            raise ValueError(
                f"[initialize.components.{self.name}] has encoder = '{encoder}' and checkpoint = "
                f"'{checkpoint}': set one of them to null. A checkpoint has an encoder of its own."
            )
        self._begin_training()
        count = GoldCount(span_window=sys.maxsize, reach=sys.maxsize)
        with self._restored_after_errors():
            if labels is not None:
                self.set_labels(labels)
            asked = labels_of(
                get_examples(),
                self.cfg["labels"],
                count,
                spans_key=self.key,
                name=self.name,
                may_have_none=checkpoint is not None,
            )
            if asked:
                self.set_labels(asked)
            self.model.initialize(Y=_source(count, encoder, checkpoint))
        self._warner.warn(left_out_warning(count.left_out))
        if nlp is not None:
            self.warn_unscored(nlp)

    def find(
        self,
        docs: Sequence[Doc],
        prompts: Sequence[Prompt],
        *,
        threshold: float | None = None,
        overlap: Overlap | None = None,
        labels_per_span: LabelsPerSpan | None = None,
        labels_apart: bool = False,
    ) -> list[SpanGroup]:
        """The spans that each document's prompt asks for; the documents stay as they are.

        threshold, overlap, labels_per_span: by default the component's. labels_apart: those of each
        label as if there were no other. Returns a group for each document, in order of the text,
        its scores in `attrs["scores"]`; spaCy's groups are of use as long as their document is
        kept. Raises ValueError if there is not one prompt for each document, and for a label or a
        task that is too long.
        """
        settings = self._decoding(threshold, overlap, labels_per_span)
        docs, prompts = as_docs(docs), list(prompts)
        found = (
            marked_spans(marks.text, marks.words, labels_apart=labels_apart, **settings)
            for marks in self._read(docs, prompts)
        )
        return [
            span_group(doc, spans, prompt.labels, name=self.key)
            for doc, prompt, spans in zip(docs, prompts, found, strict=True)
        ]

    def find_in_task(
        self,
        docs: Sequence[Doc],
        prompts: Sequence[Prompt],
        *,
        threshold: float | None = None,
        overlap: Overlap | None = None,
        labels_per_span: LabelsPerSpan | None = None,
    ) -> list[list[Found]]:
        """The spans of each prompt's task, in its order, that the document makes the model mark.

        Settings and errors as of `find`. Of a document that is read in several windows the highest
        marks count. One without words gets no answer.
        """
        settings = self._decoding(threshold, overlap, labels_per_span)
        prompts = list(prompts)
        return [
            found_in_task(decode_marks(marks.task, **settings), prompt.labels, marks.task_words)
            for prompt, marks in zip(prompts, self._read(as_docs(docs), prompts), strict=True)
        ]

    def fits(self, labels: Sequence[str], *, task: str) -> list[bool]:
        """Of each label, whether it is short enough to be asked beside the task.

        Of longer ones `find` raises ValueError.
        """
        require_initialized(self)
        return fitting(self.model, labels, task=task)

    answer = tasks.answer
    summarize = tasks.summarize
    extract = tasks.extract
    relations = relations.find_relations
    classify = classification.classify

    def predict(self, docs: Sequence[Doc]) -> list[SpanGroup]:
        """The spans of each document, with their scores; the documents stay as they are."""
        docs = list(docs)
        return self.find(docs, [self._prompt(doc) for doc in docs])

    def set_annotations(self, docs: Sequence[Doc], predictions: Sequence[SpanGroup]) -> None:
        """Write the spans to `doc.spans`, their scores beside them, and `doc.ents` if set so."""
        for doc, group in zip(docs, predictions, strict=True):
            self._write(doc, group)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Score the spans, where each document is asked for the labels of its gold one.

        spaCy's corpora make the predicted documents of texts alone: where a gold document names
        labels of its own, and the predicted one does not, its spans are found anew, in a copy.
        """
        asked = [as_asked(example, by=self) for example in examples] if self.scorer else []
        return cast(dict[str, Any], super().score(asked, **kwargs))

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples, each asked for its own labels and some others.

        The labels are those of `example.reference._.gliner_labels`, else of
        `example.predicted._.gliner_labels`, else the component's.

        drop (float): Has no effect: the dropouts are set in the model's config.
        losses (Optional[dict[str, float]]): Takes the loss under the component's name.

        Raises ValueError if the loss is not a finite number, naming the update and the documents,
        and for gold spans of labels that their document is not asked for.
        """
        examples, losses = begin_update(self, examples, losses)
        prompts = [self._training_prompt(example) for example in examples]
        docs = [example.predicted for example in examples]
        batch, backprop = self.model.begin_update(list(zip(docs, prompts, strict=True)))
        loss, d_logits = self.get_loss(examples, batch)
        self._n_updates += 1
        references = [example.reference for example in examples]
        require_finite(self.name, loss, references, number=self._n_updates)
        backprop(d_logits)
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(
        self, examples: Iterable[Example], scores: MarkedBatch
    ) -> tuple[float, list[Tensor]]:
        """The loss and its gradient in the logits of each band, as `model.begin_update` gives them.

        See `marks.batch_loss`. Spans of labels that the prompt of their document does not have are
        left out.
        """
        left_out: Counter[str] = Counter()
        spans = [gold_spans(example, self.key, left_out) for example in examples]
        layout = scores.layout
        gold = list(map(gold_words, spans, layout.words, layout.prompts))
        self._warner.warn(left_out_warning(left_out))
        return batch_loss(scores, gold, self._loss_settings())

    def _check_loaded(self) -> None:
        if not isinstance(self.cfg["labels"], dict | list):
            raise ValueError(f"the file 'cfg' holds no labels, but {self.cfg['labels']}.")
        if self.cfg["labels"]:  # a list was set by hand, in place of `set_labels`
            self.set_labels(self.cfg["labels"])

    def _read(self, docs: Sequence[Doc], prompts: Sequence[Prompt]) -> Iterator[Marks]:
        """The marks of each document; those of no more are held than are read at once."""
        require_initialized(self)

        def read(items: Sequence[Prompted]) -> list[Marks]:
            return list(stitch_marks(self.model.predict(items)))

        batches = read_at_once(docs, prompts)
        return (marks for some in batches for marks in self._in_memory(read, some))

    def _decoding(
        self,
        threshold: float | None,
        overlap: Overlap | None,
        labels_per_span: LabelsPerSpan | None,
    ) -> dict[str, Any]:
        """What `decode_marks` is told: the component's settings, where nothing else is given."""
        given = {"threshold": threshold, "overlap": overlap, "labels_per_span": labels_per_span}
        own = {key: self.cfg[key] for key in (*given, "span_score")}
        settings = own | {key: value for key, value in given.items() if value is not None}
        check_decoding(self.name, settings, OVERLAPS)
        return settings

    def _loss_settings(self) -> MarkLoss:
        return MarkLoss(**{key: self.cfg[key] for key in ("alpha", "gamma", "label_smoothing")})

    def _prompt(self, doc: Doc) -> Prompt:
        return prompt_of(doc, self.cfg["labels"], name=self.name)

    def _training_prompt(self, example: Example) -> Prompt:
        asked, gold = self._prompt(asking_doc(example)), gold_labels(example, self.key)
        require_asked(gold, asked.labels, name=self.name)
        return training_prompt(asked, gold, self.cfg["max_train_labels"])


def _source(count: GoldCount, encoder: str | None, checkpoint: str | None) -> GLiNERSource:
    """What a network is made of: a checkpoint, or an encoder and how often gold has marks."""
    if checkpoint is not None:
        return GLiNERSource(checkpoint=str(gliner_folder(checkpoint)))
    labels = list(count.label_cells)
    prior = count.mark_prior(labels).mean(axis=1) if labels else None
    return GLiNERSource(encoder=encoder or DEFAULT_SOURCE, prior=prior)
