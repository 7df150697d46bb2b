"""`python -m spacy sener set-threshold`: the threshold that suits some annotated data best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import import_code
from spacy.util import load_model

from ..corpora.files import create_text, files_written_whole
from ..evaluation.confidence import best_point
from ..evaluation.labels import no_common_label
from ..evaluation.markdown import percent
from ..evaluation.predictions import Run, from_pipeline, keeps_by_score, require_spans, writer
from ..evaluation.report import evaluate
from .app import app
from .messages import failing, msg
from .options import Code, UseGPU, setup_gpu
from .performance import note_performance

LONGER = "Train it longer."


@app.command("set-threshold")
def set_threshold_cli(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", exists=True, file_okay=False, help="A pipeline")
    ],
    data_path: Annotated[
        Path, typer.Argument(metavar="DATA", exists=True, help="Annotated data, a .spacy file")
    ],
    spans_key: Annotated[str, typer.Option("--spans-key", "-sk", help="Key of doc.spans")] = "sc",
    use_gpu: UseGPU = -1,
    code_path: Code = None,
) -> None:
    """Change a pipeline's threshold to that of the highest F on DATA, which is read once.

    Use other data to train on, and other data yet for figures to quote.
    """
    import_code(code_path)
    setup_gpu(use_gpu)
    with failing():
        before, curve = set_threshold(model, data_path, spans_key=spans_key)
    rows = [(f"{each['threshold']:.2f}", *(percent(each[key]) for key in "prf")) for each in curve]
    msg.table(rows, header=("Threshold", "P", "R", "F"), divider=True, aligns="r")
    after = best_point(curve)["threshold"]
    msg.good(f"The threshold of {model} was {before:g} and is {after:g}")
    if after != before:
        msg.info(
            f"Reports and model cards made before are of {before:g}: make them again, with `sener "
            "report` and `sener card --force`"
        )


def set_threshold(
    model: Path, data_path: Path, *, spans_key: str = "sc"
) -> tuple[float, list[dict[str, Any]]]:
    """Save the best threshold in a pipeline's folder. Returns the one before, and all figures.

    Where it is another than before, those in meta.json become those of the data at this threshold.

    Raises ValueError if there are no spans under the key, if spans are not kept by their scores,
    or at no threshold any is found; OSError if there is no such pipeline.
    """
    n_documents = require_spans(data_path, spans_key)
    nlp = load_model(model)
    pipe = writer(nlp, spans_key)
    if pipe is not None and not keeps_by_score(pipe):
        name = next(name for name, each in nlp.pipeline if each is pipe)
        raise ValueError(
            f"The threshold of '{name}' is not for the scores of its spans, so one reading "
            "does not tell what it finds at another: try each with nlp.evaluate, after "
            f"nlp.get_pipe('{name}').cfg['threshold'] = ..."
        )
    run = from_pipeline(nlp, data_path, spans_key=spans_key)
    if run.threshold is None:
        raise ValueError(
            f"No component of {model} with a threshold writes to doc.spans['{spans_key}']. If "
            "yours writes to another key, name it with --spans-key."
        )
    figures = evaluate(
        run, spans_key=spans_key, source=str(model), n_documents=n_documents, n_examples=0
    )
    curve = figures["curve"] or []
    if not any(point["f"] for point in curve):
        hint = no_common_label(figures["per_type"], run.known)
        raise ValueError(f"{_nothing(model, data_path, run, curve)} {hint or LONGER}")
    best = best_point(curve)
    threshold = best["threshold"]
    pipe.cfg["threshold"] = nlp.get_pipe_config(pipe.name)["threshold"] = threshold
    with files_written_whole(model / pipe.name) as part:
        pipe.to_disk(part, exclude=["vocab"])  # the pipeline has its own
    with create_text(model / "config.cfg") as file:
        file.write(nlp.config.to_str())
    if threshold != run.threshold:
        meta = srsly.read_json(model / "meta.json")
        note_performance(meta, spans_key, best)
        with create_text(model / "meta.json") as file:
            file.write(srsly.json_dumps(meta, indent=2))
    return run.threshold, curve


def _nothing(model: Path, data_path: Path, run: Run, curve: list[dict[str, Any]]) -> str:
    """That no span is found. curve: begins at the lowest threshold, if anything has a score."""
    n_wrong = curve[0]["predicted"] if curve else 0
    why = f"{n_wrong:,} have such a score, none is right" if n_wrong else "no score is so high"
    lowest = f"{run.lowest_score:g}"
    return f"{model} finds no span of {data_path} at a threshold of {lowest} or more: {why}."
