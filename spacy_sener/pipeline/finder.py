"""What the tasks need of the component that finds spans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spacy.tokens import Doc, SpanGroup

from ..decoding import LabelsPerSpan, Overlap
from ..prompts import Prompt


@dataclass(frozen=True)
class Found:
    """A span of the words of a task."""

    start_char: int  # in the task
    end_char: int  # exclusive
    label: str
    score: float


class Finder(Protocol):
    """Finds what prompts name; the component `GLiNERMultitask` is one."""

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
        """Find spans of each document that its prompt asks for."""
        ...

    def find_in_task(
        self,
        docs: Sequence[Doc],
        prompts: Sequence[Prompt],
        *,
        threshold: float | None = None,
        overlap: Overlap | None = None,
        labels_per_span: LabelsPerSpan | None = None,
    ) -> list[list[Found]]:
        """Find spans of each prompt's task that its document makes the model mark."""
        ...


def as_docs(docs: Iterable[Doc]) -> list[Doc]:
    """The documents as a list. Raises ValueError for a single one, which is iterable, too."""
    if isinstance(docs, Doc):
        raise ValueError("Give a list of documents, [doc], not a document by itself.")
    return list(docs)
