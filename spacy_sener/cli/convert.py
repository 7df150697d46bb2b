"""`python -m spacy sener convert`: annotated files as spaCy's binary format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import DocBin

from ..corpora.export import problems_to
from ..corpora.files import written_whole
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


@app.command("convert")
def convert_cli(
    input_path: InputPath,
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="A .spacy file")],
    record_format: Format = "auto",
    spans_key: SpansKey = "sc",
    lang: Lang = "en",
    strict: Strict = False,
    report_path: ReportPath = None,
) -> None:
    """Convert an annotated file to spaCy's binary format, and report what was found."""
    with failing():
        report = convert(
            input_path,
            output_path,
            record_format=record_format,
            spans_key=spans_key,
            lang=lang,
            strict=strict,
            report_path=report_path,
        )
    print_report(report)
    msg.good(f"Wrote {report.docs} documents to {output_path}")


def convert(
    input_path: Path,
    output_path: Path,
    *,
    record_format: str = "auto",
    spans_key: str = "sc",
    lang: str = "en",
    strict: bool = False,
    report_path: Path | None = None,
) -> Report:
    """Write the documents of a file or folder to a .spacy file.

    They are read one by one, but spaCy's `DocBin` holds what it is to write in memory, packed as
    arrays of numbers.

    report_path (Path): Where every problem goes, with its item, as JSON lines; also if this fails.
    Raises ValueError for another suffix than .spacy, for what is not of the format, for a file
    without documents, and, if `strict`, where annotations had to be changed or left out; no .spacy
    file is written then.
    """
    check_paths(input_path, output_path, report_path)
    if output_path.suffix != ".spacy":
        raise ValueError(f"OUT should end in .spacy, and is {output_path}")
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
        doc_bin = DocBin(docs=docs, store_user_data=True)
    with written_whole(output_path) as partial:
        doc_bin.to_disk(partial)
    return report
