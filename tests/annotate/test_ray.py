"""A Ray cluster of this machine, one of whose actors is killed at its work."""

import os
from pathlib import Path

import psutil
import pytest
from annotate.marked import BAD, NAME, SLOW, lines, rows, save_pipeline, write_texts
from annotate.test_run import PATIENCE, n_finished, start, wait_until

N_DOCS = 400
N_ACTORS = 3


def actors(program: psutil.Process) -> list[psutil.Process]:
    """The processes of the cluster's actors that are at work on documents."""
    return [
        process
        for process in program.children(recursive=True)
        if "".join(process.cmdline()).startswith("ray::Worker.annotate")
    ]


@pytest.mark.slow
def test_every_document_is_there_once_although_an_actor_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    model = save_pipeline(tmp_path / "pipeline")
    texts = [f"{BAD if i == 77 else SLOW} {NAME} {i}" for i in range(N_DOCS)]
    source, output = write_texts(tmp_path / "in.jsonl", texts), tmp_path / "out"
    options = ("--engine", "ray", "-n", N_ACTORS, "--cpus-per-worker", 0.25)
    arguments = (model, source, output, *options, "--ray-address", "local", "--block-size", 10)
    run = start(*arguments)
    program = psutil.Process(run.pid)
    wait_until(lambda: run.poll() is not None or (n_finished(output) >= 3 and actors(program)))
    at_work = actors(program)
    assert at_work, run.communicate()[0]
    os.kill(at_work[0].pid, 9)
    before = n_finished(output)
    printed, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 3, printed
    assert before < N_DOCS // 10

    found = [str(row["doc_id"]) for row in rows(output)]
    missing = [error["doc_id"] for error in lines(output / "errors.jsonl")]
    assert missing == ["in.jsonl:78"]
    assert found == [f"in.jsonl:{i + 1}" for i in range(N_DOCS) if i != 77]
    assert all(len(row["spans"]) == 1 for row in rows(output))  # type: ignore[arg-type]
    assert lines(output / "done.json") == [
        {"documents": N_DOCS - 1, "errors": 1, "parts": N_DOCS // 10}
    ]
