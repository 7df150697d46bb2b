"""The page of a group of methods."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import srsly

from benchmarks.accuracy.__main__ import main
from benchmarks.accuracy.corpora import corpus_settings
from benchmarks.accuracy.plans import group_names, plan, read_group
from benchmarks.accuracy.processes import RESULTS
from benchmarks.accuracy.run import Settings, score, write, write_problem
from benchmarks.accuracy.tables import write_costs, write_page
from tests.benchmarks.accuracy.learned import make_docs, write_corpus

SIZES = {"count": 8, "tokens": 70, "longest": 11, "spans": 14}
CORPUS = {
    "segments": SIZES,
    "held_out": SIZES,
    "dev": SIZES,
    "lost_spans": 2,
    "problems": {"ends inside a token": 3},
}
COSTS = {
    "machine": {"CPU": "a processor"},
    "methods": {
        "sener": {"update_seconds": 0.25, "tokens_per_second": 2000.0, "bytes": 2e9},
        "utc-ie": {"problem": "killed"},
        "ner": {"update_seconds": 0.5, "tokens_per_second": 999.5, "bytes": 1.234e9},
    },
}

LONGER = RESULTS.with_name("accuracy-longer")
"""Of more updates than corpora.yml has."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of a name that corpora.yml has."""
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "litbank")
    return folder


def planned(data: Path, method: str, seed: int = 1) -> Settings:
    corpus, entry = corpus_settings()["litbank"], read_group("peers")[method]
    return plan(data / "litbank", corpus, method, entry, seed=seed, updates=600)


def write_report(output: Path, settings: Settings, **fields: object) -> None:
    figures = score(make_docs(), make_docs(), threshold=None, seconds=2.0)
    folder = output / "litbank" / settings.method / f"seed-{settings.seed}"
    more = {"at_default": None, "corpus": CORPUS, **fields}
    write({**figures, **more}, settings, folder)
    srsly.write_json(folder / "settings.json", vars(settings))


def test_the_page_has_all_methods_and_the_runs_without_a_result(data: Path, tmp_path: Path):
    for seed in (1, 2):
        write_report(tmp_path, planned(data, "sener", seed))
    others = {"at_default": {"f": 0.25}, "held_out": {"f": 0.75}}
    write_report(tmp_path, planned(data, "cnn-ner"), **others, threshold=0.35)
    killed = planned(data, "utc-ie")
    write_problem("killed", killed, tmp_path / "litbank" / "utc-ie" / "seed-1")
    page = write_page(tmp_path, "peers")
    assert page == (tmp_path / "peers.md").read_text()
    lines = page.splitlines()
    every, none = "100.00 to 100.00 | 5 of 5", "- | - | none"
    three, more = "100.00 | 100.00 | 100.00", "25.00 | 75.00 | 0.35"
    two = three.replace("100.00", "100.00 ± 0.00")
    assert f"| sener | 2 | 600 | 8 | {two} | {every} | {none} |" in lines
    assert f"| cnn-ner | 1 | 600 | 8 | {three} | {every} | {more} |" in lines
    assert "| PLACE | 4 | 100.00 ± 0.00 | 100.00 |" in lines
    assert "| Gold spans | 4 | 6 | 4 |" in lines
    assert "- utc-ie: killed" in lines
    assert "2 more spans are cut through" in page
    assert "changed or left out: 3 ends inside a token." in page
    assert "Left out, as" not in page
    assert "Costs" not in page


def test_the_page_has_what_was_measured_of_the_costs(data: Path, tmp_path: Path):
    for method in ("sener", "cnn-ner"):
        write_report(tmp_path, planned(data, method))
    write_costs(COSTS, tmp_path, "litbank", "peers")
    page = write_page(tmp_path, "peers")
    assert "of one machine (a processor)" in page
    lines = page.splitlines()
    assert "| sener | 0.25 | 2,000 | 2.00 |" in lines
    assert "| ner | 0.50 | 1,000 | 1.23 |" in lines
    assert "- utc-ie: killed" in lines


def test_reports_of_other_settings_are_left_out_and_named(data: Path, tmp_path: Path):
    for method in ("sener", "cnn-ner"):
        write_report(tmp_path, planned(data, method))
    kept = write_page(tmp_path, "peers")
    sener, utc_ie = planned(data, "sener", 2), planned(data, "utc-ie")
    write_report(tmp_path, replace(sener, arguments={**sener.arguments, "overrides": {"a": 1}}))
    write_report(tmp_path, replace(utc_ie, checksums={**utc_ie.checksums, "utc_ie.cfg": "0"}))
    ner = planned(data, "ner")
    write_report(tmp_path, replace(ner, corpus_settings={**ner.corpus_settings, "held_out": 0.9}))
    note = "Left out, as their settings have changed since they were run:"
    names = "sener/seed-2, ner/seed-1, utc-ie/seed-1"
    assert write_page(tmp_path, "peers") == f"{kept}\n{note} {names}.\n"


def test_the_plots_are_on_the_page(data: Path, tmp_path: Path):
    pytest.importorskip("matplotlib")
    for method in ("sener", "cnn-ner"):
        write_report(tmp_path, planned(data, method))
    write_costs(COSTS, tmp_path, "litbank", "peers")
    page = write_page(tmp_path, "peers")
    for kind in ("lengths", "cost"):
        assert f"](peers-litbank-{kind}.png)" in page
        assert (tmp_path / f"peers-litbank-{kind}.png").stat().st_size > 0


def test_there_is_no_page_of_less_than_two_methods(data: Path, tmp_path: Path):
    assert write_page(tmp_path, "peers") is None
    write_report(tmp_path, planned(data, "sener"))
    assert write_page(tmp_path, "peers") is None
    assert not list(tmp_path.glob("*.*"))


@pytest.mark.parametrize("results", [RESULTS, LONGER], ids=lambda folder: folder.name)
@pytest.mark.parametrize("group", group_names())
def test_the_published_pages_are_those_of_the_published_reports(
    group: str, results: Path, tmp_path: Path
):
    pytest.importorskip("matplotlib")
    for file in [*results.glob("*/*/seed-*/*.json"), *results.glob("*/costs-*.json")]:
        copy = tmp_path / file.relative_to(results)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    published = results / f"{group}.md"
    assert write_page(tmp_path, group) == (published.read_text() if published.exists() else None)


def test_runs_on_other_segments_are_shown_with_those_they_had(data: Path, tmp_path: Path):
    more = replace(corpus_settings()["litbank"], train=99, longest=800)
    entry = read_group("peers")["ner"]
    larger = {**CORPUS, "segments": {**SIZES, "count": 1234}}
    of_more = plan(data / "litbank", more, "ner", entry, seed=1, updates=600)
    write_report(tmp_path, planned(data, "sener"))
    write_report(tmp_path, of_more, corpus=larger)
    page = write_page(tmp_path, "peers")
    assert page is not None
    assert "| sener | 1 | 600 | 8 |" in page
    assert "| ner | 1 | 600 | 1234 |" in page


def test_runs_that_are_scored_on_other_documents_are_shown_with_a_warning(
    data: Path, tmp_path: Path
):
    scored = replace(corpus_settings()["litbank"], dev=99)
    entry = read_group("peers")["ner"]
    write_report(tmp_path, planned(data, "sener"))
    of_more = plan(data / "litbank", scored, "ner", entry, seed=1, updates=600)
    write_report(tmp_path, of_more, documents={"count": 99})
    page = write_page(tmp_path, "peers")
    assert page is not None
    assert "their figures do not compare" in page
    assert "99 documents" in page


@pytest.mark.parametrize("option", ["--updates", "--documents", "--scored", "--longest"])
def test_another_budget_does_not_replace_what_is_published(
    option: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = ["accuracy", str(data), "--corpora", "litbank", option, "3"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit):
        main()
    assert "give an --output" in capsys.readouterr().err
