"""`python -m spacy sener report`: what a pipeline gets right and wrong, with tables and plots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import import_code
from spacy.util import fix_random_seed, load_model

from ..corpora.files import check_folder
from ..evaluation.labels import no_common_label
from ..evaluation.markdown import percent
from ..evaluation.plots import MISSING
from ..evaluation.predictions import Run, from_file, from_pipeline, require_spans
from ..evaluation.report import VERSION, evaluate, write_report
from .app import app
from .messages import failing, msg
from .options import Code, UseGPU, setup_gpu


@app.command("report")
def report_cli(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A pipeline, or a .spacy file of its predictions"),
    ],
    data_path: Annotated[
        Path, typer.Argument(metavar="DATA", exists=True, help="Annotated data, a .spacy file")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The report's folder")],
    name: Annotated[
        str | None, typer.Option(help="Name of the method, for `compare`; default: the folder's")
    ] = None,
    spans_key: Annotated[str, typer.Option("--spans-key", "-sk", help="Key of doc.spans")] = "sc",
    lowest_score: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Where the diagrams begin, below the pipeline's own threshold"
        ),
    ] = 0.05,
    n_examples: Annotated[int, typer.Option(min=0, help="Examples of each error")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap")] = 0,
    gold_preproc: Annotated[
        bool, typer.Option("--gold-preproc", "-G", help="Predict on the gold tokens")
    ] = False,
    use_gpu: UseGPU = -1,
    code_path: Code = None,
) -> None:
    """Evaluate the spans of a pipeline and write report.json, report.md and plots."""
    import_code(code_path)
    fix_random_seed()
    setup_gpu(use_gpu)
    with failing():
        made, has_plots = report(
            model,
            data_path,
            output_path,
            name=name,
            spans_key=spans_key,
            lowest_score=lowest_score,
            n_examples=n_examples,
            seed=seed,
            gold_preproc=gold_preproc,
        )
    print_report(made)
    if hint := no_common_label(made["per_type"], made["labels"]):
        msg.warn(hint)
    if not has_plots:
        msg.warn(MISSING)
    msg.good(f"Wrote the report to {output_path}")


def report(
    model: str,
    data_path: Path,
    output_path: Path,
    *,
    name: str | None = None,
    spans_key: str = "sc",
    lowest_score: float = 0.05,
    n_examples: int = 10,
    seed: int = 0,
    gold_preproc: bool = False,
) -> tuple[dict[str, Any], bool]:
    """Write a report to a folder. Returns it, and whether there are plots.

    Raises ValueError if the data or the predictions have no spans under the key, OSError if there
    is no such pipeline, or a file in the folder's place.
    """
    check_folder(output_path)
    n_documents = require_spans(data_path, spans_key)
    run: Run
    if Path(model).suffix == ".spacy":
        run = from_file(Path(model), data_path)
    else:
        nlp = load_model(model)
        run = from_pipeline(
            nlp,
            data_path,
            spans_key=spans_key,
            gold_preproc=gold_preproc,
            lowest_score=lowest_score,
        )
    figures = evaluate(
        run,
        spans_key=spans_key,
        source=model,
        n_documents=n_documents,
        n_examples=n_examples,
        seed=seed,
    )
    names = {"name": name or default_name(model), "model": model, "data": str(data_path)}
    made = {"version": VERSION, **names, "labels": run.known, **figures}
    return made, write_report(made, output_path)


def default_name(model: str) -> str:
    """The folder's, or that of the folder around it for the `model-best` of a training."""
    path = Path(model).resolve()
    if path.name in ("model-best", "model-last"):
        return path.parent.name
    return path.name.removesuffix(".spacy")


def print_report(made: dict[str, Any]) -> None:
    """Print precision, recall and F: in all, per type and per length."""
    for name, groups in (
        ("", {"All": made["micro"]}),
        ("Type", made["per_type"]),
        ("Tokens", made["per_length"]),
    ):
        rows = [
            (group, *(percent(row[key]) for key in "prf"), row["gold"], row["predicted"])
            for group, row in groups.items()
        ]
        header = (name, "P", "R", "F", "Gold", "Predicted")
        msg.table(rows, header=header, divider=True, aligns=("l", *"r" * 5))
