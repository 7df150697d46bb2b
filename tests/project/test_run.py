"""The project's workflows, as `spacy project run` runs them, at the smallest size."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from generate import generate
from packing import write_tar
from spacy.cli.project.run import project_run

MADE_BY_COMMANDS = ("assets", "corpus", "metrics", "packages", "pages", "training", "project.lock")
TINY = {
    "vars.train_docs": 4,
    "vars.dev_docs": 2,
    "vars.max_steps": 2,
    "vars.warmup_steps": 1,
    "vars.eval_frequency": 2,
    "vars.seed": 1,
}
TWO_STEPS = (
    "--training.max_steps 2 --training.eval_frequency 2 "
    "--training.optimizer.warmup_steps 1 --training.optimizer.total_steps 2"
)
Run = Callable[..., Path]


@pytest.fixture
def copy_of_project(project_folder: Path, tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns(*MADE_BY_COMMANDS, "__pycache__")
    return Path(shutil.copytree(project_folder, tmp_path / "project", ignore=ignored))


@pytest.fixture
def run(copy_of_project: Path, tiny_encoder: Path) -> Run:
    """Runs a workflow in a copy of the project, with a tiny encoder; gives the copy."""

    def run_in_copy(workflow: str, **values: Any) -> Path:
        tiny = {**TINY, "vars.encoder": str(tiny_encoder), "vars.train_options": TWO_STEPS}
        overrides = {**tiny, **{f"vars.{name}": value for name, value in values.items()}}
        project_run(copy_of_project, workflow, overrides=overrides, capture=False)
        return copy_of_project

    return run_in_copy


def write_jsonl(path: Path, split: str, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_jsonl(path, generate(split, size, seed=2))
    return path


def n_docs(path: Path) -> int:
    return len(spacy.tokens.DocBin().from_disk(path))


def assert_evaluated(report: Path, page: Path) -> None:
    assert {"p", "r", "f"} <= srsly.read_json(report / "report.json")["micro"].keys()
    assert (report / "report.md").exists()
    assert "<html" in page.read_text(encoding="utf8")


def test_all(copy_of_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With the encoder that it comes with, unlike the others."""
    project_run(copy_of_project, "all", overrides=TINY, capture=False)
    assert len(list(srsly.read_jsonl(copy_of_project / "corpus" / "train.jsonl"))) == 4
    page = copy_of_project / "pages" / "predictions.html"
    for part in ("dev", "test"):
        assert_evaluated(copy_of_project / "metrics" / part, page)
    assert "12-vanderhoekstra" in page.read_text(encoding="utf8")
    model = copy_of_project / "training" / "model-best"
    doc = spacy.load(model)("Ada Brenk is Professor of Botany.")
    assert "scores" in doc.spans["sc"].attrs
    said = capfd.readouterr().out
    assert f'spacy.load("{model.resolve()}")' in said
    assert "(12 documents)" in said
    assert page.resolve().as_uri() in said


@pytest.mark.slow
def test_all_gpu(run: Run, tiny_encoder: Path) -> None:
    """On the CPU, and with the small config, but with its own commands."""
    project = run("all_gpu", gpu=-1, gpu_config="configs/cpu.cfg", gpu_encoder=str(tiny_encoder))
    for part in ("dev", "test"):
        assert_evaluated(project / "metrics" / "gpu" / part, project / "pages" / "gpu.html")


@pytest.mark.slow
def test_own_with_one_file(run: Run, tmp_path: Path) -> None:
    pages = write_jsonl(tmp_path / "my pages.jsonl", "own", 10)
    project = run("own", train_file=str(pages), init_options=" --max-steps 2", train_options="")
    assert n_docs(project / "corpus" / "own" / "train.spacy") == 8
    assert n_docs(project / "corpus" / "own" / "dev.spacy") == 2
    assert_evaluated(project / "metrics" / "own", project / "pages" / "own.html")
    (wheel,) = (project / "packages").glob("*/dist/*.whl")
    assert wheel.name.startswith("en_own_blocks-0.1.0")


@pytest.mark.slow
def test_own_with_two_files_of_which_one_holds_texts_of_the_other(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", "own", 6)
    dev = write_jsonl(tmp_path / "dev.jsonl", "own", 2)
    project = run("import-own", train_file=str(train), dev_file=str(dev))
    assert n_docs(project / "corpus" / "own" / "train.spacy") == 4
    assert n_docs(project / "corpus" / "own" / "dev.spacy") == 2
    assert "2 documents of" in capfd.readouterr().out


@pytest.mark.slow
def test_corpus_that_is_downloaded(
    run: Run, copy_of_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for number in range(10):
        stem = f"litbank-0/entities/brat/{number}_novel_brat"
        files[f"{stem}.txt"] = f"Anna 's cottage burned {number} times .\n"
        files[f"{stem}.ann"] = "T1\tPER 0 4\tAnna\nT2\tFAC 0 15\tAnna 's cottage\n"
    archive = write_tar(tmp_path / "litbank.tar.gz", files)
    settings = srsly.read_yaml(copy_of_project / "project.yml")
    (asset,) = (one for one in settings["assets"] if "litbank" in one["dest"])
    asset["url"] = str(archive)
    srsly.write_yaml(copy_of_project / "project.yml", settings)
    project = run("corpus", corpus="litbank")
    assert n_docs(project / "corpus" / "litbank" / "train.spacy") == 8
    assert_evaluated(project / "metrics" / "litbank", project / "pages" / "litbank.html")


@pytest.mark.slow
def test_corpus_that_somebody_holds(run: Run, copy_of_project: Path) -> None:
    for part, size in (("train", 6), ("dev", 2)):
        path = write_jsonl(copy_of_project / f"assets/profiling-07/{part}.jsonl.gz", part, size)
        srsly.write_gzip_jsonl(path, generate(part, size, seed=2))
    project = run("corpus", corpus="profiling-07")
    assert_evaluated(project / "metrics" / "profiling-07", project / "pages" / "profiling-07.html")


@pytest.mark.slow
def test_compare(run: Run) -> None:
    project = run("compare", seeds="3")
    table = (project / "metrics" / "compare.md").read_text(encoding="utf8")
    assert all(name in table for name in ("sener", "light", "spancat"))


@pytest.mark.slow
def test_ablation_goes_on_where_it_stopped(
    run: Run, copy_of_project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of the list, two changes: a single value, and one of several parts."""
    path = copy_of_project / "experiments" / "ablation.yml"
    experiments = srsly.read_yaml(path)
    srsly.write_yaml(path, {"no-bispa": experiments["no-bispa"]})
    project = run("ablation", seeds="0")
    assert "no-bispa" in (project / "metrics" / "ablation.md").read_text(encoding="utf8")
    srsly.write_yaml(path, {name: experiments[name] for name in ("no-bispa", "lora")})
    capfd.readouterr()
    run("ablation", seeds="0")
    said = " ".join(capfd.readouterr().out.split())  # lines are wrapped
    assert "Nothing has changed since training/ablation/no-bispa/seed-0 was made" in said
    assert said.count("Initialized pipeline") == 1
    assert "lora" in (project / "metrics" / "ablation.md").read_text(encoding="utf8")
