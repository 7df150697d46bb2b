"""spaCy's training loop, with a state that is saved beside the pipeline and taken up again.

A run that goes on passes through the steps that were done, without their documents: so spaCy's own
loop counts steps, draws from schedules and knows the best evaluation as if it had never stopped.
Only the words, which loggers are told, are counted anew.
"""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import (
    DIR_MODEL_BEST,
    DIR_MODEL_LAST,
    create_before_to_disk_callback,
    create_evaluation_callback,
    create_train_batches,
    train_while_improving,
    update_meta,
)
from spacy.util import registry, resolve_dot_names
from thinc.api import Optimizer, fix_random_seed

from ..corpora.files import folder_alone, folder_replaced_whole, restore_folder
from ..optimizers import AdamW
from ..pipeline.span_pipe import SpanPipe
from .optimizer_state import ResumeError
from .progress import Progress, Saved
from .random_state import random_state, set_random_state
from .stopping import stopping

Reader = Callable[[Language], Iterable[Example]]
"""Of a corpus."""
STATE = "training"
"""Folder in `model-last`, while the run is not done."""
PIPELINE = "pipeline"
"""Folder in that, where `before_to_disk` makes another pipeline of the one that is trained."""


def state_folder(output_path: Path) -> Path:
    """Where a run that is not done has its state."""
    return output_path / DIR_MODEL_LAST / STATE


def pipeline_folder(output_path: Path) -> Path:
    """Where such a run has the pipeline that it goes on with."""
    folder = state_folder(output_path) / PIPELINE
    return folder if folder.is_dir() else output_path / DIR_MODEL_LAST


@contextmanager
def output_folder(path: Path) -> Iterator[None]:
    """Have a run's folder, which is made where there is none, for this process alone.

    Models that a killed process was about to replace are put back. Raises ValueError if another run
    writes there.
    """
    with folder_alone(path):
        for name in (DIR_MODEL_BEST, DIR_MODEL_LAST):
            restore_folder(path / name)
        yield


def train(
    nlp: Language,
    output_path: Path,
    *,
    saved: Saved | None = None,
) -> int | None:
    """Train a pipeline as its config says, and write `model-best` and `model-last`.

    These folders are replaced as a whole. `model-last` holds the state of the run as well, until
    it is done. Loggers are told of an evaluation when it is written, as by spaCy, and where.
    Ctrl-C, or SIGTERM, ends it after the step that is going on. Documents may be of any length.

    nlp: initialized, or, for a run that goes on, that of `pipeline_folder`. saved: its state.
    Returns the signal that ended it before its end, else None. Raises ResumeError, with nothing
    written, where a run cannot go on with these settings, or this corpus.
    """
    nlp.max_length = sys.maxsize  # for components that need much memory for a long text
    config = nlp.config.interpolate()
    if config["training"]["seed"] is not None:
        fix_random_seed(config["training"]["seed"])
    settings = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    _check_schedule(settings)
    if saved:
        saved.check(nlp, settings["optimizer"])
    progress = saved.progress if saved else Progress()
    writer = _Writer(nlp, output_path, settings, progress)
    with nlp.select_pipes(disable=settings["frozen_components"]):
        for _, pipe in nlp.pipeline:
            if isinstance(pipe, SpanPipe):  # one that is sourced was not initialized
                pipe.warn_unscored(nlp)
        log_step, finish_log = settings["logger"](nlp, sys.stdout, sys.stderr)
    try:
        with stopping() as stopped:
            for info, is_best in _steps(nlp, config, settings, saved, progress):
                if is_best is not None:
                    with nlp.select_pipes(disable=settings["frozen_components"]):
                        update_meta(settings, nlp, info)
                asked = stopped()  # once for the step: it may come at any moment
                is_written = is_best is not None or asked is not None
                if is_written:
                    writer.write(with_state=True, is_best=bool(is_best))
                    info["output_path"] = str(writer.last)
                before = random_state() if is_written else None
                log_step(info if is_best is not None else None)
                # MLflow's loads a pipeline, and draws.
                if before is not None and random_state() != before:
                    writer.write(with_state=True)
                if asked is not None:
                    return asked
            writer.write(with_state=False)
    finally:
        finish_log()
    return None


def _check_schedule(settings: dict[str, Any]) -> None:
    """Warn of steps in which hardly anything would be learned."""
    steps, epochs, optimizer = (settings[key] for key in ("max_steps", "max_epochs", "optimizer"))
    total = optimizer.total_steps if isinstance(optimizer, AdamW) else 0
    is_endless = not steps and epochs < 1
    if total > 0 and (steps > total or is_endless):
        warnings.warn(
            f"training.max_steps is {steps or '0, for no limit'}, and "
            f"training.optimizer.total_steps {total}: in the steps after that the rates are so low "
            "that hardly anything is learned. Give both the same value.",
            stacklevel=3,
        )


def _steps(
    nlp: Language,
    config: dict[str, Any],
    settings: dict[str, Any],
    saved: Saved | None,
    progress: Progress,
) -> Iterator[tuple[dict[str, Any], bool | None]]:
    """The steps that are still to do: what spaCy tells of each, and whether it is the best.

    Raises ResumeError if training ends before the first of them.
    """
    done, optimizer = progress.step, settings["optimizer"]
    is_behind = saved is not None
    names = [settings["train_corpus"], settings["dev_corpus"]]
    train_corpus, dev_corpus = resolve_dot_names(config, names)
    steps = train_while_improving(
        nlp,
        optimizer,
        _batches(nlp, train_corpus, settings, progress),
        progress.evaluating_anew(
            create_evaluation_callback(
                nlp, _checked(dev_corpus, settings), settings["score_weights"]
            )
        ),
        dropout=settings["dropout"],
        accumulate_gradient=settings["accumulate_gradient"],
        patience=settings["patience"],
        max_steps=settings["max_steps"],
        eval_frequency=settings["eval_frequency"],
        exclude=settings["frozen_components"],
        annotating_components=settings["annotating_components"],
        before_update=settings["before_update"],
    )
    for _, info, is_best in steps:
        if saved and info["step"] == done:
            info["losses"].update(progress.losses)
            saved.go_on(nlp, optimizer)
            is_behind = False
        if info["step"] > done:
            progress.step = info["step"]
            progress.losses = info["losses"] if is_best is None else {}
            yield info, is_best
    if is_behind:
        raise ResumeError(
            f"The settings, or the corpus, end before step {done}, after which the run was "
            "stopped. It needs the corpus that it had, and as much of max_steps, max_epochs and "
            "patience."
        )


def _checked(dev_corpus: Reader, settings: dict[str, Any]) -> Reader:
    """The same, with a warning where a state is chosen by F, and no document has spans to find."""

    def read(nlp: Language) -> list[Example]:
        examples = list(dev_corpus(nlp))
        pipes = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, SpanPipe)]
        for key in {pipe.key for pipe in pipes}:
            is_scored = settings["score_weights"].get(f"spans_{key}_f")
            if is_scored and not any(each.reference.spans.get(key) for each in examples):
                warnings.warn(
                    f"[{settings['dev_corpus']}] has no spans in doc.spans['{key}']: every F is 0, "
                    "and which state is the best is decided without it. Look at paths.dev, which "
                    "should be a .spacy file, and at the key.",
                    stacklevel=2,
                )
        return examples

    return read


def _batches(
    nlp: Language, corpus: Callable[..., Any], settings: dict[str, Any], progress: Progress
) -> Iterator[tuple[int, list[Any]]]:
    """The batches with their epochs; those that were done are empty."""
    done = progress.step
    progress.read_anew()
    batcher = progress.shuffling_anew(settings["batcher"])
    batches = create_train_batches(nlp, corpus, batcher, settings["max_epochs"])
    for step, (epoch, batch) in enumerate(batches):
        yield epoch, batch if step > done else []


class _Writer:
    """Writes the pipeline, as it is or with its averages, and the state of the run."""

    def __init__(
        self, nlp: Language, output_path: Path, settings: dict[str, Any], progress: Progress
    ) -> None:
        self.nlp, self.progress = nlp, progress
        self.last, self.best = output_path / DIR_MODEL_LAST, output_path / DIR_MODEL_BEST
        self.optimizer: Optimizer = settings["optimizer"]
        self.is_changed = settings["before_to_disk"] is not None
        self.before_to_disk = create_before_to_disk_callback(settings["before_to_disk"])

    def write(self, *, with_state: bool, is_best: bool = False) -> None:
        """Write `model-last`, and the same, without the state, to `model-best`, if it is that.

        The state comes last: where it says that there was a best evaluation, its model is there.
        """
        with folder_replaced_whole(self.last) as part:
            before = random_state()
            with self.nlp.use_params(self.optimizer.averages):
                self.before_to_disk(self.nlp).to_disk(part)
            # A run that was stopped wrote once more: that it may draw here must not matter.
            set_random_state(before)
            if is_best:
                with folder_replaced_whole(self.best) as best_part:
                    shutil.copytree(part, best_part)
            if with_state:
                self.progress.to_disk(part / STATE, self.nlp, self.optimizer)
                if self.is_changed:
                    self.nlp.to_disk(part / STATE / PIPELINE)
