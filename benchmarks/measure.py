"""Runs subjects in processes of their own, pass by pass in turn, and gathers what they report."""

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from ctypes.util import find_library
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import memory
from benchmarks.worker import OUT_OF_MEMORY

ROOT = Path(__file__).resolve().parents[1]
NOT_TRIED = "not tried"
"""With this begins the problem of a subject that had no process."""
ALLOCATORS = {
    "default": {},
    # glibc keeps freed memory in place of giving it back and asking for zeroed pages again.
    "keep": {
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "100000000000",
        "MALLOC_TOP_PAD_": "500000000",
    },
}
# glibc's memory falls to pieces where large blocks of many sizes come and go between small ones
# that stay, as in training. Not everybody has another allocator installed.
if TCMALLOC := find_library("tcmalloc_minimal"):
    ALLOCATORS["tcmalloc"] = {"LD_PRELOAD": TCMALLOC}


@dataclass(frozen=True)
class Subject:
    """What is measured: a program at a length under a setting."""

    name: str
    """In tables and plots; the setting stands beside it."""
    program: str
    """`module:function`, which takes the length and the arguments and gives a `worker.Pass`."""
    length: int
    """Of the text, in tokens; 0 where there is no text."""
    arguments: dict[str, Any] = field(default_factory=dict)
    allocator: str = "default"
    """A key of `ALLOCATORS`."""
    passes: int = 5
    """Timed ones, at most."""
    warmups: int = 1
    """Passes before those. Their time does not count, their memory does."""
    patience: float = 45.0
    """Seconds. Once the timed passes took them, no further one begins."""
    limit: float = 120.0
    """Seconds. A pass that outlasts them is stopped, and the subject with it."""
    growth: int | None = None
    """If set, time and memory grow at least with this power of the length, and the subject is not
    tried where by its run at a shorter length it would need too much of either."""


@dataclass
class Measurement:
    """What came out."""

    subject: Subject
    seconds: list[float] = field(default_factory=list)
    """Of the timed passes."""
    base_bytes: int = 0
    """Held by the process once it has loaded, before its first pass."""
    peak_bytes: int = 0
    """The most held in any pass, the first one included."""
    kept_bytes: int = 0
    """Held after a pass, its result included."""
    details: list[dict[str, float]] = field(default_factory=list)
    """Further numbers that the timed passes gave."""
    problem: str | None = None
    """Why passes are missing."""

    @property
    def median(self) -> float | None:
        """Seconds of a pass; None if there was none."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def over_base(self) -> int:
        """Bytes of the peak over the loaded process."""
        return self.peak_bytes - self.base_bytes

    @property
    def lacked_memory(self) -> bool:
        """Whether that is its problem, as far as it can tell."""
        return str(self.problem).startswith((OUT_OF_MEMORY, "died (killed"))

    def detail(self, name: str) -> float:
        """Median over the passes of one of the further numbers."""
        return statistics.median(each[name] for each in self.details)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Worker:
    """The process of one subject. It lives on between its passes, asleep."""

    def __init__(self, subject: Subject, threads: int):
        self.measurement = Measurement(subject)
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`close` closes it)
        self.process = subprocess.Popen(  # noqa: S603 (a program of ours, and no shell)
            [sys.executable, "-m", "benchmarks.worker", json.dumps(asdict(subject))],
            cwd=ROOT,
            env=os.environ | environment(threads) | ALLOCATORS[subject.allocator],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def wait(self) -> None:
        """Until it has loaded."""
        if answer := self._answer(timeout=None):
            self.measurement.base_bytes = answer["base_bytes"]

    @property
    def done(self) -> bool:
        """Whether no further pass is due."""
        measurement, subject = self.measurement, self.measurement.subject
        enough = len(measurement.seconds) >= subject.passes
        return (
            enough
            or sum(measurement.seconds) >= subject.patience
            or measurement.problem is not None
        )

    def run_pass(self, *, timed: bool) -> None:
        """Have it do one pass."""
        with contextlib.suppress(BrokenPipeError):  # that it is gone shows in the answer
            self.process.stdin.write("pass\n")
            self.process.stdin.flush()
        answer = self._answer(timeout=self.measurement.subject.limit)
        if answer is None:
            return
        self.measurement.peak_bytes = max(self.measurement.peak_bytes, answer["peak_bytes"])
        self.measurement.kept_bytes = answer["kept_bytes"]
        if timed:
            self.measurement.seconds.append(answer["seconds"])
            self.measurement.details.append(answer["details"])

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def _answer(self, timeout: float | None) -> dict[str, Any] | None:
        """Its next answer; None, the problem being noted, if there is none."""
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        if not ready:
            self.process.kill()
            self.measurement.problem = f"stopped: a pass takes more than {timeout:.0f} s"
            return None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"problem": self._last_words()}
        self.measurement.problem = answer.get("problem")
        return None if self.measurement.problem else answer

    def _last_words(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().splitlines() or ["nothing on its standard error"]
        reason = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        return f"died ({reason}): {lines[-1]}"[:200]


def environment(threads: int) -> dict[str, str]:
    """What all subjects share."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
        # Threads that wait sleep, so that the processes that wait their turn cost nothing.
        "OMP_WAIT_POLICY": "passive",
        "HF_HUB_OFFLINE": "1",
    }


def alternate(groups: Iterable[Sequence[Subject]], *, threads: int) -> list[Measurement]:
    """Measure the subjects of each group against each other: a pass of each in turn, in rounds."""
    results: list[Measurement] = []
    for group in groups:
        within, beyond = [], []
        for subject in group:
            if problem := _out_of_reach(subject, results):
                beyond.append(Measurement(subject, problem=problem))
            else:
                within.append(subject)
        results += [*_alternate(within, threads), *beyond]
    return results


def alternate_fresh(group: Sequence[Subject], *, passes: int, threads: int) -> list[Measurement]:
    """The same with a new process for every pass: for what can be done only once in a process.

    The first round does not count.
    """
    once = [replace(subject, passes=1, warmups=0) for subject in group]
    runs = [_alternate([each], threads)[0] for _ in range(1 + passes) for each in once]
    results = [runs[len(group) + i :: len(group)] for i in range(len(group))]
    return [_joined(subject, runs) for subject, runs in zip(group, results, strict=True)]


def _alternate(group: Sequence[Subject], threads: int) -> list[Measurement]:
    """One that ran out of memory is measured again alone: the others hold theirs meanwhile."""
    together = _take_turns(group, threads)
    return [
        _take_turns([each.subject], threads)[0] if len(group) > 1 and each.lacked_memory else each
        for each in together
    ]


def _take_turns(group: Sequence[Subject], threads: int) -> list[Measurement]:
    workers: list[Worker] = []
    rounds = max((subject.warmups + subject.passes for subject in group), default=0)
    bar = tqdm(total=rounds * len(group), desc=_title(group), unit="pass", disable=not group)
    try:
        workers += [Worker(subject, threads) for subject in group]
        for worker in workers:
            worker.wait()
        for i in range(rounds):
            for worker in workers:
                bar.set_postfix_str(worker.measurement.subject.name)
                if not worker.done:
                    worker.run_pass(timed=i >= worker.measurement.subject.warmups)
                bar.update()
    finally:
        bar.close()
        for worker in workers:
            worker.close()
    return [worker.measurement for worker in workers]


def _title(group: Sequence[Subject]) -> str:
    lengths = sorted({f"{subject.length:,} tokens" for subject in group if subject.length})
    return ", ".join(lengths or {subject.name for subject in group})


def _joined(subject: Subject, runs: Sequence[Measurement]) -> Measurement:
    """The passes of several processes as one measurement; memory is the median over them."""
    done = [run for run in runs if run.seconds]
    joined = Measurement(
        subject=subject,
        seconds=[seconds for run in done for seconds in run.seconds],
        details=[detail for run in done for detail in run.details],
        problem=next((run.problem for run in runs if run.problem), None),
    )
    if done:
        joined.base_bytes = int(statistics.median(run.base_bytes for run in done))
        joined.peak_bytes = int(statistics.median(run.peak_bytes for run in done))
        joined.kept_bytes = int(statistics.median(run.kept_bytes for run in done))
    return joined


def _out_of_reach(subject: Subject, results: Sequence[Measurement]) -> str | None:
    """Why a subject need not be tried, judged by its latest run, at a shorter length."""
    earlier = [each for each in results if each.subject.name == subject.name]
    if subject.growth is None or not earlier:
        return None
    shorter = earlier[-1]
    problem, length = str(shorter.problem), shorter.subject.length
    if shorter.median is None:
        known = problem.startswith(NOT_TRIED)
        return problem if known else f"{NOT_TRIED}: at {length:,} tokens {problem}"
    growth = (subject.length / length) ** subject.growth
    if (needed := shorter.over_base * growth) > memory.total():
        return f"{NOT_TRIED}: {needed / 1e9:.0f} GB or more"
    if (seconds := shorter.median * growth) > subject.limit:
        return f"{NOT_TRIED}: {seconds:.0f} s a pass or more"
    return None
