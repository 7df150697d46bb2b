"""`python -m spacy sener self-train`: a pipeline goes on learning from raw texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import import_code
from spacy.util import load_model

from ..corpora.docbin import read_examples, require_docbin
from ..corpora.files import check_file, folder_written_whole, plain_suffix, written_whole
from ..corpora.raw_texts import SUFFIXES, read_texts
from ..evaluation.markdown import percent
from ..self_training import Settings, self_train
from .app import app
from .messages import failing, msg
from .options import Code, UseGPU, setup_gpu
from .performance import note_performance

DEFAULT = Settings()


@app.command("self-train")
def self_train_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A trained pipeline")],
    texts_path: Annotated[
        Path,
        typer.Argument(
            metavar="RAW_TEXTS", exists=True, help=f"A file ({', '.join(SUFFIXES)}), or a folder"
        ),
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder")],
    gold_path: Annotated[
        Path | None,
        typer.Option("--gold", exists=True, help="Evaluate on this .spacy file before and after"),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option(help="What to train  [default: the only sener or gliner_multitask]"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Lowest score of a span to learn from  [default: the component's]"),
    ] = DEFAULT.threshold,
    steps: Annotated[int, typer.Option(help="Updates")] = DEFAULT.steps,
    learn_rate: Annotated[
        float, typer.Option(help="At the first step; falls to 0")
    ] = DEFAULT.learn_rate,
    encoder_learn_rate: Annotated[
        float, typer.Option(help="Likewise, of the pretrained encoder")
    ] = DEFAULT.encoder_learn_rate,
    label_smoothing: Annotated[
        float, typer.Option(help="Draws the targets towards 0.5 by this share")
    ] = DEFAULT.label_smoothing,
    dropout: Annotated[float, typer.Option(help="As training.dropout")] = DEFAULT.dropout,
    batch_size: Annotated[
        int, typer.Option(help="Documents, or segments, in an update")
    ] = DEFAULT.batch_size,
    max_length: Annotated[
        int | None,
        typer.Option(help="Learn longer documents in segments of so many tokens"),
    ] = DEFAULT.max_length,
    seed: Annotated[int, typer.Option(help="The same one gives the same result")] = DEFAULT.seed,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write all figures to this file, as JSON")
    ] = None,
    use_gpu: UseGPU = -1,
    code_path: Code = None,
) -> None:
    """Train a pipeline on what it finds in texts that nobody annotated, at a low rate."""
    import_code(code_path)
    setup_gpu(use_gpu)
    with failing():
        settings = Settings(
            threshold=threshold,
            steps=steps,
            learn_rate=learn_rate,
            encoder_learn_rate=encoder_learn_rate,
            label_smoothing=label_smoothing,
            dropout=dropout,
            batch_size=batch_size,
            max_length=max_length,
            seed=seed,
        )
        done = self_train_files(
            model,
            texts_path,
            output_path,
            gold_path=gold_path,
            component=component,
            settings=settings,
            report_path=report_path,
        )
    print_done(done)
    msg.good(f"Wrote the pipeline to {output_path}")


def self_train_files(
    model: str,
    texts_path: Path,
    output_path: Path,
    *,
    gold_path: Path | None = None,
    component: str | None = None,
    settings: Settings = DEFAULT,
    report_path: Path | None = None,
) -> dict[str, Any]:
    """Load a pipeline, train it as `self_training.self_train` does, and write it to a new folder.

    The folder is written beside, and gets its name at the end: none is there after a failure or an
    interruption. Raises as `self_train` does, OSError if there is no such pipeline or a folder in
    the report's place, ValueError where the report would be one of the files that are read, and
    FileExistsError where the folder is there already.
    """
    if gold_path is not None:
        require_docbin(gold_path)
    if report_path is not None:
        _check_report(report_path, [texts_path, *([gold_path] if gold_path else [])])
    with folder_written_whole(output_path) as part:
        nlp = load_model(model)
        # spaCy's limit is for components that need much memory for a long text.
        nlp.max_length = sys.maxsize
        gold = read_examples(gold_path, nlp) if gold_path else ()
        texts = read_texts(texts_path, nlp)
        done = self_train(nlp, texts, component=component, settings=settings, gold=gold)
        pipe: Any = nlp.get_pipe(done["component"])
        note_performance(nlp.meta, pipe.key, done["after"])
        nlp.to_disk(part)
    if report_path is not None:
        with written_whole(report_path) as file:
            names = {"model": model, "texts_path": str(texts_path)}
            gold_name = str(gold_path) if gold_path else None
            fields = {**names, "gold_path": gold_name, **done}
            text = json.dumps(fields, indent=1, ensure_ascii=False)
            file.write_text(text + "\n", encoding="utf8")
    return done


def print_done(done: dict[str, Any]) -> None:
    """Print what was learned from, and precision, recall and F before and after."""
    rows = list(done["spans_per_label"].items())
    footer = (f"{done['examples']} examples from {done['texts']} texts", done["spans"])
    header = ("Label", "Spans learned from")
    msg.table(rows, header=header, footer=footer, divider=True, aligns=("l", "r"))
    if done["left_out"]:
        msg.warn(f"{done['left_out']} text(s) or segments left out: no span in them is sure")
    if done["spans_uncertain"]:
        msg.warn(
            f"{done['spans_uncertain']} span(s) with scores below {done['threshold']} count as none"
        )
    if done["spans_cut"]:
        msg.warn(f"{done['spans_cut']} span(s) are in no segment: max_length cuts them")
    if done["before"] is not None:
        figures = [
            (when, *(percent(done[when.lower()][figure]) for figure in "prf"))
            for when in ("Before", "After")
        ]
        msg.table(figures, header=("", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))


def _check_report(path: Path, sources: Iterable[Path]) -> None:
    """Raise OSError or ValueError, before the work, for a report that would replace what is read.

    Or that would be read the next time.
    """
    check_file(path)
    place = path.resolve()
    for source in sources:
        is_text = source.resolve() in place.parents and plain_suffix(path) in SUFFIXES
        if is_text or place == source.resolve():
            raise ValueError(f"--report {path} would be read as part of {source}: name another")
