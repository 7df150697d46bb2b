"""The harness, on toy programs."""

import re
from pathlib import Path

import pytest

from benchmarks.measure import Measurement, Subject, alternate, alternate_fresh

TOYS = "tests.benchmarks.toys"


def toy(program: str, length: int = 1, **settings: object) -> Subject:
    return Subject(program, f"{TOYS}:{program}", length, **settings)


def measure(*group: Subject) -> list[Measurement]:
    return alternate([group], threads=1)


def test_memory_is_over_the_loaded_process_and_the_first_pass_is_not_timed():
    (result,) = measure(toy("allocate", 50, passes=2))
    assert result.problem is None
    assert len(result.seconds) == 2
    assert 49e6 < result.over_base < 60e6
    assert 49e6 < result.kept_bytes - result.base_bytes < 60e6


def test_subjects_take_turns(tmp_path: Path):
    path = tmp_path / "order"
    group = [
        toy("write", 3, arguments={"path": str(path), "name": name}, passes=passes)
        for name, passes in (("a", 3), ("b", 1))
    ]
    first, second = measure(*group)
    assert path.read_text() == "ababaa"
    assert first.detail("twice") == 6
    assert (len(first.seconds), len(second.seconds)) == (3, 1)


def test_every_pass_in_a_fresh_process_after_a_round_that_does_not_count(tmp_path: Path):
    path = tmp_path / "order"
    group = [toy("write", arguments={"path": str(path), "name": name}) for name in "ab"]
    results = alternate_fresh(group, passes=2, threads=1)
    assert path.read_text() == "ababab"
    assert [len(result.seconds) for result in results] == [2, 2]


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        (toy("exhaust"), "out of memory"),
        (toy("die"), r"died \(exit status 3\)"),
        (toy("refuse"), "failed: ValueError: no such thing"),
        (toy("sleep", 50, limit=0.2), "stopped: a pass takes more than"),
    ],
)
def test_a_failure_is_told_and_stops_nobody_else(subject: Subject, problem: str):
    failed, other = measure(subject, toy("sleep", passes=1))
    assert re.match(problem, failed.problem)
    assert failed.median is None
    assert other.median >= 0.1


def test_one_that_ran_out_of_memory_is_measured_again_alone(tmp_path: Path):
    path = tmp_path / "first"
    crowded = toy("crowded", arguments={"path": str(path)}, passes=2)
    first, other = measure(crowded, toy("sleep", passes=1))
    assert path.exists()
    assert (first.problem, len(first.seconds)) == (None, 2)
    assert other.problem is None


def test_memory_of_fresh_processes_is_that_of_those_that_came_to_an_end(tmp_path: Path):
    # The first round does not count; of the two that do one fails.
    failing = toy("fail_at", 20, arguments={"path": str(tmp_path / "count"), "nth": 3})
    (result,) = alternate_fresh([failing], passes=2, threads=1)
    assert len(result.seconds) == 1
    assert 19e6 < result.over_base < 30e6
    assert result.problem.startswith("failed")


def test_no_pass_begins_after_the_patience():
    (result,) = measure(toy("sleep", 2, passes=5, patience=0.3))
    assert result.problem is None
    assert len(result.seconds) == 2


def test_what_is_out_of_reach_is_not_tried():
    groups = [[toy("sleep", length, passes=1, limit=0.5, growth=2)] for length in (1, 3)]
    shorter, longer = alternate(groups, threads=1)
    assert shorter.problem is None
    assert longer.problem == "not tried: 1 s a pass or more"


def test_what_failed_at_a_shorter_length_is_not_tried():
    groups = [[toy("die", length, growth=2)] for length in (1000, 2000, 4000)]
    problems = [each.problem for each in alternate(groups, threads=1)]
    why = "not tried: at 1,000 tokens died (exit status 3)"
    assert problems[0].startswith("died")
    assert problems[1] == problems[2]
    assert problems[1].startswith(why)
