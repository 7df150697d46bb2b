"""What documents lose where they are cut into segments, for a warning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from spacy.tokens import Doc

from ..printable import printable


@dataclass
class SegmentLosses:
    """What is in no segment of its document.

    spans: By their key in `doc.spans`, and their label. n_spans: all that the documents have.
    cats: Categories of documents that were cut, which are none of a part.
    """

    n_spans: int = 0
    spans: Counter[tuple[str, str]] = field(default_factory=Counter)
    cats: set[str] = field(default_factory=set)

    def add(self, doc: Doc, segments: Sequence[Doc]) -> None:
        """Count what the segments of a document do not have of it."""
        spans = Counter(_spans(doc))
        self.n_spans += spans.total()
        for segment in segments:
            spans.subtract(_spans(segment))
            self.cats |= doc.cats.keys() - segment.cats.keys()
        self.spans += spans

    def warnings(self, source: object, *, longest: int, spans_key: str) -> Iterator[str]:
        """What to say of it, if there is anything.

        longest, spans_key: how the documents were cut.
        """
        if self.spans:
            yield (
                f"{source}: {self.spans.total()} of {self.n_spans} annotated span(s) are in no "
                "segment of the training data and cannot be learned: "
                f"{', '.join(self._counts(spans_key))}. {' '.join(self._why(longest, spans_key))} "
                "A larger `longest` keeps them."
            )
        if self.cats:
            yield (
                f"{source}: the categories {sorted(self.cats)} of documents with more than "
                f"`longest` = {longest} tokens are in no segment, as they are of the whole: a "
                "component that learns them needs a reader of whole documents."
            )

    def _counts(self, spans_key: str) -> Iterator[str]:
        for (key, label), count in self.spans.most_common():
            place = "" if key == spans_key else f" in doc.spans[{key!r}]"
            yield f"{count} x {printable(label)}{place}"

    def _why(self, longest: int, spans_key: str) -> Iterator[str]:
        keys = {key for key, _ in self.spans}
        if spans_key in keys:
            yield (
                f"They are longer than `longest` = {longest} tokens, or overlap with others up to "
                "such a length: a cut has to go through them."
            )
        if keys - {spans_key}:
            yield f"Cuts avoid the spans of doc.spans[{spans_key!r}] alone (`spans_key`)."


def _spans(doc: Doc) -> Iterator[tuple[str, str]]:
    return ((key, span.label_) for key, group in doc.spans.items() for span in group)
