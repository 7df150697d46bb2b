"""One worker: a process with a model of its own, that answers documents."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import import_file, load_model, raise_error
from thinc.api import require_gpu
from thinc.util import get_torch_default_device

from ..corpora.asked_labels import read_labels
from ..corpora.jsonl import required
from ..corpora.records import check_id, id_of
from ..corpora.report import Report
from ..corpora.unique_keys import unique_keys
from ..extensions import LABELS
from ..gpus import OptionError, gpu_error
from ..scores import span_scores
from .documents import Fields, Item, Unreadable

MAX_MESSAGE = 2000  # characters


@dataclass(frozen=True)
class Task:
    """What every worker is to do.

    model: a folder or package. code: a Python file with functions that its config names.
    spans_key: what is written of each document. text_key: where its text is.
    with_text: write that, too.
    batch_size: of `nlp.pipe`; None for the pipeline's own.
    gpu_id: -1 for the CPU. threads: of torch; None as it finds right.
    """

    model: str
    code: Path | None = None
    spans_key: str = "sc"
    text_key: str = "text"
    with_text: bool = False
    batch_size: int | None = None
    gpu_id: int = -1
    threads: int | None = None


@dataclass(frozen=True)
class Failure:
    """A document that could not be annotated, by its name (or else its place), and why."""

    doc_id: Any
    place: str
    message: str


# A row of the output: `{"doc_id", "spans": [{"start", "end", "label", "score"}]}`, in characters,
# and perhaps "text". A span of a component without scores has None.
Answer = Fields | Failure


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model."""


@dataclass(frozen=True)
class Done:
    """Its answers: one for each document, in their order."""

    answers: list[Answer]


@dataclass(frozen=True)
class Failed:
    """It could not do what it was asked, and why.

    died: and it is no more. is_option: an option is wrong.
    """

    reason: str
    died: bool = False
    is_option: bool = False


Message = Ready | Done | Failed


class Worker:
    """Loads a model, then annotates what it is given; both end in a message, whatever happens."""

    def __init__(self) -> None:
        self.annotate_all: Callable[[Sequence[Item]], list[Answer]] | None = None

    def load(self, task: Task) -> Message:
        """Load the model."""
        try:
            self.annotate_all = Annotator(task)
        except OptionError as error:
            return Failed(str(error)[:MAX_MESSAGE], is_option=True)
        except Exception as error:
            return Failed(describe(error))
        return Ready()

    def annotate(self, items: Sequence[Item]) -> Message:
        """Annotate documents."""
        assert self.annotate_all is not None
        try:
            return Done(self.annotate_all(items))
        except Exception as error:
            return Failed(describe(error))


class Annotator:
    """A loaded pipeline, from documents as they stand in a file to rows of the output."""

    def __init__(self, task: Task) -> None:
        self.task = task
        if task.threads is not None:
            torch.set_num_threads(task.threads)
        if task.code is not None:
            import_file("python_code", task.code)
        if task.gpu_id >= 0:
            _use_gpu(task.gpu_id)
        self.nlp = load_model(task.model)
        # spaCy's limit is for components that need much memory for a long text.
        self.nlp.max_length = sys.maxsize
        # With a label of its own, as documents may have where a component has none.
        self._row(self.nlp(_named_doc(self.nlp, "A text.", "the first, a trial", ["thing"])))

    def __call__(self, items: Sequence[Item]) -> list[Answer]:
        """One answer for each document. Together, for speed; those that then fail, alone."""
        with self.nlp.memory_zone():
            rows = self._together(items)
            return [rows[i] if i in rows else self._alone(item) for i, item in enumerate(items)]

    def _together(self, items: Sequence[Item]) -> dict[int, Fields]:
        """The rows of all documents that nothing is wrong with, in whose batch all is well."""
        rows: dict[int, Fields] = {}
        # spaCy types handlers as if they never returned; those that do are what it goes on after.
        self.nlp.set_error_handler(_pass_over)  # type: ignore[arg-type]  # it may return
        try:
            docs = self.nlp.pipe(self._docs(items), as_tuples=True, batch_size=self.task.batch_size)
            for doc, i in docs:
                rows[i] = self._row(doc)
        except Exception as error:  # of a component without a handler, or of a row
            self._end_if_gpu_is_lost(error)
        return rows

    def _docs(self, items: Sequence[Item]) -> Iterable[tuple[Doc, int]]:
        for i, item in enumerate(items):
            try:
                doc = self._doc(item)
            except Exception:  # noqa: S112 - met again, and told, where it is done alone
                continue
            yield doc, i

    def _alone(self, item: Item) -> Answer:
        self.nlp.set_error_handler(raise_error)
        try:
            return self._row(self.nlp(self._doc(item)))
        except Exception as error:
            self._end_if_gpu_is_lost(error)
            return Failure(name_of(item), item.place, describe(error))

    def _doc(self, item: Item) -> Doc:
        fields = _fields(item)
        text = required(fields, self.task.text_key, str, "a string")
        report = Report()
        labels = read_labels(fields, LABELS, report, item.place)
        if report.problems:
            raise ValueError("\n".join(report.problem_lines()))
        return _named_doc(self.nlp, text, _doc_id(fields, item.place), labels)

    def _row(self, doc: Doc) -> Fields:
        key = self.task.spans_key
        if key not in doc.spans:
            raise OptionError(
                f"the pipeline {self.nlp.pipe_names} has not written doc.spans['{key}'] "
                f"(--spans-key), but these: {list(doc.spans) or 'none'}"
            )
        group = doc.spans[key]
        spans = [
            {"start": span.start_char, "end": span.end_char, "label": span.label_, "score": score}
            for span, score in zip(group, span_scores(group), strict=True)
        ]
        row = {"doc_id": doc.user_data["doc_id"], "spans": spans}
        return {**row, "text": doc.text} if self.task.with_text else row

    def _end_if_gpu_is_lost(self, error: Exception) -> None:
        """After some errors a process can use its GPU no more: then a new one has to go on."""
        if self.task.gpu_id < 0 or not isinstance(error, RuntimeError):
            return
        try:
            torch.ones(1, device=get_torch_default_device()).sum().item()
        except RuntimeError:
            os._exit(os.EX_IOERR if hasattr(os, "EX_IOERR") else 1)


def _use_gpu(gpu_id: int) -> None:
    try:
        require_gpu(gpu_id)
    except (ValueError, RuntimeError) as error:
        raise gpu_error(gpu_id, error) from error


def describe(error: BaseException) -> str:
    """An exception in a message of limited length."""
    return f"{type(error).__name__}: {error}"[:MAX_MESSAGE]


def _pass_over(name: str, component: Any, docs: list[Doc], error: Exception) -> None:
    """As spaCy's error handler: a batch that fails is left out, and done again alone."""


def _named_doc(nlp: Language, text: str, doc_id: Any, labels: Any = None) -> Doc:
    doc = nlp.make_doc(text)
    if doc.text != text:
        raise ValueError("the tokenizer of the pipeline changes the text: offsets would not fit it")
    doc.user_data["doc_id"] = doc_id
    if labels:
        doc._.set(LABELS, labels)
    return doc


def _fields(item: Item) -> Fields:
    content = item.content
    if isinstance(content, Unreadable):
        raise ValueError(str(content))
    if isinstance(content, bytes):
        content = json.loads(content.decode("utf-8-sig"), object_pairs_hook=unique_keys)
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object, but found {type(content).__name__}")
    return content


def _doc_id(fields: Fields, place: str) -> Any:
    """Its `doc_id` or `id`, or else its place."""
    doc_id = id_of(fields, place)
    check_id(doc_id)
    if isinstance(doc_id, float) and not math.isfinite(doc_id):
        raise ValueError(f"a document's name should be a finite number, but is {doc_id}")
    return doc_id


def name_of(item: Item) -> Any:
    """The name of a document; its place where that cannot be found out."""
    try:
        return _doc_id(_fields(item), item.place)
    except (ValueError, RecursionError):
        return item.place
