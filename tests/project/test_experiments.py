"""Several trainings: what is done is not done again, and what fails is not taken as done."""

from pathlib import Path

import experiments
import pytest
import same_process
import spacy
import srsly
from generate import generate

from spacy_sener.cli.convert import convert


@pytest.fixture(autouse=True)
def same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "run_command", same_process.run_command)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    srsly.write_jsonl(tmp_path / "a.jsonl", generate("train", 2, seed=0))
    for part in ("train", "dev"):
        convert(tmp_path / "a.jsonl", tmp_path / "corpus" / f"{part}.spacy")
    return tmp_path / "corpus"


def test_runs_are_counted_in_their_language_and_done_once(
    project_folder: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned, table = tmp_path / "planned.yml", tmp_path / "table.md"
    config = project_folder / "configs" / "light.cfg"
    narrow = {"components.sener.model.span_window": 8}
    srsly.write_yaml(planned, {"light": {"config": str(config), "overrides": narrow}})

    def run() -> str:
        output = tmp_path / "out"
        experiments.main(planned, corpus, output, table, "", seeds="0 1", updates=2, lang="de")
        return capsys.readouterr().out

    said = run()
    assert "1 of 2: light, seed 0" in said
    assert "2 of 2: light, seed 1" in said
    assert said.count("Initialized pipeline") == 2
    assert spacy.load(tmp_path / "out" / "light" / "seed-1" / "model-best").lang == "de"
    assert "light" in table.read_text(encoding="utf8")
    again = run()
    assert again.count("Nothing has changed") == 2
    assert "Initialized pipeline" not in again


def test_a_run_that_fails_is_not_taken_as_done(tmp_path: Path) -> None:
    """Not even where there is a result of the same run, of which it has replaced a part."""
    run = experiments.Run("a", str(tmp_path / "missing.cfg"), {}, {})
    srsly.write_json(tmp_path / "settings.json", experiments.asdict(run))
    assert run.is_done(tmp_path)
    with pytest.raises(SystemExit):
        run.train_and_report(tmp_path, tmp_path / "dev.spacy", -1)
    assert not run.is_done(tmp_path)
