"""Workers that are actors of a Ray cluster.

Actors, and not Ray Data: Ray Data makes blocks of its own, other ones in each run, repeats what a
dead worker had begun, and writes files from wherever a task runs, so that nothing says which
documents are in the output already. An actor with one block at a time gives what is needed: it is
known what was lost, nothing is repeated but by `schedule`, and files are written by one process.
Blocks stream in the same way, no more than the workers can take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .documents import Item
from .worker import MAX_MESSAGE, Failed, Message, Task, Worker


@dataclass(eq=False)
class RayWorker:
    """An actor, and the reference to the message that it is to give."""

    actor: Any
    answer: Any


@contextmanager
def ray_engine(task: Task, *, address: str | None, cpus: float, gpus: float) -> Iterator[RayEngine]:
    """Connect to a cluster for a while.

    address: of the cluster; None for that of `RAY_ADDRESS`, or one that runs on this machine, or
        else a new one on it, which ends with this program.
    cpus, gpus: what Ray keeps for each actor.

    Raises ValueError where Ray is not installed, ConnectionError if there is no such cluster, and
    RuntimeError where it fails as a whole.
    """
    ray = _require_ray()
    # A cluster of our own tells nobody that it is used.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address=address, include_dashboard=False)
    try:
        yield RayEngine(ray, task, cpus=cpus, gpus=gpus)
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"the Ray cluster has failed: {error}") from error
    finally:
        ray.shutdown()


class RayEngine:
    """Starts actors for a task and carries messages to and from them; see `schedule.Engine`."""

    def __init__(self, ray: Any, task: Task, *, cpus: float, gpus: float) -> None:
        self._ray = ray
        self.task = task
        # Ray's own restarts and repetitions are off: what is lost is the schedule's.
        options = {"max_restarts": 0, "max_task_retries": 0, "num_cpus": cpus, "num_gpus": gpus}
        self._actor = self._ray.remote(Worker).options(**options)

    def start(self) -> RayWorker:
        actor = self._actor.remote()
        return RayWorker(actor, actor.load.remote(self.task))

    def send(self, worker: RayWorker, items: Sequence[Item]) -> None:
        worker.answer = worker.actor.annotate.remote(items)

    def receive(self, workers: Sequence[RayWorker]) -> list[tuple[RayWorker, Message]]:
        of = {worker.answer: worker for worker in workers}
        found, _ = self._ray.wait(list(of), num_returns=1)
        return [(of[answer], self._message(answer)) for answer in found]

    def stop(self, worker: RayWorker) -> None:
        self._ray.kill(worker.actor)

    def _message(self, answer: Any) -> Message:
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            return Failed(f"its worker died: {error}"[:MAX_MESSAGE], died=True)


def _require_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ValueError("--engine ray needs Ray: pip install 'spacy-sener[ray]'") from error
    return ray
