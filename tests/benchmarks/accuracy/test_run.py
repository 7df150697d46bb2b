"""A run leaves a report of what a method did, or of why it could not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import srsly
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import load_config, load_model_from_config

from benchmarks.accuracy.corpora import KEY, CorpusSettings, read_corpus
from benchmarks.accuracy.methods import SpacyMethod
from benchmarks.accuracy.plans import group_names, plan, read_group
from benchmarks.accuracy.processes import in_a_process
from benchmarks.accuracy.run import Settings, at_threshold, chosen_threshold, run, score
from benchmarks.machine import revision
from tests.benchmarks.accuracy.learned import make_docs, write_corpus

CORPUS = CorpusSettings(train=8, dev=4, longest=7, updates=3, held_out=0.25, format="tokens")
ENTRIES = {
    (group, name): entry for group in group_names() for name, entry in read_group(group).items()
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one corpus."""
    folder = tmp_path_factory.mktemp("data")
    write_corpus(folder / "sentences")
    return folder


def planned(data: Path, entry: dict[str, object]) -> Settings:
    return plan(data / "sentences", CORPUS, "method", entry, seed=7, updates=3)


def predicted(scores: dict[str, float] | None) -> list[Doc]:
    """The documents with their gold spans, each with the score of its label."""
    docs = make_docs()
    for doc in docs:
        spans = [Span(doc, span.start, span.end, label=span.label_) for span in doc.spans[KEY]]
        values = None if scores is None else [scores.get(span.label_, 0.9) for span in spans]
        attrs = {} if values is None else {"scores": np.array(values, dtype=np.float32)}
        doc.spans[KEY] = SpanGroup(doc, name=KEY, spans=spans, attrs=attrs)
    return docs


def test_a_run_leaves_its_report_and_then_its_settings(
    data: Path, tiny_encoder: Path, tmp_path: Path
):
    overrides = {"initialize.components.sener.encoder": str(tiny_encoder)}
    settings = planned(data, {"config": "configs/sener.cfg", "overrides": overrides})
    folder = tmp_path / "sentences" / "method" / "seed-7"
    assert not settings.is_done(folder)
    assert in_a_process(settings, data, tmp_path) is None
    assert settings.is_done(folder)
    assert not replace(settings, updates=4).is_done(folder)
    (folder / "report.json").rename(folder / "away.json")
    assert not settings.is_done(folder)
    (folder / "away.json").rename(folder / "report.json")
    report = srsly.read_json(folder / "report.json")
    assert (report["name"], report["data"], report["seed"]) == ("method", "sentences", 7)
    assert report["documents"]["count"] == 4
    assert report["code"] == revision()
    assert 0.05 <= report["threshold"] <= 0.95
    assert report["lowest_score"] == 0.02
    assert not any(report["examples"].values())
    assert all(value > 0 for value in report["cost"].values())
    sizes = report["corpus"]
    assert [sizes[part]["count"] for part in ("held_out", "dev")] == [2, 4]
    assert report["held_out"]["gold"] == sizes["held_out"]["spans"] > 0
    assert sizes["segments"]["longest"] <= CORPUS.longest


def test_a_run_that_needs_too_much_memory_says_so(data: Path, tmp_path: Path):
    settings = planned(data, {"program": "tests.benchmarks.accuracy.learned:Greedy"})
    assert in_a_process(settings, data, tmp_path) is None
    folder = tmp_path / "sentences" / "method" / "seed-7"
    report = srsly.read_json(folder / "report.json")
    assert report["problem"].startswith("out of memory")
    assert report["problem"].endswith("in training, where the longest document has 7 tokens")
    assert settings.is_done(folder)


def test_a_run_that_was_killed_is_to_be_done_again(data: Path, tmp_path: Path):
    settings = planned(data, {"program": "tests.benchmarks.accuracy.learned:Killed"})
    folder = tmp_path / "sentences" / "method" / "seed-7"
    folder.mkdir(parents=True)
    srsly.write_json(folder / "settings.json", {"of": "an earlier run"})
    assert "exit status -9" in in_a_process(settings, data, tmp_path)
    assert "killed by the system" in srsly.read_json(folder / "report.json")["problem"]
    assert not (folder / "settings.json").exists()


def test_a_run_that_fails_is_named_and_leaves_nothing(data: Path, tmp_path: Path):
    settings = planned(data, {"program": "tests.benchmarks.accuracy.learned:Nothing"})
    assert "exit status 1" in in_a_process(settings, data, tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_the_threshold_is_the_best_one_and_near_the_default():
    spurious = predicted({"ORG": 0.31})
    for doc in spurious:
        span = Span(doc, 0, 1, label="ORG")
        doc.spans[KEY] = SpanGroup(
            doc,
            name=KEY,
            spans=[*doc.spans[KEY], span],
            attrs={"scores": np.append(doc.spans[KEY].attrs["scores"], np.float32(0.12))},
        )
    assert chosen_threshold(spurious, make_docs()) == 0.3
    assert chosen_threshold(predicted({}), make_docs()) == 0.5


@pytest.mark.parametrize(
    ("method", "threshold", "f", "at_default"),
    [("Sure", None, 1.0, None), ("Silent", 0.5, 0.0, 0.0)],
)
def test_only_what_has_scores_has_a_threshold(
    method: str, threshold: float | None, f: float, at_default: float | None, data: Path
):
    settings = planned(data, {"program": f"tests.benchmarks.accuracy.learned:{method}"})
    figures = run(settings, read_corpus(data / "sentences", CORPUS))
    assert (figures["threshold"], figures["micro"]["f"]) == (threshold, f)
    assert (figures["at_default"] and figures["at_default"]["f"]) == at_default


def test_the_figures_at_the_default_threshold_are_those_of_the_curve():
    figures = score(predicted({"ORG": 0.31}), make_docs(), threshold=0.3, seconds=1.0)
    assert figures["micro"]["r"] == 1
    assert at_threshold(figures, 0.5)["r"] == pytest.approx(10 / 14)


def test_one_name_is_one_method():
    by_name = {}
    for (_, name), entry in ENTRIES.items():
        assert by_name.setdefault(name, entry) == entry


@pytest.mark.parametrize(("group", "name"), ENTRIES)
def test_every_config_holds_with_its_overrides(group: str, name: str):
    entry = ENTRIES[group, name]
    if "config" not in entry:
        pytest.skip("a program, with tests of its own")
    method = SpacyMethod(**entry)
    load_model_from_config(load_config(method.config, overrides=method.overrides), auto_fill=True)
