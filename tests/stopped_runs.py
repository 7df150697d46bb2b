"""A pipeline that `spacy train` and `sener train` train alike, with faults on the way."""

import copy
import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spacy.training import Example
from spacy.training.corpus import create_docbin_reader
from spacy.util import load_model_from_config, registry
from thinc.api import Config
from typer.testing import CliRunner, Result

from spacy_sener.cli import app

CONFIG = """
[paths]
corpus = null
encoder = null
losses = null
stop = null
in_the_way = null

[vars]
at = 0
evaluations = 3

[system]
seed = 3

[nlp]
lang = "en"
pipeline = ["tagger", "sener"]

[components]

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[components.tagger.model.tok2vec.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 8
attrs = ["NORM"]
rows = [20]
include_static_vectors = false

# A torch module in thinc's own shim, whose optimizers hold arrays.
[components.tagger.model.tok2vec.encode]
@architectures = "spacy.TorchBiLSTMEncoder.v1"
width = 8
depth = 1
dropout = 0.0

[components.sener]
factory = "sener"
max_pieces = 64

[components.sener.model]
@architectures = "spacy-sener.SeNER.v1"
span_window = 6
reach = 0
hidden_size = 16
span_size = 8
depth = 1

[components.sener.model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
piece_window = 8

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.corpus}

[corpora.dev]
@readers = "tests.drawing.v1"
path = ${paths.corpus}

[training]
max_steps = 8
eval_frequency = ${vars.evaluations}
accumulate_gradient = 2
dropout = 0.2
frozen_components = []

[training.batcher]
@batchers = "spacy.batch_by_sequence.v1"
get_length = null

[training.batcher.size]
@schedules = "compounding.v1"
start = 1
stop = 3
compound = 1.3

[training.before_update]
@callbacks = "tests.disturb.v1"
step = ${vars.at}
stop = ${paths.stop}
in_the_way = ${paths.in_the_way}

[training.logger]
@loggers = "tests.losses.v1"
path = ${paths.losses}

[initialize]

[initialize.components]

[initialize.components.sener]
encoder = ${paths.encoder}
"""
ADAMW = """
[training.optimizer]
@optimizers = "spacy-sener.AdamW.v1"
warmup_steps = 2
total_steps = 9
use_averages = true
"""
ADAM = """
[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.005
use_averages = false
"""
SMALLER = """
[training.before_to_disk]
@callbacks = "tests.smaller.v1"
"""


@registry.callbacks("tests.smaller.v1")
def make_smaller() -> Callable[[Any], Any]:
    """What is saved has one component less and rounded weights; and it takes random numbers."""

    def before_to_disk(nlp: Any) -> Any:
        random.random()
        smaller = copy.deepcopy(nlp)
        smaller.remove_pipe("tagger")
        for weight in smaller.get_pipe("sener").model.shims[0].module.parameters():
            weight.data = weight.half().float()
        return smaller

    return before_to_disk


@registry.callbacks("tests.disturb.v1")
def disturb(
    step: int, stop: str | None, in_the_way: str | None
) -> Callable[[Any, dict[str, Any]], None]:
    """Before this update, if that file is not there yet: Ctrl-C, a real one; or the file alone."""

    def before_update(nlp: Any, info: dict[str, Any]) -> None:
        for path in (stop, in_the_way):
            if path is not None and info["step"] == step and not Path(path).exists():
                Path(path).touch()
                if path == stop:
                    os.kill(os.getpid(), signal.SIGINT)

    return before_update


@registry.loggers("tests.losses.v1")
def log_losses(path: str) -> Any:
    """Every evaluation's losses since the one before, and its score, exactly; and what is saved.

    It draws random numbers, as one does that loads the saved pipeline."""

    def setup(nlp: Any, stdout: Any, stderr: Any) -> Any:
        def log_step(info: dict[str, Any] | None) -> None:
            if info is not None:
                torch.rand(1)
                meta = Path(info["output_path"], "meta.json")
                with Path(path).open("a") as file:
                    line = {key: info[key] for key in ("step", "epoch", "losses", "score")}
                    line["saved"] = json.loads(meta.read_text())["performance"]
                    file.write(json.dumps(line) + "\n")

        return log_step, lambda: None

    return setup


@registry.readers("tests.drawing.v1")
def make_drawing_reader(path: Path | None) -> Callable[[Any], Iterator[Example]]:
    """A corpus that draws when it is read, and so in epochs with evaluations, and in no others."""
    corpus = create_docbin_reader(path, gold_preproc=False)

    def read(nlp: Any) -> Iterator[Example]:
        random.random()
        return corpus(nlp)

    return read


@registry.scorers("tests.odd.v1")
def make_odd_scorer() -> Callable[..., dict[str, Any]]:
    """Figures as somebody's own scorer may give them."""

    def score(examples: Any, **_: Any) -> dict[str, Any]:
        confusion = {("A", "B"): np.array([0.0, 1.0])}
        odd = {"labels": {"A"}, "best": np.float32(0.5), "at": Path("a")}
        return {"tag_acc": 0.5, "confusion": confusion, **odd}

    return score


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def save_config(folder: Path, optimizer: str) -> Path:
    folder.mkdir()
    config = Config().from_str(CONFIG + optimizer, interpolate=False)
    filled = load_model_from_config(config, auto_fill=True, validate=False).config
    filled.to_disk(folder / "config.cfg", interpolate=False)
    return folder / "config.cfg"


def paths(folder: Path, corpus: Path, encoder: Path) -> list[object]:
    return [
        *("--paths.corpus", corpus),
        *("--paths.encoder", encoder),
        *("--paths.losses", folder / "losses.jsonl"),
    ]


def weights(folder: Path) -> dict[str, bytes]:
    return {
        name: (folder / "out" / name).read_bytes()
        for which in ("model-best", "model-last")
        for name in (f"{which}/sener/model", f"{which}/tagger/model")
    }


def unboxed(output: str) -> str:
    """The text of an error that stands in a box."""
    return " ".join(output.replace("│", " ").split())
