"""Who annotates what, and what becomes of documents whose worker died.

A worker has one piece of work at a time, so that it is known what it died of. Where it dies,
another is started in its place and the block done again, as memory may have been short for a
moment; then its halves, and theirs, until one document is left that takes its worker with it. That
one becomes a `Failure`, by its place, as who reads it here may die of it as well; and all others
are annotated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..gpus import OptionError
from .documents import Block, Item
from .worker import Answer, Done, Failed, Failure, Message, Ready

ATTEMPTS = 2
"""At a whole block, and at a single document, before it is given up."""
LOST_IN_A_ROW = 20
"""Pieces, or starts, for each worker, that may fail with nothing done or found between them."""
GIVEN_UP_IN_A_ROW = 50
"""Documents that may be given up with none done between them."""


class Engine(Protocol):
    """What carries work to workers, wherever they are. A worker is whatever `start` gives."""

    def start(self) -> Any:
        """A new worker, whose first message will say whether it has loaded its model."""

    def send(self, worker: Any, items: Sequence[Item]) -> None:
        """Have documents annotated, by a worker that has nothing to do."""

    def receive(self, workers: Sequence[Any]) -> list[tuple[Any, Message]]:
        """Wait for a message of at least one of these workers."""

    def stop(self, worker: Any) -> None:
        """End a worker at once, if it is still alive."""


@dataclass
class _Unfinished:
    """A block of which some pieces are under way."""

    block: Block
    answers: dict[int, Answer] = field(default_factory=dict)


@dataclass(eq=False)
class _Piece:
    """Documents of a block from `begin` on, and how often they were lost."""

    whole: _Unfinished
    begin: int
    items: list[Item]
    lost: int = 0

    def halves(self) -> tuple[_Piece, _Piece]:
        middle = len(self.items) // 2
        return (
            _Piece(self.whole, self.begin, self.items[:middle]),
            _Piece(self.whole, self.begin + middle, self.items[middle:]),
        )

    def attempts(self) -> int:
        is_half = 1 < len(self.items) < len(self.whole.block.items)
        return 1 if is_half else ATTEMPTS


class Schedule:
    """Have all blocks annotated by a number of workers.

    finish: called with each block and its answers, one for each document in their order. Blocks
        come as they are finished. No more of them are read ahead than there are workers.
    """

    def __init__(
        self,
        engine: Engine,
        n_workers: int,
        blocks: Iterable[Block],
        finish: Callable[[Block, list[Answer]], None],
    ) -> None:
        self._engine = engine
        self._n_workers = n_workers
        self._blocks = iter(blocks)
        self._finish = finish
        self._queue: deque[_Piece] = deque()
        self._idle: list[Any] = []
        self._loading: list[Any] = []
        self._busy: dict[Any, _Piece] = {}
        self._was_ready = False
        self._lost_in_a_row = 0
        self._given_up_in_a_row = 0

    def run(self) -> None:
        """Returns when all is done.

        Raises RuntimeError if no worker can do anything, and OptionError if an option is why.
        """
        try:
            while self._hand_out():
                for worker, message in self._engine.receive([*self._loading, *self._busy]):
                    self._take(worker, message)
        finally:
            for worker in (*self._idle, *self._loading, *self._busy):
                self._engine.stop(worker)

    def _hand_out(self) -> bool:
        """Give work to whoever has none; whether there is still some."""
        while len(self._queue) < self._n_workers and (block := next(self._blocks, None)):
            self._queue.append(_Piece(_Unfinished(block), 0, block.items))
        while self._queue and self._idle:
            worker, piece = self._idle.pop(), self._queue.popleft()
            self._busy[worker] = piece
            self._engine.send(worker, piece.items)
        n_free = self._n_workers - len(self._loading) - len(self._busy) - len(self._idle)
        for _ in range(min(n_free, len(self._queue) - len(self._loading))):
            self._loading.append(self._engine.start())
        return bool(self._queue or self._busy)

    def _take(self, worker: Any, message: Message) -> None:
        piece = self._busy.pop(worker, None)
        if piece is None:
            self._loading.remove(worker)
        if isinstance(message, Failed):
            self._lose(worker, piece, message)
            return
        self._idle.append(worker)
        if isinstance(message, Ready):
            self._was_ready = True
            return
        assert piece is not None
        self._lost_in_a_row = 0
        self._given_up_in_a_row = 0
        self._answer(piece, message)

    def _lose(self, worker: Any, piece: _Piece | None, message: Failed) -> None:
        if piece is not None and not message.died:
            self._idle.append(worker)
        else:
            self._engine.stop(worker)
        self._lost_in_a_row += 1
        if piece is None and not message.died and not self._was_ready:
            if message.is_option:
                raise OptionError(message.reason)
            raise RuntimeError(f"the model cannot be loaded: {message.reason}")
        if self._lost_in_a_row > LOST_IN_A_ROW * self._n_workers:
            raise RuntimeError(
                f"{self._lost_in_a_row} workers in a row were lost and did nothing, the last so: "
                f"{message.reason}"
            )
        if piece is not None:
            self._try_again(piece, message.reason)

    def _try_again(self, piece: _Piece, reason: str) -> None:
        piece.lost += 1
        if piece.lost < piece.attempts():
            self._queue.appendleft(piece)
        elif len(piece.items) > 1:
            self._queue.extendleft(reversed(piece.halves()))
        else:
            self._give_up(piece, reason)

    def _give_up(self, piece: _Piece, reason: str) -> None:
        place = piece.items[0].place
        self._lost_in_a_row = 0
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row > GIVEN_UP_IN_A_ROW:
            raise RuntimeError(
                f"{self._given_up_in_a_row} documents in a row ended their workers, and none was "
                f"annotated; the last is {place}: {reason}"
            )
        self._answer(piece, Done([Failure(place, place, reason)]))

    def _answer(self, piece: _Piece, done: Done) -> None:
        assert len(done.answers) == len(piece.items)
        whole = piece.whole
        whole.answers.update(enumerate(done.answers, piece.begin))
        n_items = len(whole.block.items)
        if len(whole.answers) == n_items:
            self._finish(whole.block, [whole.answers[i] for i in range(n_items)])
