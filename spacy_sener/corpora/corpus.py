"""A reader for a config's `[corpora]` that takes annotated files as they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .readers import read_docs
from .report import Report


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
            yield Example(_without_annotations(nlp, reference), reference)
        self._check(report)

    def _check(self, report: Report) -> None:
        if report.docs == 0:
            raise ValueError(f"{self.path} has no documents")
        if report.problems and self.strict:
            raise ValueError(report.problem_summary(self.path))
        if report.problems and not self._told:
            warnings.warn(report.problem_summary(self.path), stacklevel=3)
        self._told = True


def _without_annotations(nlp: Language, reference: Doc) -> Doc:
    if reference.has_unknown_spaces:
        return Doc(nlp.vocab, words=[token.text for token in reference])
    return nlp.make_doc(reference.text)


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
