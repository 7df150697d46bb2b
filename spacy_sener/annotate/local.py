"""Workers that are processes of this machine.

Not a `ProcessPoolExecutor`: when one of its processes dies, all that was handed in fails and the
pool is of no use any more (`BrokenProcessPool`), and nobody is told which document it was. With a
pipe to each process, its end is seen at once, and that is the one whose documents are done again.

Processes are spawned: a forked copy of a program with threads may hang, and cannot use a GPU.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from .documents import Item
from .worker import Failed, Message, Task, Worker

SPAWN = multiprocessing.get_context("spawn")
SECONDS_TO_END = 10


@dataclass(frozen=True, eq=False)
class LocalWorker:
    """A process, and this end of the pipe to it."""

    process: BaseProcess
    connection: Connection


class LocalEngine:
    """Starts processes for a task and carries messages to and from them; see `schedule.Engine`."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def start(self) -> LocalWorker:
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_serve, args=(theirs, self.task), daemon=True)
        process.start()
        theirs.close()  # so that the pipe ends with the process
        return LocalWorker(process, ours)

    def send(self, worker: LocalWorker, items: Sequence[Item]) -> None:
        with suppress(OSError):  # where it has died, as `receive` will find
            worker.connection.send(items)

    def receive(self, workers: Sequence[LocalWorker]) -> list[tuple[LocalWorker, Message]]:
        of = {worker.connection: worker for worker in workers}
        ready = wait(list(of))
        return [(of[x], _message(of[x])) for x in ready]  # type: ignore[index]  # typed as sockets, too

    def stop(self, worker: LocalWorker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


def _message(worker: LocalWorker) -> Message:
    try:
        return worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join(SECONDS_TO_END)
        return Failed(f"its worker died: {_end(worker.process.exitcode)}", died=True)


def _end(code: int | None) -> str:
    """What the exit code of a process says."""
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"{name}, by which the system ends what takes too much memory" if code == -9 else name


def _serve(connection: Connection, task: Task) -> None:
    """What runs in a process: it answers until the pipe is closed."""
    # Ctrl-C reaches all processes of a terminal; the one that was started ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker()
    connection.send(worker.load(task))
    while True:
        try:
            items = connection.recv()
        except EOFError:
            return
        connection.send(worker.annotate(items))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
