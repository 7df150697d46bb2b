"""Commands of `python -m spacy sener`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import spacy
import typer
from spacy.cli._util import app as spacy_app
from spacy.tokens import DocBin
from tqdm import tqdm
from wasabi import msg

from .corpora.formats import Format
from .corpora.jsonl import read_jsonl_docs
from .corpora.report import Report
from .pipeline.imported import pipeline_from_checkpoint

app = typer.Typer(name="sener", help="Long, nested entities: corpora and checkpoints.")
# spaCy only imports the modules of its `spacy_cli` entry points: they add their own commands.
spacy_app.add_typer(app)


@app.callback()
def sener() -> None:
    """Long, nested entities: corpora and checkpoints."""


@app.command("convert")
def convert_cli(
    input_path: Annotated[
        Path, typer.Argument(metavar="IN", help="JSON lines, may be gzipped (.gz)")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="A .spacy file")],
    record_format: Annotated[
        str, typer.Option("--format", help=f"One of {', '.join(get_args(Format))}")
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
            record_format=cast(Format, record_format),
            spans_key=spans_key,
            lang=lang,
            strict=strict,
        )
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    print_report(report)
    msg.good(f"Wrote {report.docs} documents to {output_path}")


@app.command("import-checkpoint")
def import_checkpoint_cli(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A .pth file of the SeNER authors' code")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The pipeline's folder")],
    encoder: Annotated[
        str,
        typer.Option(help="Folder or hub name of the encoder it was trained from"),
    ],
    labels: Annotated[str, typer.Option(help="Labels in the order of training: a,b,c")],
    span_window: Annotated[int, typer.Option(help="The authors' chunks_size")] = 128,
    piece_window: Annotated[int, typer.Option(help="Attention to either side, in pieces")] = 128,
    lang: Annotated[str, typer.Option(help="The language whose tokenizer is used")] = "en",
) -> None:
    """Turn a published SeNER checkpoint into a pipeline folder for spacy.load()."""
    names = [label.strip() for label in labels.split(",")]
    try:
        nlp = pipeline_from_checkpoint(
            checkpoint,
            encoder=encoder,
            labels=names,
            span_window=span_window,
            piece_window=piece_window,
            lang=lang,
        )
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    nlp.to_disk(output_path)
    msg.good(f"Wrote a pipeline with {len(names)} labels to {output_path}")


def convert(
    input_path: Path,
    output_path: Path,
    *,
    record_format: Format = "auto",
    spans_key: str = "sc",
    lang: str = "en",
    strict: bool = False,
) -> Report:
    """Write the documents of a JSON lines file to a .spacy file.

    Raises ValueError for a broken line, for a file without documents, and, if `strict`, where
    annotations had to be changed or left out; nothing is written then.
    """
    nlp, report, doc_bin = spacy.blank(lang), Report(), DocBin(store_user_data=True)
    docs = read_jsonl_docs(
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
