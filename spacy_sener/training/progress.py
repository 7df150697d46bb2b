"""How far a run of training is, with all that it needs to go on: on disk, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from spacy.language import Language
from thinc.api import Optimizer

from ..sums import check_sums, write_sums
from .optimizer_state import ResumeError, optimizer_state, set_optimizer_state
from .random_state import (
    PythonState,
    RandomState,
    python_state,
    random_state,
    set_python_state,
    set_random_state,
)

VALUES, TENSORS = "progress.json", "optimizer.safetensors"
VERSION = 1


@dataclass
class Progress:
    """A run of training up to a step.

    step: the last that was done; -1 for none. losses: summed since the last evaluation.
    evaluations: score and all scores of each. begin: random numbers before the corpus was read.
    epochs: those of Python at the end of each epoch, before the examples were shuffled again; None
    where nobody drew any in the epoch, as then the shuffle before is all that they follow from.
    """

    step: int = -1
    losses: dict[str, float] = field(default_factory=dict)
    evaluations: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    begin: RandomState | None = None
    epochs: list[PythonState | None] = field(default_factory=list)

    def read_anew(self) -> None:
        """Draw what is drawn to read the corpus as at the beginning."""
        if self.begin is None:
            self.begin = random_state()
        else:
            set_random_state(self.begin)

    def shuffling_anew(
        self, batcher: Callable[[Iterable[Any]], Iterable[Any]]
    ) -> Callable[[Iterable[Any]], Iterator[Any]]:
        """The batcher; after an epoch that was done before, examples are shuffled as they were."""
        epoch = 0

        def batches(examples: Iterable[Any]) -> Iterator[Any]:
            nonlocal epoch
            begin = python_state()
            yield from batcher(examples)
            epoch += 1
            if epoch > len(self.epochs):
                end = python_state()
                self.epochs.append(end if end != begin else None)
            elif (saved := self.epochs[epoch - 1]) is not None:
                set_python_state(saved)

        return batches

    def evaluating_anew(
        self, evaluate: Callable[[], tuple[float, dict[str, Any]]]
    ) -> Callable[[], tuple[float, dict[str, Any]]]:
        """The evaluation; those that were done before give what they gave."""
        done = iter(list(self.evaluations))

        def scores() -> tuple[float, dict[str, Any]]:
            before = next(done, None)
            if before is not None:
                return before
            self.evaluations.append(evaluate())
            return self.evaluations[-1]

        return scores

    def to_disk(self, folder: Path, nlp: Language, optimizer: Optimizer) -> None:
        """Write all that the run needs to go on, to a new folder. Raises OSError if that fails."""
        tensors, updates = optimizer_state(nlp, optimizer)
        folder.mkdir()
        try:
            save_file(tensors, folder / TENSORS)
        except SafetensorError as error:  # of a full disk as well
            raise OSError(f"{folder / TENSORS} could not be written: {error}") from error
        own = {**vars(self), "evaluations": _plain(self.evaluations)}
        settings = _fixed_settings(nlp, optimizer)
        own |= {"now": random_state(), "updates": updates, "settings": settings}
        values = {"version": VERSION, **own}
        text = json.dumps(values, default=float)  # numpy's numbers are no Python floats
        (folder / VALUES).write_text(text, encoding="utf8")
        write_sums(folder, (VALUES, TENSORS))


def _fixed_settings(nlp: Language, optimizer: Optimizer) -> dict[str, Any]:
    """What cannot change in a run: by it evaluations are counted, and the optimizer's tensors
    are of use."""
    training = nlp.config.interpolate()["training"]
    return {
        "training.eval_frequency": training["eval_frequency"],
        "training.optimizer.@optimizers": training["optimizer"].get("@optimizers"),
        "training.optimizer.use_averages": optimizer.averages is not None,
    }


def _plain(value: Any) -> Any:
    """The nearest to it that JSON has: a scorer may give anything, and training is to go on.

    Arrays and sets are lists then, and what JSON knows nothing of is text, as are all keys.
    """
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):  # arrays and numbers of numpy, cupy and torch
        return value.tolist()
    return value if value is None or isinstance(value, str | int | float) else str(value)


@dataclass(frozen=True)
class Saved:
    """What `Progress.to_disk` wrote."""

    progress: Progress
    tensors: dict[str, Any]
    updates: dict[str, int]
    now: RandomState
    settings: dict[str, Any]

    @classmethod
    def from_disk(cls, folder: Path) -> Saved:
        """Read it. Raises FileNotFoundError without it, ValueError for what is damaged."""
        if not (folder / VALUES).is_file():
            raise FileNotFoundError(
                f"There is no {folder / VALUES}: the run is done, or was none of `sener train`."
            )
        check_sums(folder, (VALUES, TENSORS))
        try:
            values = json.loads((folder / VALUES).read_text(encoding="utf8"))
            version = values.pop("version")
            if version != VERSION:
                raise ValueError(f"its version is {version}, of a later spacy-sener: install that")
            now, updates = values.pop("now"), values.pop("updates")
            settings = dict(values.pop("settings"))
            values["evaluations"] = [tuple(each) for each in values["evaluations"]]
            # Not mapped: Windows would not replace the file, as this run does when it saves.
            progress, tensors = Progress(**values), load((folder / TENSORS).read_bytes())
            return cls(progress, tensors, updates, now, settings)
        except RecursionError as error:
            raise ValueError(f"{folder} cannot be read: its JSON is nested too deep") from error
        except (ValueError, KeyError, TypeError, AttributeError, OSError, SafetensorError) as error:
            raise ValueError(f"{folder} cannot be read: {error}") from error

    def check(self, nlp: Language, optimizer: Optimizer) -> None:
        """Raise ResumeError if a setting that cannot change is another than it was."""
        for name, value in _fixed_settings(nlp, optimizer).items():
            before = self.settings.get(name)
            if value != before:
                raise ResumeError(f"--{name} cannot change: it was {before}, and is {value}.")

    def go_on(self, nlp: Language, optimizer: Optimizer) -> None:
        """Put weights, optimizer and random numbers where they were.

        Raises ResumeError if the weights are those of another pipeline.
        """
        set_optimizer_state(nlp, optimizer, self.tensors, self.updates)
        set_random_state(self.now)
