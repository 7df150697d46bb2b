"""`python -m spacy sener train` and `resume`: as `spacy train`, for runs that may be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST, clean_output_dir
from spacy.util import load_config, load_model
from thinc.api import set_gpu_allocator

from ..training.loop import output_folder, pipeline_folder, state_folder, train
from ..training.optimizer_state import ResumeError
from ..training.progress import Saved
from .app import app
from .messages import fail, failing, msg
from .options import Code, UseGPU, setup_gpu

EVALUATIONS = "training.eval_frequency"
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command("train", context_settings=OVERRIDES)
def train_cli(
    context: typer.Context,
    config_path: Annotated[
        Path, typer.Argument(metavar="CONFIG", exists=True, help="As init-config writes it")
    ],
    output_path: Annotated[
        Path, typer.Option("--output", "-o", help="Gets model-best and model-last")
    ],
    code_path: Code = None,
    use_gpu: UseGPU = -1,
) -> None:
    """Train as `spacy train` does; Ctrl-C, or a failure, leaves a run that `resume` goes on with.

    Settings of the config are overridden as there: --training.max_steps 100.
    """
    overrides = _overrides(context)
    import_code(code_path)
    with _alone_in(output_path):
        if state_folder(output_path).exists():
            fail(
                f"{output_path} has a run that is not done. Go on with it: python -m spacy sener "
                f"resume {output_path}. Or delete {output_path / DIR_MODEL_LAST}."
            )
        setup_gpu(use_gpu)
        with failing():
            nlp = _initialized(config_path, overrides, use_gpu)
        clean_output_dir(output_path)
        _run(nlp, output_path, use_gpu, None)


@app.command("resume", context_settings=OVERRIDES)
def resume_cli(
    context: typer.Context,
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUT_DIR", exists=True, file_okay=False, help="The --output of `sener train`"
        ),
    ],
    code_path: Code = None,
    use_gpu: UseGPU = -1,
) -> None:
    """Go on with a run of `sener train` where its `model-last` was written.

    Losses and weights are those of a run that was never stopped. Settings can be overridden, to
    train longer (--training.max_steps 2000 --training.optimizer.total_steps 2000), or where files
    have moved (--paths.train ...).
    """
    overrides = _overrides(context)
    if EVALUATIONS in overrides:
        raise typer.BadParameter(f"--{EVALUATIONS} cannot change: what is done is counted by it")
    import_code(code_path)
    with _alone_in(output_path):
        setup_gpu(use_gpu)
        try:
            saved = Saved.from_disk(state_folder(output_path))
            nlp = load_model(pipeline_folder(output_path), config=overrides)
        except FileNotFoundError as error:
            fail(f"{error}{_further_hint(output_path / DIR_MODEL_BEST)}")
        except (OSError, ValueError) as error:
            fail(error)
        msg.info(f"Going on after step {saved.progress.step}")
        _run(nlp, output_path, use_gpu, saved)


def _overrides(context: typer.Context) -> dict[str, Any]:
    """Settings given as options. spaCy takes a misspelt one of [training] without a word."""
    overrides = parse_config_overrides(context.args)
    known = Language.default_config["training"]
    for option in overrides:
        section, _, setting = option.partition(".")
        if section == "training" and (name := setting.split(".")[0]) not in known:
            close = "".join(f", but {each}" for each in get_close_matches(name, known, n=1))
            raise typer.BadParameter(f"--{option}: [training] has no {name}{close}")
    return overrides


def _initialized(config_path: Path, overrides: dict[str, Any], use_gpu: int) -> Language:
    """The pipeline of a config, initialized. Raises ValueError for a file that is no config."""
    try:
        with show_validation_error(config_path):
            config = load_config(config_path, overrides=overrides, interpolate=False)
    except UnicodeDecodeError as error:
        raise ValueError(f"{config_path} is no config: {error}") from error
    with show_validation_error(config_path, hint_fill=False):
        return init_nlp(config, use_gpu=use_gpu)


def _further_hint(best: Path) -> str:
    """How a pipeline that is trained is trained on."""
    if not best.is_dir():
        return ""
    source = f'[components.sener] source = "{best}"'
    return f" To train its pipeline further, name it in the config of another run: {source}"


@contextmanager
def _alone_in(output_path: Path) -> Iterator[None]:
    with ExitStack() as stack:
        with failing():
            stack.enter_context(output_folder(output_path))
        yield


def _run(nlp: Language, output_path: Path, use_gpu: int, saved: Saved | None) -> None:
    allocator = nlp.config.interpolate()["training"]["gpu_allocator"]
    if use_gpu >= 0 and allocator:
        set_gpu_allocator(allocator)
    try:
        # Settings that were overridden for `resume` are read here for the first time.
        with show_validation_error(hint_fill=False):
            stopped = train(nlp, output_path, saved=saved)
    except ResumeError as error:
        fail(f"{error} The run in {output_path} is left as it was.")
    except OSError as error:
        again = f"Go on, when it is mended: python -m spacy sener resume {output_path}"
        hint = f" {again}" if state_folder(output_path).exists() else ""
        fail(f"Training stopped: {error}.{hint}")
    if stopped is not None:
        msg.warn(f"Stopped. Go on with: python -m spacy sener resume {output_path}")
        raise typer.Exit(128 + stopped)
    msg.good(f"Saved the pipeline to {output_path / DIR_MODEL_BEST} and {DIR_MODEL_LAST}")
