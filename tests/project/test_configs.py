"""The project's configs: checked as `spacy debug config` does, and one of them trained."""

from pathlib import Path

import pytest
import spacy
import srsly
from generate import generate
from spacy.util import load_config
from spacy_command import run

from spacy_sener.cli.convert import convert

NAMES = ("cpu", "light", "spancat", "gpu_large", "gpu_modernbert")
STEPS = 40


@pytest.mark.parametrize("name", NAMES)
def test_debug_config(project_folder: Path, name: str) -> None:
    assert "Config is valid" in run("debug", "config", project_folder / "configs" / f"{name}.cfg")


@pytest.mark.parametrize("name", NAMES)
def test_learning_rates_reach_zero_at_the_end(project_folder: Path, name: str) -> None:
    training = load_config(project_folder / "configs" / f"{name}.cfg")["training"]
    assert training["max_steps"] == training["optimizer"]["total_steps"]
    assert training["max_steps"] % training["eval_frequency"] == 0


def test_light_learns_a_small_corpus(project_folder: Path, tmp_path: Path) -> None:
    source, data = tmp_path / "train.jsonl", tmp_path / "train.spacy"
    srsly.write_jsonl(source, generate("train", 4, seed=0))
    convert(source, data)
    values = {
        "paths.train": data,
        "paths.dev": data,
        "training.max_steps": STEPS,
        "training.eval_frequency": STEPS,
        "training.optimizer.total_steps": STEPS,
        "training.optimizer.warmup_steps": STEPS // 10,
        "components.sener.model.span_window": 32,  # blocks are learned more slowly
    }
    options = [part for name, value in values.items() for part in (f"--{name}", value)]
    run("train", project_folder / "configs" / "light.cfg", "--output", tmp_path, *options)
    scores = spacy.load(tmp_path / "model-best").meta["performance"]
    assert scores["spans_sc_f"] > 0.5
