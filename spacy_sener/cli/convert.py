"""`python -m spacy sener convert`: annotated files as spaCy's binary format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.tokens import DocBin
from tqdm import tqdm
from wasabi import msg

from ..corpora.readers import FORMATS, read_docs
from ..corpora.report import Report
from .app import app


@app.command("convert")
def convert_cli(
    input_path: Annotated[
        Path, typer.Argument(metavar="IN", help="JSON lines, may be gzipped (.gz)")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="A .spacy file")],
    record_format: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}")
    ] = "auto",
    spans_key: Annotated[str, typer.Option(help="Where annotations go in doc.spans")] = "sc",
    lang: Annotated[str, typer.Option(help="The language whose tokenizer is used")] = "en",
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where annotations had to be changed or left out")
    ] = False,
) -> None:
    """Convert annotated JSON lines to spaCy's binary format, and report what was found."""
    try:
        report = convert(
            input_path,
            output_path,
            record_format=record_format,
            spans_key=spans_key,
            lang=lang,
            strict=strict,
        )
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
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
) -> Report:
    """Write the documents of a JSON lines file to a .spacy file.

    Raises ValueError for a broken line, for a file without documents, and, if `strict`, where
    annotations had to be changed or left out; nothing is written then.
    """
    nlp, report, doc_bin = spacy.blank(lang), Report(), DocBin(store_user_data=True)
    docs = read_docs(
        input_path, nlp, spans_key=spans_key, record_format=record_format, report=report
    )
    for doc in tqdm(docs, desc=input_path.name, unit=" docs"):
        doc_bin.add(doc)
    if report.docs == 0:
        raise ValueError(f"{input_path} has no documents")
    if strict and report.problems:
        raise ValueError(report.problem_summary(input_path))
    output_path.parent.mkdir(parents=True, exist_ok=True)
    doc_bin.to_disk(output_path)
    return report


def print_report(report: Report) -> None:
    """Print what a corpus holds, and what had to be changed in it."""
    rows = [(name, count.spans, count.longest) for name, count in sorted(report.labels.items())]
    header = ("Label", "Spans", "Longest (tokens)")
    footer = (f"{report.docs} documents, {report.tokens} tokens", report.spans, "")
    msg.table(rows, header=header, footer=footer, divider=True, aligns=("l", "r", "r"))
    for line in report.problem_lines():
        msg.text(line) if line.startswith(" ") else msg.warn(line)
