"""The same answers in processes, threads and an event loop, and of two pipelines side by side."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from self_trained import DATA, EMPTY, gold_examples
from soak.documents import Spans, found, same
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import fix_random_seed

from spacy_sener.optimizers import build_adamw_v1

TEXTS = [" ".join([*(text for text, _ in DATA[: i % 5]), EMPTY, f"word{i} ."]) for i in range(24)]
PATIENCE = 900  # seconds, after which something waits for ever


def all_found(docs: Iterable[Doc]) -> list[Spans]:
    return [found(doc) for doc in docs]


def all_same(some: list[Spans], others: list[Spans]) -> bool:
    return all(same(one, other) for one, other in zip(some, others, strict=True))


@pytest.fixture(scope="module")
def expected(nlp: Language) -> list[Spans]:
    """Of each text alone."""
    answers = [found(nlp(text)) for text in TEXTS]
    assert sum(map(len, answers)) > len(TEXTS)
    return answers


@pytest.mark.parametrize("n_threads", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_threads_share_a_pipeline(
    nlp: Language, expected: list[Spans], n_threads: int, record_property: Any
) -> None:
    n_rounds = n_threads**2 // 8
    with ThreadPoolExecutor(n_threads) as pool:
        alone = [pool.map(nlp, TEXTS) for _ in range(n_rounds)]
        batches = [
            pool.submit(lambda size: all_found(nlp.pipe(TEXTS, batch_size=size)), size)
            for size in range(1, 1 + n_rounds)
        ]
        assert all(all_same(all_found(docs), expected) for docs in alone)
        assert all(all_same(batch.result(PATIENCE), expected) for batch in batches)
    record_property("documents", 2 * n_rounds * len(TEXTS))


def test_an_event_loop_with_threads(nlp: Language, expected: list[Spans]) -> None:
    async def annotate() -> list[Doc]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(None, nlp, text) for text in TEXTS))

    assert all_same(all_found(asyncio.run(annotate())), expected)


def test_streams_that_are_read_by_turns(nlp: Language, folder: Path, expected: list[Spans]) -> None:
    """Of one pipeline and of another; between their turns torch's settings are the caller's."""
    other = spacy.load(folder)
    streams = [nlp.pipe(TEXTS, batch_size=3), other.pipe(TEXTS, batch_size=5), nlp.pipe(TEXTS)]
    answers: list[list[Doc]] = [[], [], []]
    for docs in zip(*streams, strict=True):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        for answer, doc in zip(answers, docs, strict=True):
            answer.append(doc)
    assert all(all_same(all_found(docs), expected) for docs in answers)


def test_one_thread_learns_while_others_read_another_pipeline(
    nlp: Language, folder: Path, expected: list[Spans]
) -> None:
    """Gradients are on or off for each thread by itself."""
    with ThreadPoolExecutor(2) as pool:
        learning = pool.submit(_losses, folder)
        reading = [pool.submit(lambda: all_found(nlp.pipe(TEXTS))) for _ in range(2)]
        assert all(all_same(each.result(PATIENCE), expected) for each in reading)
        assert learning.result(PATIENCE) == pytest.approx(_losses(folder), rel=1e-4)


def _losses(folder: Path) -> list[float]:
    fix_random_seed(0)
    nlp = spacy.load(folder)
    name = nlp.pipe_names[-1]
    examples = gold_examples(nlp, [(EMPTY, [])])
    optimizer = build_adamw_v1(warmup_steps=0, total_steps=0)
    return [nlp.update(examples, sgd=optimizer)[name] for _ in range(3)]


def test_a_pipeline_that_was_trained_here_can_be_sent_to_a_worker(
    folder: Path, expected: list[Spans]
) -> None:
    """As processes are that are spawned: without the optimizer, and with all that answers."""
    nlp = spacy.load(folder)
    name = nlp.pipe_names[-1]
    nlp.update(gold_examples(nlp, [(EMPTY, [])]), sgd=build_adamw_v1(warmup_steps=0, total_steps=0))
    sent = pickle.loads(pickle.dumps(nlp.get_pipe(name)))  # noqa: S301 - our own
    for text in TEXTS[:4]:
        assert same(found(sent(nlp.make_doc(text))), found(nlp(text)))


IN_WORKERS = """
import json, multiprocessing, sys
import spacy

if __name__ == "__main__":
    folder, start, trained, texts = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    multiprocessing.set_start_method(start)
    nlp = spacy.load(folder)
    if trained == "trained":
        from self_trained import EMPTY, gold_examples
        from spacy_sener.optimizers import build_adamw_v1
        # It learns nothing, and is there.
        optimizer = build_adamw_v1(1e-12, 1e-12, warmup_steps=0, total_steps=0)
        nlp.update(gold_examples(nlp, [(EMPTY, [])]), sgd=optimizer)
    for n_process in map(int, sys.argv[5:]):
        answers = []
        for doc in nlp.pipe(texts, n_process=n_process, batch_size=3):
            group = doc.spans["sc"]
            spans = [(span.start, span.end, span.label_) for span in group]
            answers.append([spans, [float(score) for score in group.attrs["scores"]]])
        print(json.dumps(answers))
"""


def in_workers(folder: Path, start: str, trained: str, *n_processes: int) -> list[list[Spans]]:
    """The answers of a new program with so many workers, for each number of them."""
    program = [sys.executable, "-c", IN_WORKERS, folder, start, trained, json.dumps(TEXTS)]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [*program, *map(str, n_processes)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    return [
        [{tuple(s): score for s, score in zip(*answer, strict=True)} for answer in json.loads(line)]
        for line in result.stdout.splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["loaded", "trained"])
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_answer_alike(
    folder: Path, expected: list[Spans], start: str, trained: str, record_property: Any
) -> None:
    numbers = (1, 2, 4) if trained == "loaded" else (2,)
    answers = in_workers(folder, start, trained, *numbers)
    assert len(answers) == len(numbers)
    for answer in answers:
        assert all_same(answer, expected)
    record_property("documents", len(numbers) * len(TEXTS))


@pytest.mark.gpu
def test_threads_share_a_gpu(folder: Path) -> None:
    """Two pipelines, loaded to the GPU by the main thread, read by others."""
    spacy.require_gpu()
    try:
        pipelines = [spacy.load(folder) for _ in range(2)]
        expected = all_found(pipelines[0].pipe(TEXTS))
    finally:
        spacy.require_cpu()
    with ThreadPoolExecutor(4) as pool:
        answers = [
            pool.submit(lambda nlp: all_found(nlp.pipe(TEXTS)), nlp) for nlp in pipelines * 4
        ]
        assert all(all_same(answer.result(PATIENCE), expected) for answer in answers)
