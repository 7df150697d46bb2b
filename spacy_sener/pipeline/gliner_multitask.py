"""The component "gliner_multitask": labels in plain words, spans of any length, no training."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from spacy.errors import Errors
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from ..decoding import LabelsPerSpan, Overlap
from ..gliner import MarkModel
from ..mark_decoding import SpanScore, decode_marks, each_label_apart, spans_of_tokens
from ..marks import Marks, stitch_marks
from ..prompted import Layout
from ..prompts import Prompt, make_prompt
from ..relations import Relation
from ..scorer import score_spans
from ..types import Candidates, Floats
from ..wordings import WordingName, wording_named
from ..words import Words
from . import tasks
from .classification import classify
from .finder import Found
from .relations import HeadLabels, relate

Labels = Sequence[str] | Mapping[str, str]
"""Names, or names with what the model is to read for each."""

if not Doc.has_extension("gliner_labels"):
    Doc.set_extension("gliner_labels", default=None)


class GLiNERMultitask(TrainablePipe):
    """Find spans of labels that are named in plain words, and write them with their scores."""

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
        scorer: Callable[..., dict[str, Any]] | None = score_spans,
    ) -> None:
        wording_named(wording)
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
        }
        if labels:
            self.set_labels(labels)

    @property
    def key(self) -> str:
        """Key of `doc.spans` that the spans are read from and written to."""
        return str(self.cfg["spans_key"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that documents are asked for which name none of their own."""
        return tuple(self.cfg["labels"])

    @property
    def wording(self) -> str:
        """Whose words tasks are put in: "package" or "paper"."""
        return str(self.cfg["wording"])

    def set_labels(self, labels: Labels) -> None:
        """Ask for these labels instead, at once and without training; see `make_prompt`."""
        prompt = make_prompt(labels)
        self.cfg["labels"] = dict(zip(prompt.labels, prompt.readings, strict=True))

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

        threshold, overlap, labels_per_span: by default the component's. labels_apart: whether spans
        may stand together with any of another label. One group per document, in order of the text,
        its scores in `attrs["scores"]`.
        """
        settings = self._decoding(threshold, overlap, labels_per_span)
        docs, prompts = list(docs), list(prompts)
        layout, marks = self._read(docs, prompts)
        groups = []
        for doc, prompt, words, mine in zip(docs, prompts, layout.words, marks, strict=True):
            find = partial(_spans, words=words, settings=settings)
            found = each_label_apart(mine.text, find) if labels_apart else find(mine.text)
            groups.append(self._group(doc, prompt, found))
        return groups

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

        The settings are those of `find`. Of a document that is read in several windows the highest
        marks count. One without words gets no answer.
        """
        settings = self._decoding(threshold, overlap, labels_per_span)
        prompts = list(prompts)
        layout, marks = self._read(list(docs), prompts)
        return [
            list(_found(decode_marks(mine.task, **settings), prompt, words))
            for prompt, words, mine in zip(prompts, layout.task_words, marks, strict=True)
        ]

    def answer(
        self,
        docs: Iterable[Doc],
        question: str | Sequence[str],
        *,
        threshold: float | None = None,
    ) -> list[SpanGroup]:
        """Find the answers to a question, or to one for each document; see `tasks.answer`."""
        return tasks.answer(self, docs, question, wording=self.wording, threshold=threshold)

    def summarize(self, docs: Iterable[Doc], *, threshold: float | None = None) -> list[SpanGroup]:
        """Find what is most important in each document; see `tasks.summarize`."""
        return tasks.summarize(self, docs, wording=self.wording, threshold=threshold)

    def extract(
        self,
        docs: Iterable[Doc],
        prompt: str | Sequence[str],
        *,
        label: str = "match",
        threshold: float | None = None,
    ) -> list[SpanGroup]:
        """Find what a prompt in free words asks for; see `tasks.extract`."""
        return tasks.extract(
            self, docs, prompt, label=label, wording=self.wording, threshold=threshold
        )

    def relations(
        self,
        docs: Iterable[Doc],
        relations: Sequence[str],
        *,
        heads: Sequence[Iterable[Span]] | None = None,
        pairs: HeadLabels | None = None,
        threshold: float | None = None,
    ) -> list[list[Relation]]:
        """Find what stands in relations to some spans, and set `doc._.relations`; see `relate`."""
        return relate(
            self,
            docs,
            relations,
            heads=heads,
            pairs=pairs,
            spans_key=self.key,
            wording=self.wording,
            threshold=threshold,
        )

    def classify(
        self,
        docs: Iterable[Doc],
        labels: Labels,
        *,
        multi: bool = False,
        threshold: float | None = None,
    ) -> list[dict[str, float]]:
        """Find which classes each document is of; see `classification.classify`."""
        return classify(self, docs, labels, multi=multi, wording=self.wording, threshold=threshold)

    def predict(self, docs: Sequence[Doc]) -> list[SpanGroup]:
        """The spans of each document, with their scores; the documents stay as they are."""
        docs = list(docs)
        return self.find(docs, [self._prompt(doc) for doc in docs])

    def set_annotations(self, docs: Sequence[Doc], predictions: Sequence[SpanGroup]) -> None:
        """Write the spans to `doc.spans`, and `doc.ents` if set so."""
        for doc, group in zip(docs, predictions, strict=True):
            doc.spans[self.key] = group

    def _read(self, docs: Sequence[Doc], prompts: Sequence[Prompt]) -> tuple[Layout, list[Marks]]:
        if not self.model.has_dim("nO"):
            raise ValueError(Errors.E109.format(name=self.name))
        answer = self.model.predict(list(zip(docs, prompts, strict=True)))
        return answer.layout, stitch_marks(answer.layout, answer.bands)

    def _decoding(
        self, threshold: float | None, overlap: Overlap | None, labels_per_span: str | None
    ) -> dict[str, Any]:
        given = {"threshold": threshold, "overlap": overlap, "labels_per_span": labels_per_span}
        settings = {key: self.cfg[key] if value is None else value for key, value in given.items()}
        return {**settings, "span_score": self.cfg["span_score"]}

    def _prompt(self, doc: Doc) -> Prompt:
        own = doc._.gliner_labels
        if own is None and not self.labels:
            raise ValueError(
                f"'{self.name}' was told no labels to look for. Set [components.{self.name}] "
                "labels, or doc._.gliner_labels of the document."
            )
        return make_prompt(self.cfg["labels"] if own is None else own)

    def _group(self, doc: Doc, prompt: Prompt, found: Candidates) -> SpanGroup:
        spans = [
            Span(doc, int(start), int(end) + 1, label=prompt.labels[label])
            for start, end, label in zip(found.starts, found.ends, found.labels, strict=True)
        ]
        scores: Floats = np.asarray(found.scores, dtype=np.float32)
        return SpanGroup(doc, name=self.key, spans=spans, attrs={"scores": scores})


def _spans(marks: Floats, *, words: Words, settings: Mapping[str, Any]) -> Candidates:
    together = {key: settings[key] for key in ("overlap", "labels_per_span")}
    return spans_of_tokens(decode_marks(marks, **settings), words, **together)


def _found(found: Candidates, prompt: Prompt, words: Sequence[tuple[int, int]]) -> Sequence[Found]:
    return [
        Found(words[first][0], words[last][1], prompt.labels[label], float(score))
        for first, last, label, score in zip(
            found.starts, found.ends, found.labels, found.scores, strict=True
        )
    ]
