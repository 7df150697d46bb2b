"""What a run is: its model, input and settings. A run that goes on with another has the same."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spacy.util import get_package_path, is_package

from ..corpora.files import create_text, files_below
from .documents import Fields

MANIFEST = "manifest.json"
MADE_BY = "made by"
LIBRARIES = ("spacy-sener", "spacy", "torch", "transformers")
CHUNK = 1 << 20


def make_manifest(model: Path, code: Path | None, settings: Fields, input_state: Fields) -> Fields:
    """Groups of what has to be the same, `{group: {name: value}}`, and `MADE_BY`, which may change.

    A model is known by what is in its files, wherever it is.
    """
    return {
        "model": {"files": digest(model), "code": digest(code) if code else None},
        "input": input_state,
        "settings": settings,
        MADE_BY: {name: version(name) for name in LIBRARIES},
    }


def check_manifest(folder: Path, manifest: Fields) -> None:
    """Compare it with that of the run which began in a folder, or write it where none did.

    A run has begun when it has finished a part. Raises ValueError if the two differ, or if the
    folder holds something else.
    """
    path = folder / MANIFEST
    if path.is_file():
        before = _read(path, manifest)
        if any(folder.glob("part-*")):
            _compare(folder, before, manifest)
            return
    elif others := [file.name for file in folder.iterdir() if not file.name.startswith(".")]:
        raise ValueError(f"{folder} holds something else ({others[0]}): name a new folder")
    with create_text(path) as file:
        file.write(json.dumps(manifest, indent=1) + "\n")


def _read(path: Path, manifest: Fields) -> dict[str, dict[str, Any]]:
    """The manifest of a folder, which must have what ours has: many programs write such a file."""
    try:
        before: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf8"))
        if all(
            values.keys() <= before[group].keys()
            for group, values in manifest.items()
            if group != MADE_BY
        ):
            return before
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    raise ValueError(
        f"{path} is damaged, of another version, or of another program: name a new folder"
    )


def _compare(folder: Path, before: dict[str, dict[str, Any]], manifest: Fields) -> None:
    changed = [
        f"{group}: {name} was {before[group][name]} and is {value}"
        for group, values in manifest.items()
        for name, value in values.items()
        if group != MADE_BY and before[group][name] != value
    ]
    if changed:
        raise ValueError(
            f"{folder} was begun with something else. Go on with that, or name a new folder.\n"
            + "\n".join(changed)
        )


def find_model(name: str) -> Path:
    """The folder of a pipeline, or of the package that holds it. Raises ValueError without one."""
    if Path(name).is_dir():
        return Path(name).resolve()
    if is_package(name):
        return Path(get_package_path(name))
    raise ValueError(f"there is no pipeline '{name}': no such folder, and no such package")


def digest(path: Path) -> str:
    """Of what is in a file, or in the files of a folder and how they are named."""
    sha = hashlib.sha256()
    files = files_below(path) if path.is_dir() else [path]
    for file in (each for each in files if each.suffix != ".pyc"):
        sha.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                sha.update(chunk)
    return sha.hexdigest()
