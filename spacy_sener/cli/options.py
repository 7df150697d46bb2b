"""Options that several commands have, as spaCy's own commands name them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.cli._util import setup_gpu as setup_spacys_gpu
from spacy.language import Language

from ..gpus import gpu_error

UseGPU = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")]
Lang = Annotated[str, typer.Option(help="The language whose tokenizer is used")]
Code = Annotated[
    Path | None, typer.Option("--code", "-c", help="Python file with registered functions")
]


def setup_gpu(gpu_id: int, *, silent: bool = False) -> None:
    """As spaCy's; what cannot be used is a wrong option, with what to do."""
    try:
        setup_spacys_gpu(gpu_id, silent=silent)
    except (ValueError, RuntimeError) as error:
        raise typer.BadParameter(str(gpu_error(gpu_id, error))) from error


def split_labels(labels: str) -> list[str]:
    """Of "a, b,c" the three."""
    return [label.strip() for label in labels.split(",")]


def blank(lang: str) -> Language:
    """A blank pipeline of the language that --lang names, for texts of any length.

    spaCy's limit is for components that need much memory; here is only a tokenizer.

    Raises ValueError if there is none.
    """
    try:
        nlp = spacy.blank(lang)
    except ImportError as error:
        raise ValueError(
            f"--lang should be a code such as en or xx, not {lang!r}: {error}"
        ) from error
    nlp.max_length = sys.maxsize
    return nlp
