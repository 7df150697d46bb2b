"""Tiny pipelines of `sener`, made without any download."""

from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Optimizer
from torch import nn

from spacy_sener.optimizers import build_adamw_v1

TEXT = "Anna Keller was born in London and worked in Zurich ."
GOLD = [(0, 2, "PERSON"), (5, 6, "PLACE")]
SPAN_WINDOW = 6
MODEL: dict[str, Any] = {
    "@architectures": "spacy-sener.SeNER.v1",
    "span_window": SPAN_WINDOW,
    "reach": 0,
    "hidden_size": 16,
    "span_size": 8,
    "depth": 1,
    "token_dropout": 0.4,
    "span_dropout": 0.2,
    "masking": 0.15,
    "encoder": {
        "@architectures": "spacy-sener.ArrowEncoder.v1",
        "piece_window": 8,
        "lora": {"rank": 8, "alpha": 16},
    },
}

BY_HEART: dict[str, Any] = MODEL | {
    "token_dropout": 0.0,
    "span_dropout": 0.0,
    "masking": 0.0,
    "encoder": MODEL["encoder"] | {"lora": None, "dropout": 0.0},
}
"""The same as a whole, for what is to be learned by heart."""


def example(
    words: str = TEXT, spans: list[tuple[int, int, str]] = GOLD, key: str = "sc"
) -> Example:
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=words.split(" "))
    doc.spans[key] = [Span(doc, start, end, label) for start, end, label in spans]
    return Example(Doc(vocab, words=words.split(" ")), doc)


def blank(**config: Any) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"max_pieces": 64, "model": MODEL, **config})
    return nlp


def initialize(nlp: Language, encoder: Path | str, *examples: Example, **settings: Any) -> Language:
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(encoder), **settings}
    nlp.initialize(lambda: examples or [example()])
    return nlp


def optimizer() -> Optimizer:
    return build_adamw_v1(warmup_steps=0, total_steps=0)


def module_of(nlp: Language) -> nn.Module:
    module = nlp.get_pipe("sener").model.shims[0].module
    assert isinstance(module, nn.Module)
    return module


def shorten(file: Path, size: int) -> None:
    """Leaves its first `size` bytes."""
    file.write_bytes(file.read_bytes()[:size])
