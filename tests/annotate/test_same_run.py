"""A run goes on only with what it began with, and its input is to stay the same."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from annotate.in_process import InProcess
from annotate.marked import NAME, rows, save_pipeline, write_texts

from spacy_sener.annotate import run
from spacy_sener.annotate.run import Settings, annotate_files
from spacy_sener.annotate.worker import Task


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run in this process; called with `disturb`, with that before each block."""

    def use(**options: Any) -> None:
        monkeypatch.setattr(run, "LocalEngine", partial(InProcess, **options))

    use()
    return use


@pytest.fixture
def task(tmp_path: Path) -> Task:
    code = tmp_path / "code.py"
    code.write_text("")
    return Task(str(save_pipeline(tmp_path / "model")), code=code)


def test_a_run_goes_on_with_nothing_else(task: Task, tmp_path: Path) -> None:
    source, output = write_texts(tmp_path / "in.jsonl", [NAME, "two"]), tmp_path / "out"
    settings = Settings(block_size=1)
    assert annotate_files(task, source, output, settings=settings).n_docs == 2

    def refused(what: str, task: Task = task, settings: Settings = settings) -> None:
        problem = rf"was begun with something else\.(.|\n)*{what} was"
        with pytest.raises(ValueError, match=problem):
            annotate_files(task, source, output, settings=settings)

    refused("settings: --spans-key", replace(task, spans_key="other"))
    refused("settings: --text-key", replace(task, text_key="other"))
    refused("settings: --with-text", replace(task, with_text=True))
    refused("settings: --format", settings=replace(settings, file_format="jsonl.gz"))
    refused("settings: --block-size", settings=replace(settings, block_size=2))
    refused("model: code", replace(task, code=None))
    for path, what in (
        (tmp_path / "code.py", "model: code"),
        (tmp_path / "model" / "meta.json", "model: files"),
    ):
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        refused(what)
        path.write_bytes(before)
    # But who does it, and how fast, may change; and nothing was left to do.
    annotate_files(
        replace(task, batch_size=7), source, output, settings=replace(settings, n_process=2)
    )
    assert len(rows(output)) == 2


def test_a_linked_folder_is_of_the_model(task: Task, tmp_path: Path) -> None:
    source, output = write_texts(tmp_path / "in.jsonl", [NAME]), tmp_path / "out"
    weights = tmp_path / "elsewhere" / "weights"
    weights.parent.mkdir()
    weights.write_text("one")
    (Path(task.model) / "linked").symlink_to(weights.parent)
    annotate_files(task, source, output)
    weights.write_text("two")
    with pytest.raises(ValueError, match="model: files was"):
        annotate_files(task, source, output)


def test_an_input_that_changes_while_it_is_read(
    task: Task, tmp_path: Path, engine: Callable[..., None]
) -> None:
    source, output = write_texts(tmp_path / "in.jsonl", [NAME, "two"]), tmp_path / "out"
    engine(disturb=lambda: write_texts(source, [NAME, "two", "three"]))
    with pytest.raises(ValueError, match="has changed while it was read"):
        annotate_files(task, source, output)
    assert not (output / "done.json").exists()


def test_an_input_that_changes_and_does_not_look_so(task: Task, tmp_path: Path) -> None:
    """With the same size and time, it is found by its blocks where their documents are counted."""
    source, output = write_texts(tmp_path / "in.jsonl", [NAME, "two"]), tmp_path / "out"
    annotate_files(task, source, output)
    stat = source.stat()
    lines = source.read_bytes().splitlines(keepends=True)
    source.write_bytes(lines[0] + b" " * (len(lines[1]) - 1) + b"\n")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(ValueError, match="block 0 has 1 documents, and had 2 in the run"):
        annotate_files(task, source, output)
