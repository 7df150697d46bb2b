"""Options that several commands have."""

from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from thinc.compat import has_cupy
from typer.testing import CliRunner

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do

NO_GPU = 99


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "model", "texts.jsonl", "out"],
        ["render", "model", "texts.jsonl", "out.html"],
        ["set-threshold", "model", "texts.jsonl"],
        ["self-train", "model", "texts.jsonl", "out"],
        ["train", "model/config.cfg", "--output", "out"],
        ["resume", "out"],
    ],
)
def test_a_gpu_that_cannot_be_used(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spacy.blank("en").to_disk("model")
    Path("texts.jsonl").touch()
    Path("out").mkdir()
    result = CliRunner().invoke(app, ["sener", *arguments, "--gpu-id", str(NO_GPU)])
    assert result.exit_code == 2
    assert f"--gpu-id {NO_GPU}: " in result.output
    assert ("cupy-cuda12x" in result.output) != has_cupy
