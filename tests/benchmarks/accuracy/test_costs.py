"""What methods cost is measured of all of a group in one go."""

from pathlib import Path

import pytest

from benchmarks.accuracy.corpora import CorpusSettings
from benchmarks.accuracy.costs import measured
from tests.benchmarks.accuracy.learned import write_corpus

CORPUS = CorpusSettings(train=8, dev=4, longest=7, updates=3, held_out=0.25, format="tokens")


def test_each_method_has_its_costs_or_why_it_has_none(tmp_path: Path):
    write_corpus(tmp_path / "litbank")
    entries = {
        "busy": {"program": "tests.benchmarks.accuracy.learned:Busy"},
        "greedy": {"program": "tests.benchmarks.accuracy.learned:Greedy"},
        "killed": {"program": "tests.benchmarks.accuracy.learned:Killed"},
    }
    costs = measured(tmp_path / "litbank", CORPUS, entries, updates=(2, 22))
    assert costs["machine"]["threads"] == "1"
    busy, greedy, killed = (costs["methods"][name] for name in entries)
    assert busy["update_seconds"] == pytest.approx(0.05, rel=0.1)
    assert busy["tokens_per_second"] > 0
    assert busy["bytes"] > 1e6
    assert greedy["problem"].startswith("out of memory")
    assert killed["problem"].startswith("killed")


def test_a_method_that_cannot_run_ends_the_measurement(tmp_path: Path):
    write_corpus(tmp_path / "litbank")
    with pytest.raises(SystemExit, match="The run of odd failed"):
        measured(
            tmp_path / "litbank", CORPUS, {"odd": {"program": "tests.none:Odd"}}, updates=(1, 2)
        )
