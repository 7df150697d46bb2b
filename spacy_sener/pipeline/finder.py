"""What the tasks need of the component that finds spans."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from spacy.tokens import Doc, SpanGroup

from ..decoding import LabelsPerSpan, Overlap
from ..prompts import Prompt
from ..types import Found
from ..wordings import WordingName


class Finder(Protocol):
    """Finds what prompts name; the component `GLiNERMultitask` is one.

    The functions that take one as their first argument are its methods.
    """

    @property
    def key(self) -> str:
        """Key of `doc.spans` that its own spans are written to."""
        ...

    @property
    def wording(self) -> WordingName:
        """How tasks are put."""
        ...

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

    def fits(self, labels: Sequence[str], *, task: str) -> list[bool]:
        """Of each label, whether it is short enough to be asked beside the task."""
        ...


def as_docs(docs: Iterable[Doc]) -> list[Doc]:
    """The documents as a list.

    Raises ValueError for a single one, which is iterable, too, and for what is no document.
    """
    if isinstance(docs, Doc):
        raise ValueError("Give a list of documents, [doc], not a document by itself.")
    docs = list(docs)
    for doc in docs:
        if not isinstance(doc, Doc):
            raise ValueError(f"Give documents, such as nlp.make_doc(text), not {doc!r}.")
    return docs
