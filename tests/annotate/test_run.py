"""The command from end to end: workers that die, runs that are killed, and what is refused."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from annotate import marked
from annotate.marked import BAD, DEADLY, NAME, SLOW, lines, rows, save_pipeline, write_texts
from spacy.cli._util import app
from typer.testing import CliRunner, Result

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do

CODE = ("--code", marked.__file__)
PATIENCE = 300  # seconds


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("marking") / "pipeline")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "annotate", *map(str, arguments), *CODE])


def shown(result: Result) -> str:
    return " ".join(result.output.split())


def start(*arguments: object) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "spacy", "sener", "annotate", *map(str, arguments), *CODE]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def n_finished(output: Path) -> int:
    journal = output / "journal.jsonl"
    return len(lines(journal)) if journal.is_file() else 0


def test_documents_that_raise_or_kill_stop_no_other(marking: Path, tmp_path: Path) -> None:
    texts = [f"one {NAME}", f"{BAD} two", f"three {DEADLY}", f"{NAME} four", "five", "six"]
    source, output = write_texts(tmp_path / "in.jsonl", texts), tmp_path / "out"
    arguments = (marking, source, output, "--block-size", 1, "-n", 2, "--with-text")
    result = command(*arguments)
    assert result.exit_code == 3, result.output
    assert "Annotated 4 documents" in shown(result)
    assert "2 could not be annotated" in shown(result)
    span = {"end": 8, "label": "NAME", "score": 0.5, "start": 4}
    assert rows(output) == [
        {"doc_id": "in.jsonl:1", "spans": [span], "text": texts[0]},
        {"doc_id": "in.jsonl:4", "spans": [{**span, "start": 0, "end": 4}], "text": texts[3]},
        {"doc_id": "in.jsonl:5", "spans": [], "text": texts[4]},
        {"doc_id": "in.jsonl:6", "spans": [], "text": texts[5]},
    ]
    errors = {
        str(error["doc_id"]): str(error["message"]) for error in lines(output / "errors.jsonl")
    }
    assert errors.keys() == {"in.jsonl:2", "in.jsonl:3"}
    assert "this one is bad" in errors["in.jsonl:2"]
    assert "its worker died: SIGKILL" in errors["in.jsonl:3"]
    assert lines(output / "done.json") == [{"documents": 4, "errors": 2, "parts": 6}]

    again = command(*arguments, "--max-errors", 1)  # too many were met before
    assert again.exit_code == 1
    assert "2 documents could not be annotated, more than --max-errors = 1" in shown(again)
    assert (output / "done.json").exists()


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_run_that_was_ended_goes_on(marking: Path, tmp_path: Path, how: signal.Signals) -> None:
    texts = [f"{SLOW} {NAME} {i}" for i in range(100)]
    source, output = write_texts(tmp_path / "in.jsonl", texts), tmp_path / "out"
    arguments = (marking, source, output, "--block-size", 5)
    run = start(*arguments)
    wait_until(lambda: n_finished(output) >= 2 or run.poll() is not None)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(how)
    printed, _ = run.communicate(timeout=PATIENCE)
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert "the same command goes on" in printed
    assert workers
    assert not psutil.wait_procs(workers, timeout=PATIENCE)[1]
    before = {path: path.stat().st_mtime_ns for path in output.glob("part-*")}
    finished = n_finished(output)
    assert 2 <= finished < 20
    assert not (output / "done.json").exists()

    result = command(*arguments)
    assert result.exit_code == 0, result.output
    assert [row["doc_id"] for row in rows(output)] == [f"in.jsonl:{i + 1}" for i in range(100)]
    assert [path.name for path in sorted(output.glob(".part*"))] == []
    unchanged = [path for path, when in before.items() if path.stat().st_mtime_ns == when]
    assert len(unchanged) >= finished

    assert command(*arguments).exit_code == 0  # although nothing is left to do
    write_texts(source, [*texts, "one more"])
    refused = command(*arguments)
    assert refused.exit_code == 1
    assert "was begun with something else" in shown(refused)
    assert "input: bytes was" in shown(refused)


def test_what_is_refused(marking: Path, tmp_path: Path) -> None:
    source, output = write_texts(tmp_path / "in.jsonl", [NAME]), tmp_path / "out"
    for arguments, message in (
        ((marking, tmp_path / "none", output), "there is no file or folder"),
        ((tmp_path / "none", source, output), "there is no pipeline"),
        ((marking, tmp_path, output), "OUTPUT should not be in"),
    ):
        result = command(*arguments)
        assert result.exit_code == 1
        assert message in shown(result)
    assert not output.exists()


def test_wrong_options(marking: Path, tmp_path: Path) -> None:
    """They have an exit code of their own, so that a queue does not repeat them."""
    source, output = write_texts(tmp_path / "in.jsonl", [NAME]), tmp_path / "out"
    for arguments, message in (
        (("--engine", "spark"), "should be one of local, ray"),
        (("--format", "csv"), "should be one of jsonl, jsonl.gz, parq"),
        (("--block-size", 0), "--block-size must be 1 or more, not 0"),
        (("--n-process", 0), "--n-process must be 1 or more, not 0"),
        (("--batch-size", 0), "--batch-size"),
        (("--max-errors", -1), "--max-errors"),
        (("--gpus-per-worker", 1), "is for --engine ray"),
        (("--engine", "ray", "-g", 0), "is for --engine local"),
    ):
        result = command(marking, source, output, *arguments)
        assert result.exit_code == 2, result.output
        assert message in shown(result)
    assert not output.exists()


@pytest.mark.slow
def test_a_pipeline_that_writes_something_else_and_too_many_errors(
    marking: Path, tmp_path: Path
) -> None:
    source, output = write_texts(tmp_path / "in.jsonl", [BAD, NAME, BAD]), tmp_path / "out"
    result = command(marking, source, tmp_path / "other", "--spans-key", "other")
    assert result.exit_code == 2
    assert "cannot be loaded" not in shown(result)
    assert "has not written" in shown(result)
    arguments = (marking, source, output, "--block-size", 1)
    result = command(*arguments, "--max-errors", 1)
    assert result.exit_code == 1
    assert "more than --max-errors = 1" in shown(result)
    assert command(*arguments).exit_code == 3
    assert len(rows(output)) == 1
