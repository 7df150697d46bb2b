"""What project.yml promises: files that are there, a README that says the same, valid settings."""

import shutil
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import fetch
import pytest
import srsly
from experiments import runs
from spacy.util import load_config, load_model_from_config
from urllib3.exceptions import ProtocolError
from weasel.cli.document import project_document
from weasel.util import load_project_config

EXPERIMENTS = ("ablation", "compare")


@pytest.fixture
def bare_project(project_folder: Path, tmp_path: Path) -> Path:
    """project.yml alone: where it is read, Weasel makes folders, and looks for local assets."""
    shutil.copy(project_folder / "project.yml", tmp_path)
    return tmp_path


@pytest.fixture
def settings(bare_project: Path) -> dict[str, Any]:
    return load_project_config(bare_project)


def test_the_readme_says_what_the_project_file_says(
    project_folder: Path, bare_project: Path
) -> None:
    readme = Path(shutil.copy(project_folder / "README.md", bare_project))
    project_document(bare_project, readme)
    assert readme.read_text(encoding="utf8") == (project_folder / "README.md").read_text(
        encoding="utf8"
    ), "run `python -m spacy project document --output README.md` in project/"


def test_every_dependency_is_there_or_made_by_another_command(
    project_folder: Path, settings: dict[str, Any]
) -> None:
    commands = settings["commands"]
    outputs = set(chain.from_iterable(command.get("outputs", []) for command in commands))
    made = outputs | {str(parent) for path in outputs for parent in PurePosixPath(path).parents}
    for command in commands:
        for path in command.get("deps", []):
            if path not in made and not path.startswith("assets/"):
                assert (project_folder / path).exists(), (command["name"], path)


def test_a_card_does_not_make_a_pipeline_be_trained_again(settings: dict[str, Any]) -> None:
    """It is written into the pipeline's folder, whose outputs and dependencies are without it."""
    commands = settings["commands"]
    scripts = chain.from_iterable(command["script"] for command in commands)
    cards = [words[words.index("card") + 1] for words in map(str.split, scripts) if "card" in words]
    assert len(cards) == 2
    watched = chain.from_iterable(one.get("outputs", []) + one.get("deps", []) for one in commands)
    assert set(cards).isdisjoint(watched)


def test_a_threshold_does_not_make_a_pipeline_be_trained_again(settings: dict[str, Any]) -> None:
    """It changes what is saved beside the weights. Reports, pages and packages are made anew."""
    outputs, deps = (
        set(chain.from_iterable(command.get(key, []) for command in settings["commands"]))
        for key in ("outputs", "deps")
    )
    trained = {path for path in outputs if "model-best" in path}
    assert len(trained) == 3
    assert all(path.endswith("/model-best/sener/model") for path in trained)
    assert {path.removesuffix("/model") for path in trained} <= deps


def test_every_command_has_help_and_is_of_use(settings: dict[str, Any]) -> None:
    used = set(chain.from_iterable(settings["workflows"].values())) | {"clean"}
    assert used == {command["name"] for command in settings["commands"]}
    assert all(command.get("help") for command in settings["commands"])


def test_the_workflows_that_others_rely_on(settings: dict[str, Any]) -> None:
    names = {"all", "all_gpu", "own", "corpus", "compare", "ablation", "package"}
    assert names == settings["workflows"].keys()


def test_public_assets_are_named_by_commit_or_checksum(settings: dict[str, Any]) -> None:
    for asset in settings["assets"]:
        assert asset["extra"], "nobody should download all corpora to run one"
        parts = asset.get("url", "").split("/")
        assert "url" not in asset or any(len(part) == 40 for part in parts), asset["url"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_a_valid_config(
    project_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project_folder)
    found = list(runs(Path("experiments") / f"{name}.yml", 3, "folder", {}, []))
    assert len({run.name for run in found}) == len(found) > 2
    for run in found:
        overrides = {key: srsly.json_loads(value) for key, value in run.overrides.items()}
        config = load_config(Path(run.config), overrides=overrides)
        filled = load_model_from_config(config, auto_fill=True).config.interpolate()
        assert filled["training"]["seed"] == 3


def test_a_corpus_that_nobody_named(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bare_project)
    with pytest.raises(SystemExit):
        fetch.main("own")
    assert "--vars.corpus cuad" in capsys.readouterr().out


def test_a_corpus_that_is_not_public(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bare_project)
    with pytest.raises(SystemExit):
        fetch.main("scholar-xl")
    assert "put train.jsonl.gz and dev.jsonl.gz in" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ConnectionError, ProtocolError, KeyboardInterrupt])
def test_nothing_stays_of_a_download_that_fails(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.chdir(bare_project)

    def cut_off(project: Path, url: str, path: Path, checksum: str | None) -> None:
        path.write_bytes(b"half")
        raise error(url)

    monkeypatch.setattr(fetch, "fetch_asset", cut_off)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else SystemExit):
        fetch.main("litbank")
    assert not any((bare_project / "assets/litbank").iterdir())


def test_a_download_that_was_killed_begins_anew(
    bare_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare_project)
    archive = bare_project / "assets/litbank/archive.tar.gz"
    archive.parent.mkdir(parents=True)
    archive.with_name(".part-archive.tar.gz").write_bytes(b"half")
    (bare_project / "whole").write_bytes(b"whole")
    fetch.fetch({"dest": "assets/litbank/archive.tar.gz", "url": str(bare_project / "whole")})
    assert [file.read_bytes() for file in archive.parent.iterdir()] == [b"whole"]
