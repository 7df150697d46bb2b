"""The component "sener": long, nested spans of texts of any length, with scores."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Optimizer, set_dropout_rate
from torch import Tensor

from ..architectures import SpanModel
from ..decoding import LabelsPerSpan, Overlap, decode, find_candidates, join_candidates
from ..gold import (
    UNSEEN,
    GoldCount,
    GoldSpan,
    count_lost,
    gold_cells,
    gold_marks,
    gold_spans,
    left_out_warning,
)
from ..nn.boundaries import boundary_loss, read
from ..nn.scoring import span_loss
from ..rehearsal import both_ways, difference
from ..scorer import score_spans
from ..sources import DEFAULT_SOURCE
from ..types import Candidates, Initialization, SpanBand
from .checks import (
    Warner,
    begin_update,
    check_decoding,
    check_share,
    keys_with_spans,
    require_finite,
    require_initialized,
)
from .groups import span_group
from .span_pipe import SpanPipe


class SeNER(SpanPipe):
    """Find spans of any label and length, nested ones included, and write them with their scores.

    model (Model[Sequence[Doc], Any]): Gives the span tables of the documents; see `SpanModel`.
    spans_key (str): Where spans are read from and written to: `doc.spans[spans_key]`, with their
        probabilities in `doc.spans[spans_key].attrs["scores"]`.
    threshold (float): Lowest probability of a span that is kept.
    overlap (str): Which spans may stand together: "nested", "flat", "any" or "released".
    labels_per_span (str): "many", or "one" to keep a span's best label only.
    set_ents (bool): Also set `doc.ents` to the best spans that do not overlap.
    max_pieces (int): Longest stretch of text that the model sees at once, in word pieces (tokens
        for a model without pieces). Longer documents are covered by overlapping windows.
    label_smoothing (float): Draws the targets of gold spans in training towards 0.5 by this share.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: SpanModel,
        name: str = "sener",
        *,
        spans_key: str = "sc",
        threshold: float = 0.5,
        overlap: Overlap = "nested",
        labels_per_span: LabelsPerSpan = "many",
        set_ents: bool = False,
        max_pieces: int = 2048,
        label_smoothing: float = 0.0,
        scorer: Callable[..., dict[str, Any]] | None = score_spans,
    ) -> None:
        check_share(name, "label_smoothing", label_smoothing)
        if "span_window" not in model.attrs:
            raise ValueError(
                f"[components.{name}.model] is '{model.name}', which gives no table of spans: set "
                "its @architectures to spacy-sener.SeNER.v1 or spacy-sener.SpanTable.v1."
            )
        span_window = model.attrs["span_window"]
        if max_pieces < max(span_window + 3, 4):  # a token gets half of what is not special
            # Windows move on by half, and share so many tokens; see `make_windows`.
            enough = max(2 * (model.attrs["reach"] + span_window) + 2, 4)
            raise ValueError(
                f"[components.{name}] max_pieces = {max_pieces} is too short for a span_window of "
                f"{span_window}: a window must hold the longest span and two special pieces. Set "
                f"max_pieces to {enough} or more, or make span_window smaller."
            )
        model.attrs["max_pieces"] = max_pieces
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {
            "labels": [],
            "spans_key": spans_key,
            "threshold": threshold,
            "overlap": overlap,
            "labels_per_span": labels_per_span,
            "set_ents": set_ents,
            "label_smoothing": label_smoothing,
        }
        check_decoding(name, self.cfg)
        self._begin_training()
        self._rehearsal_model: SpanModel | None = None

    def _begin_training(self) -> None:
        """What is said once, and what is counted, is of one training."""
        self._n_updates = 0
        self._warner, self._unseen_warner, self._score_warner = Warner(), Warner(), Warner()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the model's outputs."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The labels, as `spacy init labels` saves them."""
        return list(self.labels)

    def add_label(self, label: str) -> int:
        """Add a label before the model is initialized. Returns 0 if it was there, else 1."""
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        if label in self.labels:
            return 0
        self._allow_extra_label()
        self.cfg["labels"] = [*self.cfg["labels"], label]
        self.vocab.strings.add(label)
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
        encoder: str = DEFAULT_SOURCE,
    ) -> None:
        """Read the labels, load the pretrained encoder and start the output at the labels' odds.

        get_examples (Callable): Gives the training examples; all of them are read once.
        labels (Optional[list[str]]): The labels, as from `spacy init labels`. By default they are
            those of the examples.
        encoder (str): Pretrained weights and tokenizer: a hub name, a folder, or "package:NAME"
            for a folder that an installed Python package carries.

        Warns once, with counts, of spans that cannot be learned. Raises ValueError without labels;
        the component is then as it was.
        """
        self._begin_training()
        count = self._gold_count()
        with self._restored_after_errors():
            for label in labels or []:
                self.add_label(label)
            for example in get_examples():
                count.add(example, self.key)
            for label in count.label_cells:
                if labels is None:
                    self.add_label(label)
            self._require_some_label(count.keys)
            self._require_known(count.label_cells)
            docs = [example.predicted for example in islice(get_examples(), 10)]
            priors = count.prior(self.labels), count.mark_prior(self.labels)
            settings = Initialization(len(self.labels), *priors, encoder)
            self.model.initialize(X=docs, Y=settings)
        self._warner.warn(count.warning())
        if nlp is not None:
            self.warn_unscored(nlp)

    def predict(self, docs: Sequence[Doc]) -> list[Candidates]:
        """The spans of each document, with their scores; the documents stay as they are.

        Where memory does not do for all of them, they are read in several batches. Raises
        MemoryError if it does not do for one of them alone.
        """
        require_initialized(self)
        return self._in_memory(self._predict, list(docs))

    def _predict(self, docs: Sequence[Doc]) -> list[Candidates]:
        check_decoding(self.name, self.cfg)  # it may have been changed
        parts: list[list[Candidates]] = [[] for _ in docs]
        for answer in self.model.predict(docs):
            for i, candidates in find_candidates(answer, threshold=self.cfg["threshold"]):
                parts[i].append(candidates)
        overlap, labels_per_span = self.cfg["overlap"], self.cfg["labels_per_span"]
        return [
            decode(join_candidates(part), overlap=overlap, labels_per_span=labels_per_span)
            for part in parts
        ]

    def set_annotations(self, docs: Sequence[Doc], predictions: Sequence[Candidates]) -> None:
        """Write the spans to `doc.spans`, their scores beside them, and `doc.ents` if set so."""
        for doc, found in zip(docs, predictions, strict=True):
            group = span_group(doc, found, self.labels, name=self.key)
            self._write(doc, group)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch of examples.

        drop (float): Dropout of a thinc tok2vec below the table. The dropouts of the network itself
            are set in the model's config.
        losses (Optional[dict[str, float]]): Takes the loss under the component's name.

        Raises ValueError if the loss is not a finite number, naming the update and the documents.
        """
        examples, losses = begin_update(self, examples, losses)
        set_dropout_rate(self.model, drop)
        bands, backprop = self.model.begin_update([example.predicted for example in examples])
        bands = list(bands)
        loss, d_logits = self.get_loss(examples, bands)
        self._n_updates += 1
        self._require_finite(loss, examples)
        backprop(d_logits)
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(
        self, examples: Iterable[Example], scores: Iterable[SpanBand]
    ) -> tuple[float, list[Any]]:
        """The loss and its gradient in the logits of each band, as `model.begin_update` gives them.

        `model.predict` gives probabilities, and not all of them at once.

        Binary cross-entropy summed over the cells of a document (paper, equation 11), and over its
        tokens and far pairs where the network has boundaries (`nn.boundaries`); mean over the
        documents. What two windows of a document share counts in both. With boundaries a gradient
        is two: in the logits, and in the evidence.
        """
        examples, bands = list(examples), list(scores)
        count = self._gold_count()
        spans = [gold_spans(example, self.key, count.left_out) for example in examples]
        self._require_known(span.label for doc_spans in spans for span in doc_spans)
        indices = {label: i for i, label in enumerate(self.labels)}
        loss = 0.0
        gradients: list[Any] = []
        for band in bands:
            answer = [x.requires_grad_() for x in (band.logits, band.evidence) if x is not None]
            band_loss = _band_loss(band, spans, indices, self.cfg["label_smoothing"])
            band_loss = band_loss / len(examples)
            d_answer = torch.autograd.grad(band_loss, answer)
            gradients.append(d_answer if len(answer) > 1 else d_answer[0])
            loss += float(band_loss.detach())
        self._warn_of_lost(count, bands, spans)
        return loss, gradients

    def _warn_of_lost(
        self, count: GoldCount, bands: Sequence[SpanBand], spans: Sequence[Sequence[GoldSpan]]
    ) -> None:
        """Once of spans that no window holds, and once of all others."""
        if not (self._warner.warned and self._unseen_warner.warned):
            count.left_out += count_lost(bands, spans, count.reach)
            unseen = Counter({UNSEEN: count.left_out.pop(UNSEEN, 0)})
            limit = f" (max_pieces = {self.model.attrs['max_pieces']})"
            self._unseen_warner.warn(left_out_warning(+unseen, limit))
        self._warner.warn(count.warning())

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
        **config: Any,
    ) -> dict[str, float]:
        """Learn to answer as the model did when `nlp.resume_training()` was called.

        It learns as in `update`, with the earlier model's probabilities in the place of gold, but
        from the table alone: longer spans, and the loss of the boundaries, have no part in it. What
        `losses` takes is the sum of the squared differences of the spans' probabilities, mean over
        the documents; it is 0 where nothing has changed, and nothing is dropped or masked. drop: as
        in `update`.

        Does nothing before `nlp.resume_training()`.
        """
        losses = {} if losses is None else losses
        if self._rehearsal_model is None:
            return losses
        examples, losses = begin_update(self, examples, losses, method="rehearse")
        set_dropout_rate(self.model, drop)
        docs = [example.predicted for example in examples]
        bands, backprop = self.model.begin_update(docs)
        gradients: list[Any] = []
        answer = iter(self._rehearsal_model.predict(docs))
        loss = 0.0
        for band in bands:
            change = difference(band, answer, average=self.model.attrs["average"])
            d_logits = both_ways(change) / len(examples)
            unchanged = [torch.zeros_like(x) for x in (band.evidence,) if x is not None]
            gradients.append((d_logits, *unchanged) if unchanged else d_logits)
            loss += float((change**2).sum()) / len(examples)
        self._require_finite(loss, examples)
        losses[self.name] += loss
        backprop(gradients)
        if sgd:
            self.finish_update(sgd)
        return losses

    def _check_loaded(self) -> None:
        """The labels and the model must belong together."""
        if not isinstance(self.cfg["labels"], list):
            raise ValueError(f"the file 'cfg' holds no labels, but {self.cfg['labels']}.")
        if self.model.has_dim("nO") and self.model.get_dim("nO") != len(self.labels):
            n_outputs = self.model.get_dim("nO")
            raise ValueError(
                f"the model has {n_outputs} label(s), the file 'cfg' {len(self.labels)}."
            )

    def _gold_count(self) -> GoldCount:
        return GoldCount(self.model.attrs["span_window"], self.model.attrs["reach"])

    def _require_some_label(self, keys: Iterable[str]) -> None:
        if not self.labels:
            raise ValueError(
                f"{Errors.E143.format(name=self.name)} No example has spans in doc.spans"
                f"['{self.key}']. {keys_with_spans(self.name, keys)}"
            )

    def _require_known(self, labels: Iterable[str]) -> None:
        unknown = sorted(set(labels) - set(self.labels))
        if not unknown:
            return
        setting = f"`labels` in [initialize.components.{self.name}]"
        advice = f"Add them to {setting}, or with add_label(), or take them out of the data."
        if self.model.has_dim("nO"):
            advice = (
                "Its labels are fixed since nlp.initialize(): take the others out of the data, or "
                f"train a new component (one without `source`), with them in {setting} or in the "
                "data that it is initialized with."
            )
        raise ValueError(
            f"The data has labels that '{self.name}' does not know: {unknown}. It knows "
            f"{list(self.labels)}. {advice}"
        )

    def _require_finite(self, loss: float, examples: Sequence[Example]) -> None:
        docs = [example.reference for example in examples]
        require_finite(self.name, loss, docs, number=self._n_updates)


def _band_loss(
    band: SpanBand,
    spans: Sequence[Sequence[GoldSpan]],
    labels: dict[str, int],
    label_smoothing: float,
) -> Tensor:
    """Of one band. spans: gold, of each document of the batch."""
    gold = gold_cells(band, spans, labels)
    in_table = gold[:, 2] - gold[:, 1] <= band.span_window
    loss = span_loss(band.logits, band.lengths, gold[in_table], label_smoothing=label_smoothing)
    if band.evidence is None:
        return loss
    return loss + boundary_loss(
        read(band.evidence),
        band.lengths,
        gold_marks(band, spans, labels),
        gold,
        window=band.span_window,
        reach=band.reach,
        label_smoothing=label_smoothing,
    )
