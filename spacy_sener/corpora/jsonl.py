"""Corpora in JSON lines, read one document at a time."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .formats import Format, read_record
from .report import Report


def read_jsonl_docs(
    path: Path,
    nlp: Language,
    *,
    spans_key: str,
    record_format: Format,
    report: Report,
) -> Iterator[Doc]:
    """The documents of a file, one per line; blank lines are skipped.

    `doc.user_data["doc_id"]` is the record's `doc_id` or `id`, or else its place in the file.

    path (Path): JSON lines in UTF-8, with or without byte order mark; `.gz` is unpacked.
    report (Report): Filled while the documents are read.
    Raises ValueError, naming the line, for what is not a record of that format.
    """
    if record_format not in get_args(Format):
        raise ValueError(f"format should be one of {get_args(Format)}, but is {record_format!r}")
    for number, line in _numbered_lines(path):
        try:
            record = _parse_record(line)
            doc_id = record.get("doc_id", record.get("id", f"{path.name}:{number}"))
            where = f"{doc_id} (line {number})"
            doc = read_record(
                nlp,
                record,
                record_format=record_format,
                spans_key=spans_key,
                report=report,
                where=where,
            )
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        doc.user_data["doc_id"] = doc_id
        yield doc


def _numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    open_text: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with open_text(path, mode="rt", encoding="utf-8-sig") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: {error}") from error


def _parse_record(line: str) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, but found {type(record).__name__}")
    return record


class JsonlCorpus:
    """A reader for a config's `[corpora]`: the examples of one file, again on every call."""

    def __init__(
        self,
        path: Path,
        *,
        spans_key: str,
        record_format: Format,
        strict: bool,
    ) -> None:
        self.path, self.spans_key = path, spans_key
        self.record_format, self.strict = record_format, strict
        self._told = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Examples with the gold spans in `eg.reference.spans[spans_key]`."""
        report = Report()
        docs = read_jsonl_docs(
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
    format: Format = "auto",  # noqa: A002 - the setting's name in a config
    strict: bool = False,
) -> JsonlCorpus:
    """Build `spacy-sener.JsonlCorpus.v1`, a reader that needs no `spacy sener convert` before.

    path (Path): A file of JSON lines; see `formats.read_record` for what it may hold.
    spans_key (str): Where the annotations go in `doc.spans`.
    format (str): "auto", "offsets", "tokens" or "raw".
    strict (bool): Raise an error, instead of one warning, where annotations had to be changed or
        left out.
    """
    if path is None:
        raise ValueError(
            "spacy-sener.JsonlCorpus.v1 needs a path: set it in [corpora], or give it as "
            "--paths.train and --paths.dev"
        )
    return JsonlCorpus(Path(path), spans_key=spans_key, record_format=format, strict=strict)
