"""Options that several commands have, as spaCy's own commands name them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.language import Language

UseGPU = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")]
Code = Annotated[
    Path | None, typer.Option("--code", "-c", help="Python file with registered functions")
]


def blank(lang: str) -> Language:
    """A blank pipeline of the language that --lang names. Raises ValueError if there is none."""
    try:
        return spacy.blank(lang)
    except ImportError as error:
        raise ValueError(
            f"--lang should be a code such as en or xx, not {lang!r}: {error}"
        ) from error
