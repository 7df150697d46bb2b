"""An engine whose only worker is this process: for what a run does besides."""

from collections.abc import Callable, Sequence

from spacy_sener.annotate.documents import Item
from spacy_sener.annotate.worker import Message, Task, Worker


class InProcess:
    """See `schedule.Engine`. disturb: called before each block is annotated."""

    def __init__(self, task: Task, disturb: Callable[[], object] = lambda: None) -> None:
        self.task, self.disturb = task, disturb
        self.message: Message | None = None

    def start(self) -> Worker:
        worker = Worker()
        self.message = worker.load(self.task)
        return worker

    def send(self, worker: Worker, items: Sequence[Item]) -> None:
        self.disturb()
        self.message = worker.annotate(items)

    def receive(self, workers: Sequence[Worker]) -> list[tuple[Worker, Message]]:
        assert self.message is not None
        return [(worker, self.message) for worker in workers]

    def stop(self, worker: Worker) -> None:
        pass
