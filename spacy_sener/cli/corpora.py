"""What the commands that read annotated files have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import Doc
from tqdm import tqdm

from ..corpora import brat, uima
from ..corpora.files import plain_path, plain_suffix
from ..corpora.readers import FORMATS, read_docs
from ..corpora.report import Report
from .messages import msg, print_lines
from .options import blank

InputPath = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="An annotated file, perhaps packed (.gz, .xz), or a folder of brat or UIMA files",
    ),
]
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}")]
SpansKey = Annotated[str, typer.Option(help="Where annotations are in doc.spans")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Fail where annotations had to be changed or left out")
]
ReportPath = Annotated[
    Path | None,
    typer.Option("--report", help="Write every problem, with its item, to this file of JSON lines"),
]

# What is read of a folder.
FOLDER_SUFFIXES = {*brat.SUFFIXES, *uima.SUFFIXES}


def read_corpus(
    path: Path, report: Report, *, record_format: str, spans_key: str, lang: str, strict: bool
) -> Iterator[Doc]:
    """The documents of a file or folder of any length, one by one, with a progress bar.

    At their end raises ValueError if there were none and, if `strict`, for any problem: whoever
    writes them makes no file before that.
    """
    nlp = blank(lang)
    docs = read_docs(path, nlp, spans_key=spans_key, record_format=record_format, report=report)
    yield from tqdm(docs, desc=path.name, unit=" docs")
    if report.docs == 0:
        raise ValueError("\n".join([f"{path} has no documents", *report.problem_lines()]))
    if strict and report.problems:
        raise ValueError(report.problem_summary(path))


def check_paths(input_path: Path, output_path: Path, report_path: Path | None) -> None:
    """Raise ValueError where what is written would replace, or become part of, what is read."""
    written = [path for path in (output_path, report_path) if path is not None]
    places = [path.resolve() for path in (input_path, *written)]
    if len(set(places)) < len(places):
        raise ValueError("IN, OUT and --report should be different files")
    for path in written:
        if _in_folder(path, input_path) or _beside(path, input_path):
            raise ValueError(
                f"{path} would be one of the annotated files that are read with {input_path}"
            )


def _in_folder(path: Path, folder: Path) -> bool:
    """Whether a file is one of those that are read of a folder."""
    is_read = plain_suffix(path) in FOLDER_SUFFIXES or path.name.lower() == uima.TYPE_SYSTEM
    return is_read and folder.resolve() in path.resolve().parents


def _beside(path: Path, other: Path) -> bool:
    """Whether a file is read together with another: brat's of one text, and the types of UIMA."""
    if path.parent.resolve() != other.parent.resolve():
        return False
    are_brats = {plain_suffix(path), plain_suffix(other)} <= set(brat.SUFFIXES)
    of_one_text = plain_path(path).stem == plain_path(other).stem
    return (are_brats and of_one_text) or path.name.lower() == uima.TYPE_SYSTEM


def print_report(report: Report) -> None:
    """Print what a corpus holds, and what had to be changed in it."""
    rows = [(name, count.spans, count.longest) for name, count in sorted(report.labels.items())]
    header = ("Label", "Spans", "Longest (tokens)")
    footer = (f"{report.docs} documents, {report.tokens} tokens", report.spans, "")
    msg.table(rows, header=header, footer=footer, divider=True, aligns=("l", "r", "r"))
    print_lines(report.problem_lines())
