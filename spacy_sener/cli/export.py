"""`python -m spacy sener export`: documents with spans and scores as JSON, or for GLiNER."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..corpora.export import problems_to, write_gliner, write_jsonl
from ..corpora.files import plain_suffix
from ..corpora.report import Report
from .app import app
from .corpora import (
    Format,
    InputPath,
    ReportPath,
    SpansKey,
    Strict,
    check_paths,
    print_report,
    read_corpus,
)
from .messages import failing, msg
from .options import Lang

TARGETS = ("jsonl", "gliner")
SUFFIXES = (".jsonl", ".json")


@app.command("export")
def export_cli(
    input_path: InputPath,
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A .jsonl file, or .json for a list, perhaps packed (.gz, .xz)"
        ),
    ],
    target: Annotated[
        str,
        typer.Option("--to", help="jsonl, or gliner for its trainer, which reads a .json file"),
    ] = "jsonl",
    record_format: Format = "auto",
    spans_key: SpansKey = "sc",
    lang: Lang = "en",
    strict: Strict = False,
    report_path: ReportPath = None,
) -> None:
    """Export a .spacy file, or any annotated file, to JSON; `convert` reads it again."""
    with failing():
        report = export(
            input_path,
            output_path,
            target=target,
            record_format=record_format,
            spans_key=spans_key,
            lang=lang,
            strict=strict,
            report_path=report_path,
        )
    print_report(report)
    msg.good(f"Wrote {report.docs} documents to {output_path}")


def export(
    input_path: Path,
    output_path: Path,
    *,
    target: str = "jsonl",
    record_format: str = "auto",
    spans_key: str = "sc",
    lang: str = "en",
    strict: bool = False,
    report_path: Path | None = None,
) -> Report:
    """Write the documents of a file or folder to a file of JSON, one by one.

    output_path (Path): Ends in one of `SUFFIXES`, or .gz or .xz behind it.
    target (str): "jsonl", or "gliner", of whose records scores are no part; that is a warning.
    The other options and errors are those of `convert.convert`.
    """
    if target not in TARGETS:
        raise ValueError(f"--to should be one of {TARGETS}, but is {target!r}")
    check_paths(input_path, output_path, report_path)
    if plain_suffix(output_path) not in SUFFIXES:
        names = " or ".join(SUFFIXES)
        raise ValueError(f"OUT should end in {names} (or .gz, .xz), and is {output_path}")
    with problems_to(report_path) as on_problem:
        report = Report(on_problem=on_problem)
        docs = read_corpus(
            input_path,
            report,
            record_format=record_format,
            spans_key=spans_key,
            lang=lang,
            strict=strict,
        )
        if target == "jsonl":
            write_jsonl(output_path, docs, spans_key=spans_key)
        else:
            left_out = write_gliner(output_path, docs, spans_key=spans_key)
            for what, count in (+left_out).items():
                msg.warn(f"{count} x {what} (not written: GLiNER's records have no place for it)")
    return report
