"""Options that several commands have, as spaCy's own commands name them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

UseGPU = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")]
Code = Annotated[
    Path | None, typer.Option("--code", "-c", help="Python file with registered functions")
]
