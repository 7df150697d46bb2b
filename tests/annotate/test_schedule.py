"""Whoever dies, and whenever: every document is answered once, and the deadly ones are told."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.annotate.documents import Block, Item
from spacy_sener.annotate.schedule import GIVEN_UP_IN_A_ROW, LOST_IN_A_ROW, Schedule
from spacy_sener.annotate.worker import Answer, Done, Failed, Failure, Message, Ready
from spacy_sener.gpus import OptionError


class Engine:
    """One whose workers end on deadly documents, and by chance besides.

    A worker is a number; `waiting` holds what it was asked for, None for loading its model.
    """

    def __init__(self, deadly: set[str], luck: random.Random, n_accidents: int = 0) -> None:
        self.deadly = deadly
        self.luck = luck
        self.n_accidents = n_accidents
        self.n_started = 0
        self.waiting: dict[int, Sequence[Item] | None] = {}
        self.alive: set[int] = set()
        self.most_alive = 0
        self.done: Counter[str] = Counter()

    def start(self) -> int:
        self.n_started += 1
        self.alive.add(self.n_started)
        self.most_alive = max(self.most_alive, len(self.alive))
        self.waiting[self.n_started] = None
        return self.n_started

    def send(self, worker: int, items: Sequence[Item]) -> None:
        assert worker in self.alive
        assert worker not in self.waiting
        self.waiting[worker] = items

    def receive(self, workers: Sequence[int]) -> list[tuple[int, Message]]:
        assert set(workers) == set(self.waiting)
        chosen = self.luck.sample(workers, self.luck.randint(1, len(workers)))
        return [(worker, self.message(self.waiting.pop(worker))) for worker in chosen]

    def message(self, items: Sequence[Item] | None) -> Message:
        accident = self.n_accidents > 0 and self.luck.random() < 0.5
        if accident:
            self.n_accidents -= 1
        if accident or (items and any(item.place in self.deadly for item in items)):
            return Failed("lost", died=items is None or self.luck.random() < 0.7)
        if items is None:
            return Ready()
        self.done.update(item.place for item in items)
        return Done([{"doc_id": item.place} for item in items])

    def stop(self, worker: int) -> None:
        self.alive.discard(worker)


def run(
    engine: Engine, sizes: Sequence[int], n_workers: int
) -> tuple[list[Block], dict[int, list[Answer]]]:
    blocks = [
        Block(number, [Item(f"{number}:{i}", {"id": i}) for i in range(size)])
        for number, size in enumerate(sizes)
    ]
    finished: dict[int, list[Answer]] = {}

    def finish(block: Block, answers: list[Answer]) -> None:
        assert block.number not in finished
        finished[block.number] = answers

    Schedule(engine, n_workers, blocks, finish).run()
    return blocks, finished


@settings(max_examples=200)
@given(
    sizes=st.lists(st.integers(1, 9), max_size=8),
    n_workers=st.integers(1, 4),
    data=st.data(),
    seed=st.integers(0, 10**6),
)
def test_each_document_is_answered_once(
    sizes: list[int], n_workers: int, data: st.DataObject, seed: int
) -> None:
    places = [f"{number}:{i}" for number, size in enumerate(sizes) for i in range(size)]
    deadly = data.draw(st.sets(st.sampled_from(places), max_size=2)) if places else set()
    engine = Engine(deadly, random.Random(seed))
    blocks, finished = run(engine, sizes, n_workers)
    for block in blocks:
        expected = [item.place for item in block.items]
        answers = finished.pop(block.number)
        for place, answer in zip(expected, answers, strict=True):
            if place in deadly:
                assert answer == Failure(place, place, "lost")
            else:
                assert answer == {"doc_id": place}
    assert not finished
    assert set(engine.done) == set(places) - deadly
    assert all(count == 1 for count in engine.done.values())
    assert engine.alive == set()
    assert engine.most_alive <= n_workers


def test_one_accident_costs_no_document() -> None:
    for seed in range(50):
        engine = Engine(set(), random.Random(seed), n_accidents=1)
        _, finished = run(engine, [4, 1, 4], 2)
        answers = [answer for answers in finished.values() for answer in answers]
        assert len(answers) == 9
        assert not any(isinstance(answer, Failure) for answer in answers)


def test_no_more_workers_than_blocks_and_none_for_nothing() -> None:
    engine = Engine(set(), random.Random(0))
    run(engine, [3], 4)
    assert engine.n_started == 1
    engine = Engine(set(), random.Random(0))
    run(engine, [], 4)
    assert engine.n_started == 0


def test_blocks_are_read_when_there_is_somebody_for_them() -> None:
    """So that a terabyte of input takes no memory."""
    n_read, n_finished, most_held, n_workers = 0, 0, 0, 3

    def blocks() -> Iterator[Block]:
        nonlocal n_read, most_held
        for n_read in range(1, 101):
            most_held = max(most_held, n_read - n_finished)
            yield Block(n_read, [Item("a", {})])

    def finish(block: Block, answers: list[Answer]) -> None:
        nonlocal n_finished
        n_finished += 1

    Schedule(Engine(set(), random.Random(0)), n_workers, blocks(), finish).run()
    assert n_finished == 100
    assert most_held <= 2 * n_workers


def test_a_deadly_document_is_found_in_few_steps() -> None:
    """As docs/scaling.md has it: 4 + log2(block size) workers."""
    for exponent in range(1, 11):
        engine = Engine({"0:0"}, random.Random(0))
        engine.luck.random = lambda: 0.0  # type: ignore[method-assign] # it kills, each time
        run(engine, [2**exponent], 1)
        assert engine.n_started == 4 + exponent


def test_deadly_documents_side_by_side_do_not_end_the_run() -> None:
    deadly = {f"0:{i}" for i in range(GIVEN_UP_IN_A_ROW)}
    for n_workers in (1, 3):
        _, finished = run(Engine(deadly, random.Random(0)), [1000, 1], n_workers)
        failures = {answer.place for answer in finished[0] if isinstance(answer, Failure)}
        assert failures == deadly


def test_where_nobody_lives_the_run_ends() -> None:
    everything = {f"{number}:{i}" for number in range(9) for i in range(50)}
    engine = Engine(everything, random.Random(0))
    with pytest.raises(RuntimeError, match=r"51 documents in a row .* the last is \d:\d+: lost"):
        run(engine, [50] * 9, 2)
    assert engine.n_started <= 3 * GIVEN_UP_IN_A_ROW + 20
    assert engine.alive == set()


def test_where_no_worker_starts_the_run_ends() -> None:
    engine = Engine(set(), random.Random(0))
    engine.message = lambda items: Failed("killed", died=True)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match=r"workers in a row were lost.*: killed"):
        run(engine, [50] * 9, 2)
    assert engine.n_started <= 2 * LOST_IN_A_ROW + 2
    assert engine.alive == set()


def test_a_model_that_cannot_be_loaded_is_an_error_at_once() -> None:
    engine = Engine(set(), random.Random(0))
    engine.message = lambda items: Failed("no such model")  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="the model cannot be loaded: no such model"):
        run(engine, [1], 1)
    assert engine.n_started == 1
    engine = Engine(set(), random.Random(0))
    engine.message = lambda items: Failed("no", is_option=True)  # type: ignore[method-assign]
    with pytest.raises(OptionError, match=r"^no$"):
        run(engine, [1], 1)
