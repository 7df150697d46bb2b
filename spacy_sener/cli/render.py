"""`python -m spacy sener render`: predicted spans as a page of block views."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import import_code
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_model
from tqdm import tqdm

from ..corpora import brat
from ..corpora.copies import to_annotate
from ..corpora.detect import detect_format
from ..corpora.docbin import load_docs
from ..corpora.files import create_text, files_below, plain_suffix
from ..corpora.raw_texts import SUFFIXES as RAW
from ..corpora.raw_texts import read_texts
from ..corpora.readers import FORMATS, read_docs
from ..corpora.report import Report
from ..displacy import render as render_html
from ..evaluation.predictions import paired
from ..progress import progress_bar
from .app import app
from .messages import fail, failing, msg, print_lines
from .options import Code, UseGPU, blank, setup_gpu

Read = Callable[..., Iterator[Doc]]
"""`_read` with its settings."""


@app.command("render")
def render_cli(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_OR_DOCBIN",
            help="A pipeline (folder or package), or a .spacy file with its predictions",
        ),
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[INPUT] OUT",
            help="What the pipeline is to read (.spacy, .jsonl, .txt, a folder of them, or "
            "another annotated corpus), or, for a .spacy file of predictions, the gold documents "
            "to compare with, if any; and the page to write (.html)",
        ),
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare with the annotations of INPUT")
    ] = False,
    spans_key: Annotated[str, typer.Option(help="What to draw of doc.spans")] = "sc",
    record_format: Annotated[
        str, typer.Option("--format", help=f"Of INPUT: one of {', '.join(FORMATS)}")
    ] = "auto",
    limit: Annotated[int, typer.Option(min=0, help="Draw so many documents at most; 0: all")] = 0,
    title: Annotated[str | None, typer.Option(help="Title of the page")] = None,
    gpu_id: UseGPU = -1,
    code_path: Code = None,
) -> None:
    """Draw what a pipeline finds in texts, or found before, as one HTML page.

    With --compare, gold and predicted spans are compared: found, missed, spurious, wrong label,
    wrong boundary.
    """
    import_code(code_path)
    if not 1 <= len(paths) <= 2:
        fail(f"Give INPUT and OUT, or OUT alone: there are {len(paths)} paths")
    *inputs, output_path = paths
    setup_gpu(gpu_id, silent=gpu_id < 0)
    with failing():
        n_docs = render(
            source,
            inputs[0] if inputs else None,
            output_path,
            compare=compare,
            spans_key=spans_key,
            record_format=record_format,
            limit=limit,
            title=title,
        )
    msg.good(f"Wrote a page of {n_docs} documents to {output_path}")


def render(
    source: str,
    input_path: Path | None,
    output_path: Path,
    *,
    compare: bool = False,
    spans_key: str = "sc",
    record_format: str = "auto",
    limit: int = 0,
    title: str | None = None,
) -> int:
    """Write the page, and return how many documents it has.

    source (str): A pipeline, or a .spacy file with predictions.
    input_path: What the pipeline reads; for a file of predictions, gold documents or None.
    compare (bool): Compare with the annotations of the input, as is done with a file of
        predictions and gold documents anyway. Documents without any under the key are drawn as
        they were predicted, and a warning says how many.
    Raises ValueError or OSError for what cannot be read or does not fit together.
    """
    if output_path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"OUT should be a .html file, but is {output_path}")
    report = Report()
    read = partial(_read, record_format=record_format, spans_key=spans_key, report=report)
    if source.endswith(".spacy"):
        docs = _predictions(Path(source), input_path, compare=compare, read=read)
    elif input_path is None:
        raise ValueError(f"INPUT is missing: what should the pipeline {source} read?")
    else:
        nlp = load_model(source)
        nlp.max_length = sys.maxsize  # for components that need much memory for a long text
        given = islice(read(input_path, nlp, gold=compare), limit or None)
        docs = _predict(nlp, given, compare=compare)
    with progress_bar():
        drawn = list(tqdm(islice(docs, limit or None), desc="Documents", unit=" docs"))
    if not drawn:
        raise ValueError(f"{input_path or source} has no documents")
    if report.problems:
        print_lines(report.problem_summary(input_path).split("\n"))
    drawn = _comparable(drawn, spans_key)
    options = {"spans_key": spans_key, "title": title or (input_path or Path(source)).name}
    html = render_html(drawn, page=True, jupyter=False, options=options)
    with create_text(output_path) as file:
        file.write(html or "")
    return len(drawn)


def _comparable(drawn: list[Any], spans_key: str) -> list[Any]:
    """The same, but of examples without gold annotation under the key the predictions alone.

    Nobody has looked at these documents: their spans are not spurious. Raises ValueError where
    that is all of them.
    """
    bare = [isinstance(one, Example) and spans_key not in one.reference.spans for one in drawn]
    if all(bare):
        keys = sorted({key for example in drawn for key in example.reference.spans})
        raise ValueError(
            f"no document has an annotation in doc.spans['{spans_key}'] to compare with. The keys "
            f"that are there: {keys or 'none'}. Name yours with --spans-key"
        )
    if any(bare):
        msg.warn(
            f"{sum(bare)} of {len(drawn)} documents have no annotation in doc.spans['{spans_key}'],"
            " and are drawn without comparison"
        )
    return [one.predicted if alone else one for one, alone in zip(drawn, bare, strict=True)]


def _predict(nlp: Language, docs: Iterable[Doc], *, compare: bool) -> Iterator[Any]:
    """The documents with predicted spans, or examples of gold and predicted ones."""
    pairs = ((to_annotate(nlp, doc), doc) for doc in docs)
    for predicted, reference in nlp.pipe(pairs, as_tuples=True):
        yield Example(predicted, reference) if compare else predicted


def _predictions(path: Path, gold_path: Path | None, *, compare: bool, read: Read) -> Iterator[Any]:
    """Documents of a .spacy file, or examples of gold ones and these."""
    nlp = blank("en")
    docs = load_docs(path, nlp.vocab)
    if gold_path is None:
        if compare:
            raise ValueError(f"INPUT is missing: what should {path} be compared with?")
        yield from docs
        return
    yield from paired(docs, read(gold_path, nlp, gold=True), path, gold_path)


def _read(
    path: Path, nlp: Language, *, gold: bool, record_format: str, spans_key: str, report: Report
) -> Iterator[Doc]:
    """The documents of a file or folder; with annotations, and a report on them, if `gold`."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if plain_suffix(path) == ".spacy":
        return load_docs(path, nlp.vocab)
    if not gold and record_format == "auto" and _are_raw(path):
        return read_texts(path, nlp)
    return read_docs(
        path,
        nlp,
        report=report if gold else Report(),
        spans_key=spans_key,
        record_format=record_format,
    )


def _are_raw(path: Path) -> bool:
    """Whether a file or folder can be read without annotations; there may be some."""
    if path.is_dir():
        suffixes = {plain_suffix(file) for file in files_below(path)}
        return not suffixes.isdisjoint(RAW) and suffixes.isdisjoint(brat.ANNOTATIONS)
    if plain_suffix(path) == ".jsonl":
        return detect_format(path) == "jsonl"
    return plain_suffix(path) == ".txt"
