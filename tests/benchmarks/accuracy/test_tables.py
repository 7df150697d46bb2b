"""The page of a group of methods."""

from pathlib import Path

import pytest
import srsly

from benchmarks.accuracy.run import score
from benchmarks.accuracy.tables import write_page
from tests.benchmarks.accuracy.learned import make_docs

SIZES = {"count": 8, "tokens": 70, "longest": 11, "spans": 14}
CORPUS = {"segments": SIZES, "held_out": SIZES, "dev": SIZES, "lost_spans": 2, "problems": {}}
COST = {"train_seconds": 90.0, "update_seconds": 0.5, "train_bytes": 2e9, "predict_bytes": 1e9}


def write_report(output: Path, method: str, seed: int, **fields: object) -> None:
    figures = score(make_docs(), make_docs(), threshold=None, seconds=2.0)
    report = {
        **figures,
        "at_default": None,
        "updates": 600,
        "cost": COST,
        "corpus": CORPUS,
        **fields,
    }
    folder = output / "novels" / method / f"seed-{seed}"
    folder.mkdir(parents=True)
    srsly.write_json(folder / "report.json", report)


def test_the_page_has_all_methods_and_the_runs_without_a_result(tmp_path: Path):
    for seed in (1, 2):
        write_report(tmp_path, "one", seed)
    write_report(tmp_path, "with scores", 1, at_default={"f": 0.25}, threshold=0.35)
    folder = tmp_path / "novels" / "large" / "seed-1"
    folder.mkdir(parents=True)
    srsly.write_json(folder / "report.json", {"problem": "out of memory"})
    page = write_page(tmp_path, "peers", ["novels"], ["one", "with scores", "large", "other"])
    assert page == (tmp_path / "peers.md").read_text()
    lines = page.splitlines()
    right, every = "100.00 ± 0.00", "100.00 to 100.00 | 5 of 5"
    assert f"| one | 2 | 600 | {right} | {right} | {right} | {every} | - | none |" in lines
    assert f"| with scores | 1 | 600 | 100.00 | 100.00 | 100.00 | {every} | 25.00 | 0.35 |" in lines
    assert "| PLACE | 4 | 100.00 ± 0.00 | 100.00 |" in lines
    assert "| Gold spans | 4 | 6 | 4 |" in lines
    assert any(line.startswith("| one | 1.5 | 0.50 |") for line in lines)
    assert "- large: out of memory" in lines
    assert "2 more spans are cut through" in page


def test_the_plots_are_on_the_page(tmp_path: Path):
    pytest.importorskip("matplotlib")
    write_report(tmp_path, "one", 1)
    page = write_page(tmp_path, "peers", ["novels"], ["one"])
    for kind in ("lengths", "cost"):
        assert f"](peers-novels-{kind}.png)" in page
        assert (tmp_path / f"peers-novels-{kind}.png").stat().st_size > 0


def test_there_is_no_page_without_reports(tmp_path: Path):
    assert write_page(tmp_path, "peers", ["novels"], ["one"]) is None
    assert not list(tmp_path.iterdir())
