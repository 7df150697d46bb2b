"""Runs, each in a process of its own, and where their reports go."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.accuracy.run import Settings, write_problem
from benchmarks.measure import ALLOCATORS, ROOT, environment

RESULTS = ROOT / "benchmarks" / "results" / "accuracy"


def folder_of(settings: Settings, output: Path) -> Path:
    """Where the run's report goes."""
    return output / settings.corpus / settings.method / f"seed-{settings.seed}"


def in_a_process(settings: Settings, data: Path, output: Path) -> str | None:
    """Do a run in a new process with one thread. Returns its name if it fails.

    That it was killed is noted as its result, but it is not done: it may have been for want of
    memory that other programs took.
    """
    folder = folder_of(settings, output)
    command = [sys.executable, "-m", "benchmarks.accuracy.run", json.dumps(asdict(settings))]
    command += [str(data / settings.corpus), str(folder)]
    # Several runs may draw their bars in one terminal, or in a file.
    bars = {
        "TQDM_DESC": f"{settings.corpus} {settings.method} {settings.seed}",
        "TQDM_MININTERVAL": "5",
    }
    variables = environment(threads=1) | ALLOCATORS["keep"] | bars
    done = subprocess.run(  # noqa: S603 (a program of ours, and no shell)
        command, cwd=ROOT, env=os.environ | variables, check=False
    )
    if done.returncode == -signal.SIGKILL:
        write_problem("killed by the system, as where memory runs out", settings, folder)
    return f"{folder} (exit status {done.returncode})" if done.returncode else None
