"""`python -m spacy sener export`: documents with their spans and scores as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..corpora.export import problems_to, write_jsonl
from ..corpora.report import Report
from .app import app
from .corpora import (
    Format,
    InputPath,
    Lang,
    ReportPath,
    SpansKey,
    Strict,
    check_paths,
    print_report,
    read_corpus,
)


@app.command("export")
def export_cli(
    input_path: InputPath,
    output_path: Annotated[
        Path, typer.Argument(metavar="OUT", help="A .jsonl file, or .jsonl.gz or .jsonl.xz")
    ],
    record_format: Format = "auto",
    spans_key: SpansKey = "sc",
    lang: Lang = "en",
    strict: Strict = False,
    report_path: ReportPath = None,
) -> None:
    """Export a .spacy file, or any annotated file, to JSON lines; `convert` reads them again."""
    try:
        report = export(
            input_path,
            output_path,
            record_format=record_format,
            spans_key=spans_key,
            lang=lang,
            strict=strict,
            report_path=report_path,
        )
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    print_report(report)
    msg.good(f"Wrote {report.docs} documents to {output_path}")


def export(
    input_path: Path,
    output_path: Path,
    *,
    record_format: str = "auto",
    spans_key: str = "sc",
    lang: str = "en",
    strict: bool = False,
    report_path: Path | None = None,
) -> Report:
    """Write the documents of a file or folder to a file of JSON lines, one by one.

    Options and errors are those of `convert.convert`.
    """
    check_paths(input_path, output_path, report_path)
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
        write_jsonl(output_path, docs, spans_key=spans_key)
    return report
