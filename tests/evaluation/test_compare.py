"""`python -m spacy sener compare`: several reports side by side."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from evaluation.evaluated import make_example, report_on
from spacy.cli._util import app
from typer.testing import CliRunner, Result

import spacy_sener.cli.compare  # noqa: F401 - the import adds the command
from spacy_sener.evaluation.compare import spread

GOLD = [(0, 1, "A"), (2, 3, "A"), (10, 30, "B"), (40, 60, "B")]


def write(folder: Path, name: str, n_right: int, **changes: Any) -> Path:
    """A report on four gold spans, of which the first ones are predicted."""
    report = report_on([make_example(GOLD, GOLD[:n_right])])
    folder.mkdir(parents=True)
    path = folder / "report.json"
    path.write_text(json.dumps({**report, "name": name, **changes}), encoding="utf8")
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "compare", *map(str, arguments)])


def test_runs_of_one_name_make_one_row(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "1", "ours", 4, tokens_per_second=1000.0)
    write(tmp_path / "runs" / "2", "ours", 2, tokens_per_second=2000.0)
    other = write(tmp_path / "other", "a|b", 2)
    result = command(tmp_path / "runs", other, "--output", tmp_path / "out" / "table.md")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "table.md").read_text(encoding="utf8")
    # Recall is 1 and 1/2: mean 3/4, deviation sqrt(2 * (1/4)^2) = 0.3536; F is 1 and 2/3.
    assert "| ours | 2 | 100.00 ± 0.00 | 75.00 ± 35.36 | 83.33 ± 23.57 | 1,500 |" in page
    assert r"| a\|b | 1 | 100.00 | 50.00 | 66.67 | - |" in page
    assert "| Method | 1 | 17-64 |" in page
    assert "| ours | 100.00 ± 0.00 | 50.00 ± 70.71 |" in page
    assert r"| a\|b | 100.00 | 0.00 |" in page
    assert "different data" not in page
    assert "(<table.png>)" in page
    assert (tmp_path / "out" / "table.png").stat().st_size > 1000


def test_a_report_that_is_named_twice_is_one_run(tmp_path: Path) -> None:
    path = write(tmp_path / "runs" / "1", "ours", 2)
    assert command(tmp_path, path.parent, path, "-o", tmp_path / "table.md").exit_code == 0
    assert "| ours | 1 | 100.00 | 50.00 |" in (tmp_path / "table.md").read_text(encoding="utf8")


def test_reports_of_other_data_are_told(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "ours", 4)
    two = write(tmp_path / "two", "theirs", 4, documents={"count": 2})
    result = command(one, two, "-o", tmp_path / "table.md")
    assert "different data" in " ".join(result.output.split())
    assert "2 documents with 4 gold" in (tmp_path / "table.md").read_text(encoding="utf8")


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = command(write(tmp_path / "one", "ours", 4), "-o", tmp_path / "table.md")
    assert result.exit_code == 0, result.output
    assert "spacy-sener[plots]" in result.output
    assert "![" not in (tmp_path / "table.md").read_text(encoding="utf8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a report"),
        ("[]", "its version is None"),
        ('{"version": 99}', "is not a report of version 1: its version is 99"),
        ('{"version": 1}', "is not a whole report, by KeyError: 'name'"),
        ('{"version": 1, "name": "a", "micro": 1}', "is not a whole report, by TypeError"),
        (None, "holds no report.json"),
    ],
)
def test_what_is_no_report(tmp_path: Path, text: str | None, message: str) -> None:
    source = tmp_path / "in"
    source.mkdir()
    if text is not None:
        (source / "report.json").write_text(text, encoding="utf8")
    result = command(source, "-o", tmp_path / "table.md")
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "table.md").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("table.png", "--output should be a .md file, but is table.png"),
        ("one/report.json", "--output should be a .md file"),
        ("folder.md", "is a folder: name a file to write"),
    ],
)
def test_what_is_no_place_for_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    report = write(Path("one"), "ours", 4)
    Path("folder.md").mkdir()
    before = report.read_text(encoding="utf8")
    result = command(report, "-o", output)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.md", "one"], "no plot"
    assert report.read_text(encoding="utf8") == before


def test_a_plot_is_written_whole(tmp_path: Path) -> None:
    """A folder is in its place: it, and the table that shows it, are as they were."""
    (tmp_path / "table.png").mkdir()
    result = command(write(tmp_path / "one", "ours", 4), "-o", tmp_path / "table.md")
    assert result.exit_code == 1
    assert "table.png is a folder: name a file to write" in " ".join(result.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "table.png"]


def test_spread() -> None:
    assert spread([0.5]) == "50.00"
    assert spread([0.1, 0.1, 0.1]) == "10.00 ± 0.00"
    assert spread([None]) == "-"
