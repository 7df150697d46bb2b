"""Readers for a config's `[corpora]`: annotated files as they are, and documents in segments."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from .copies import without_annotations
from .docbin import BoundedCorpus
from .readers import read_docs
from .report import Report
from .segment_losses import SegmentLosses
from .segments import cut

Augmenter = Callable[[Language, Example], Iterator[Example]]


class JsonlCorpus:
    """A reader for a config's `[corpora]`: the examples of one file, again on every call."""

    def __init__(
        self,
        path: Path,
        *,
        spans_key: str,
        record_format: str,
        strict: bool,
    ) -> None:
        self.path, self.spans_key = path, spans_key
        self.record_format, self.strict = record_format, strict
        self._told = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Examples with the gold spans in `eg.reference.spans[spans_key]`."""
        report = Report()
        docs = read_docs(
            self.path,
            nlp,
            spans_key=self.spans_key,
            record_format=self.record_format,
            report=report,
        )
        for reference in docs:
            yield Example(without_annotations(nlp, reference), reference)
        self._check(report)

    def _check(self, report: Report) -> None:
        if report.docs == 0:
            raise ValueError(f"{self.path} has no documents")
        if report.problems and self.strict:
            raise ValueError(report.problem_summary(self.path))
        if report.problems and not self._told:
            warnings.warn(report.problem_summary(self.path), stacklevel=3)
        self._told = True


def create_jsonl_corpus(
    path: Path | None,
    spans_key: str = "sc",
    format: str = "auto",  # noqa: A002 - the setting's name in a config
    strict: bool = False,
) -> JsonlCorpus:
    """Build `spacy-sener.JsonlCorpus.v1`, a reader that needs no `spacy sener convert` before.

    path (Path): A file of JSON lines, or of any format that `readers.FORMATS` names.
    spans_key (str): Where the annotations go in `doc.spans`.
    format (str): One of `readers.FORMATS`.
    strict (bool): Raise an error, instead of one warning, where annotations had to be changed or
        left out.
    """
    if path is None:
        raise ValueError(
            "spacy-sener.JsonlCorpus.v1 needs a path: set it in [corpora], or give it as "
            "--paths.train and --paths.dev"
        )
    return JsonlCorpus(Path(path), spans_key=spans_key, record_format=format, strict=strict)


class SegmentCorpus(BoundedCorpus):
    """`BoundedCorpus`, with every document cut into segments of at most `longest` tokens.

    Of those without spans under `spans_key` only the share `empty` is read: always the same ones,
    as evenly over the documents as can be.
    """

    def __init__(
        self,
        path: Path,
        *,
        longest: int,
        spans_key: str,
        empty: float,
        limit: int,
        augmenter: Augmenter | None,
    ) -> None:
        if longest < 1:
            raise ValueError(f"longest is {longest} tokens, must be 1 or more")
        if not 0 <= empty <= 1:
            raise ValueError(f"empty is {empty}, must be a share of segments, from 0 to 1")
        super().__init__(path, limit=limit, augmenter=augmenter)
        self.longest, self.spans_key, self.empty = longest, spans_key, empty
        self._told = False

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """Segments of the documents in these files; at their end warnings of what is in none."""
        losses = SegmentLosses()
        yield from self._thinned(self._segments(super().read_docbin(vocab, locs), losses))
        if not self._told:
            for text in losses.warnings(self.path, longest=self.longest, spans_key=self.spans_key):
                warnings.warn(text, stacklevel=3)
            self._told = True

    def _segments(self, docs: Iterable[Doc], losses: SegmentLosses) -> Iterator[Doc]:
        for doc in docs:
            segments = list(cut(doc, self.longest, self.spans_key))
            losses.add(doc, segments)
            yield from segments

    def _thinned(self, segments: Iterable[Doc]) -> Iterator[Doc]:
        n_empty = 0
        for segment in segments:
            if segment.spans.get(self.spans_key):
                yield segment
                continue
            n_empty += 1
            if int(n_empty * self.empty) > int((n_empty - 1) * self.empty):
                yield segment


def create_segment_corpus(
    path: Path | None,
    longest: int = 1000,
    spans_key: str = "sc",
    empty: float = 1.0,
    limit: int = 0,
    augmenter: Augmenter | None = None,
) -> SegmentCorpus:
    """Build `spacy-sener.SegmentCorpus.v1`, a reader of documents too long for one update.

    path (Path): A .spacy file, or a folder of them, as for `spacy.Corpus.v1`.
    longest (int): Tokens in a segment, whitespace counted; see `segments.cut` for where it ends.
    spans_key (str): Where the spans are in `doc.spans` that no cut should go through. Those that
        one has to go through are left out, as are those under other keys that one goes through,
        with one warning. With another, categories (`doc.cats`) are left out of what is cut.
    empty (float): Share of the segments, and of documents that are not cut, without spans under
        that key that is read. In few updates more is learned where most of them have spans.
    limit (int): Read no more documents than these. 0: all.
    augmenter (Callable): Makes further examples of a segment, as for `spacy.Corpus.v1`.
    """
    if path is None:
        raise ValueError(Errors.E913)
    return SegmentCorpus(
        Path(path),
        longest=longest,
        spans_key=spans_key,
        empty=empty,
        limit=limit,
        augmenter=augmenter,
    )
