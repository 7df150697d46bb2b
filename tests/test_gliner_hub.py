"""Checkpoints by folder, or by their name on the Hugging Face hub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spacy_sener.checkpoints import gliner_folder

FILES = ("gliner_config.json", "tokenizer.json", "tokenizer_config.json")
# Prints what is in the folder of each name, or the error.
RESOLVE = """
import sys
from spacy_sener.checkpoints import gliner_folder
for name in sys.argv[1:]:
    try:
        print(*sorted(path.name for path in gliner_folder(name).iterdir()))
    except FileNotFoundError as error:
        print(" ".join(str(error).split()))
"""


def download(home: Path, name: str, files: tuple[str, ...]) -> None:
    """What the hub's own client keeps of a download."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for file in files:
        (snapshot / file).write_text("{}")


def test_names_are_what_was_downloaded(tmp_path: Path) -> None:
    new, old = (*FILES, "model.safetensors"), (*FILES, "pytorch_model.bin")
    download(tmp_path, "somebody/new", new)
    download(tmp_path, "somebody/old", old)
    # In a process of its own, as the client reads once where it keeps downloads.
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    env.pop("HF_HUB_CACHE", None)
    names = [f"somebody/{name}" for name in ("new", "old", "missing")]
    result = subprocess.run(
        [sys.executable, "-c", RESOLVE, *names], capture_output=True, text=True, env=env, check=True
    )
    found = result.stdout.splitlines()
    assert found[:2] == [" ".join(sorted(new)), " ".join(sorted(old))]
    assert found[2].startswith("checkpoint = 'somebody/missing': there is no such folder")


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert gliner_folder(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    "source", ["./nowhere/else", "/no/where", "a/b/c", "nowhere", "~nobody-of-this-name/x"]
)
def test_what_looks_like_a_path_is_not_asked_for(source: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"checkpoint = '{source}': there is no such"):
        gliner_folder(source)
