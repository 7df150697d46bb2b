"""`python -m spacy sener compare`: several reports side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..corpora.files import check_file
from ..evaluation.compare import other_data, read_reports, write_comparison
from ..evaluation.plots import MISSING
from .app import app
from .messages import failing, msg


@app.command("compare")
def compare_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="REPORT...", exists=True, help="report.json files, or folders"),
    ],
    output_path: Annotated[
        Path, typer.Option("--output", "-o", help="A .md file; a plot is written beside it")
    ],
) -> None:
    """Put reports side by side: a row for each name, mean and spread where several share one."""
    with failing():
        has_plot = compare(paths, output_path)
    if not has_plot:
        msg.warn(MISSING)
    msg.good(f"Wrote the comparison to {output_path}")


def compare(paths: list[Path], output_path: Path) -> bool:
    """Write a table of the reports, and a plot beside it. False: matplotlib is missing.

    Raises ValueError for a folder without reports, for a file that is none, and for another suffix
    of the table than .md: it would replace a report, or its own plot.
    """
    if output_path.suffix.lower() != ".md":
        raise ValueError(f"--output should be a .md file, but is {output_path}")
    check_file(output_path)
    runs = read_reports(paths)
    if difference := other_data(runs):
        msg.warn(difference)
    return write_comparison(runs, output_path)
