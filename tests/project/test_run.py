"""The demo from end to end, as `spacy project run all` runs it, at the smallest size."""

import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from spacy.cli.project.run import project_run

MADE_BY_COMMANDS = ("corpus", "metrics", "packages", "pages", "training", "project.lock")
TINY = {
    "vars.train_docs": 4,
    "vars.dev_docs": 2,
    "vars.max_steps": 2,
    "vars.warmup_steps": 1,
    "vars.eval_frequency": 2,
    "vars.seed": 1,
}


@pytest.fixture
def copy_of_project(project_folder: Path, tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns(*MADE_BY_COMMANDS, "__pycache__")
    return Path(shutil.copytree(project_folder, tmp_path / "project", ignore=ignored))


def test_run_all(copy_of_project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    project_run(copy_of_project, "all", overrides=TINY, capture=False)
    assert len(list(srsly.read_jsonl(copy_of_project / "corpus" / "train.jsonl"))) == 4
    for part in ("dev", "test"):
        scores = srsly.read_json(copy_of_project / "metrics" / f"{part}.json")
        assert {"spans_sc_p", "spans_sc_r", "spans_sc_f"} <= scores.keys()
    page = (copy_of_project / "pages" / "predictions.html").read_text(encoding="utf8")
    assert "12-vanderhoekstra" in page
    model = copy_of_project / "training" / "model-best"
    doc = spacy.load(model)("Ada Brenk is Professor of Botany.")
    assert "scores" in doc.spans["sc"].attrs
    assert f'spacy.load("{model.resolve()}")' in capfd.readouterr().out
