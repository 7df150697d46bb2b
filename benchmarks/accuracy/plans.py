"""Runs as the files of `experiments` ask for them."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import srsly
from spacy.util import load_config

from benchmarks.accuracy.corpora import CorpusSettings, dev_file, train_file
from benchmarks.accuracy.methods import FOLDER
from benchmarks.accuracy.run import Settings

GROUPS = FOLDER / "experiments"
SPACY_METHOD = "benchmarks.accuracy.methods:SpacyMethod"
Entry = Mapping[str, Any]
"""Of a method in such a file: "program" or "config", and the arguments."""


def group_names() -> list[str]:
    """Of all files."""
    return sorted(path.stem for path in GROUPS.glob("*.yml"))


def read_group(name: str) -> dict[str, Entry]:
    """The methods of a file, by name."""
    entries: dict[str, Entry] = srsly.read_yaml(GROUPS / f"{name}.yml")
    return entries


def plan(
    folder: Path, corpus: CorpusSettings, method: str, entry: Entry, *, seed: int, updates: int
) -> Settings:
    """A run, from its entry. folder: of the corpus."""
    files = [train_file(folder), dev_file(folder)]
    return Settings(
        corpus=folder.name,
        method=method,
        **_program(entry),
        corpus_settings=asdict(corpus),
        updates=updates,
        seed=seed,
        checksums={path.name: _checksum(path.read_bytes()) for path in files} | _config(entry),
    )


def is_current(settings: Mapping[str, Any], entry: Entry, corpus: CorpusSettings) -> bool:
    """Whether a run was of this entry and corpus as they are now, with whatever seed and budget.

    settings: a `Settings` as it was written.
    """
    taken = {name: settings["corpus_settings"][name] for name in ("train", "dev", "longest")}
    expected = {**_program(entry), "corpus_settings": asdict(replace(corpus, **taken))}
    return expected.items() <= settings.items() and (
        _config(entry).items() <= settings["checksums"].items()
    )


def _program(entry: Entry) -> dict[str, Any]:
    arguments = {key: value for key, value in entry.items() if key != "program"}
    return {"program": entry.get("program", SPACY_METHOD), "arguments": arguments}


def _config(entry: Entry) -> dict[str, str]:
    """The checksum of what it says, whatever the comments in it."""
    if "config" not in entry:
        return {}
    path = FOLDER / entry["config"]
    return {path.name: _checksum(load_config(path).to_bytes())}


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
