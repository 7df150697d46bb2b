"""From files to files: what `spacy sener annotate` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from ..gpus import OptionError
from .documents import BLOCK_BYTES, Block, Fields, find_files, input_state, read_blocks
from .local import LocalEngine
from .manifest import find_model, make_manifest
from .output import FORMATS, Output, opened
from .ray_actors import ray_engine
from .schedule import Engine, Schedule
from .worker import Answer, Task

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Settings:
    """How to read and write, and who does it; what is done is a `worker.Task`."""

    file_format: str = "jsonl"
    block_size: int = 1000
    retry_errors: bool = False
    max_errors: int | None = None
    engine: str = "local"
    n_process: int = 1
    ray_address: str | None = None
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("engine", self.engine, ENGINES),
            ("format", self.file_format, FORMATS),
        ):
            if value not in choices:
                raise OptionError(f"--{name} should be one of {', '.join(choices)}, not {value!r}")
        for name in ("block_size", "n_process"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise OptionError(f"--{option} must be 1 or more, not {getattr(self, name)}")
        if self.engine == "local" and self.gpus_per_worker:
            raise OptionError("--gpus-per-worker is for --engine ray; --gpu-id names a GPU here")


DEFAULT = Settings()


def annotate_files(
    task: Task, input_path: Path, output_path: Path, *, settings: Settings = DEFAULT
) -> Output:
    """Annotate all documents of a file or folder, but for blocks that are finished.

    Returns the numbers. Raises OptionError for settings that do not fit; ValueError for an output
    that was begun with another model, input or setting, for an input that changes meanwhile, and at
    more than `max_errors`; OSError where a file cannot be read or written; RuntimeError if the
    model cannot be loaded, or no worker lives.
    """
    if settings.engine == "ray" and task.gpu_id >= 0:
        raise OptionError("--gpu-id is for --engine local; here --gpus-per-worker asks for GPUs")
    files = find_files(input_path)
    if input_path.resolve() in (output_path.resolve(), *output_path.resolve().parents):
        raise ValueError(f"OUTPUT should not be in {input_path}: it would be read as well")
    model = find_model(task.model)
    if model == Path(task.model).resolve():
        task = replace(task, model=str(model))  # workers may be in other folders
    manifest = make_manifest(
        model, task.code, _kept(task, settings), input_state(input_path, files)
    )
    with (
        opened(
            output_path,
            manifest,
            file_format=settings.file_format,
            with_text=task.with_text,
            retry_errors=settings.retry_errors,
        ) as output,
        _engine(task, settings) as engine,
        tqdm(desc="Annotating", unit=" docs", initial=sum(output.finished.values())) as bar,
    ):

        def finish(block: Block, answers: list[Answer]) -> None:
            output.write(block.number, answers)
            bar.set_postfix(errors=output.n_errors, refresh=False)
            bar.update(len(answers))
            _check_errors(output, settings.max_errors)

        _check_errors(output, settings.max_errors)  # those of the run that this one goes on with
        blocks = read_blocks(
            input_path, files, text_key=task.text_key, block_size=settings.block_size
        )
        unfinished = (block for block in blocks if not _is_finished(output, block))
        Schedule(engine, settings.n_process, unfinished, finish).run()
        if input_state(input_path, find_files(input_path)) != manifest["input"]:
            raise ValueError(f"{input_path} has changed while it was read: do it again, elsewhere")
        output.conclude()
    return output


def _is_finished(output: Output, block: Block) -> bool:
    n_docs = output.finished.get(block.number)
    if n_docs not in (None, len(block.items)):
        raise ValueError(
            f"block {block.number} has {len(block.items)} documents, and had {n_docs} in the run "
            f"that {output.folder} is of: name a new folder"
        )
    return n_docs is not None


def _kept(task: Task, settings: Settings) -> Fields:
    """The settings that have to stay while a run is not finished."""
    return {
        "--format": settings.file_format,
        "--with-text": task.with_text,
        "--spans-key": task.spans_key,
        "--text-key": task.text_key,
        "--block-size": settings.block_size,
        "bytes in a block": BLOCK_BYTES,
    }


@contextmanager
def _engine(task: Task, settings: Settings) -> Iterator[Engine]:
    if settings.engine == "local":
        yield LocalEngine(replace(task, threads=_threads(settings.n_process)))
        return
    with ray_engine(
        replace(task, gpu_id=0 if settings.gpus_per_worker else -1),  # the first that it may see
        address=settings.ray_address,
        cpus=settings.cpus_per_worker,
        gpus=settings.gpus_per_worker,
    ) as engine:
        yield engine


def _threads(n_process: int) -> int | None:
    """Of each process, so that all of them together have as many as there are cores."""
    if "OMP_NUM_THREADS" in os.environ:
        return None
    return max(1, torch.get_num_threads() // n_process)


def _check_errors(output: Output, max_errors: int | None) -> None:
    if max_errors is not None and output.n_errors > max_errors:
        raise ValueError(
            f"{output.n_errors} documents could not be annotated, more than --max-errors = "
            f"{max_errors}: see errors.jsonl in {output.folder}. The same command with a larger "
            "number goes on."
        )
