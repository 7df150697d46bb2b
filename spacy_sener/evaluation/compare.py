"""Several reports side by side: one row for each method, over its runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..corpora.files import create_text
from ..scorer import BUCKETS
from .markdown import escape, percent, table
from .plots import draw_comparison
from .report import FILE_NAME, VERSION

Runs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Reports by the name of their method."""


def read_reports(paths: Iterable[Path]) -> dict[str, list[dict[str, Any]]]:
    """The reports by name, in the order given; of a folder all that lie in it at any depth.

    A file that several paths lead to is one report. Raises ValueError for a folder without reports
    and for a file that is none, or not a whole one.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        files = sorted(path.rglob(FILE_NAME)) if path.is_dir() else [path]
        if not files:
            raise ValueError(f"{path} holds no {FILE_NAME}. `spacy sener report` writes it.")
        for file in files:
            found.setdefault(file.resolve(), file)
    runs: dict[str, list[dict[str, Any]]] = {}
    for file in found.values():
        report = _read(file)
        runs.setdefault(report["name"], []).append(report)
    return runs


def write_comparison(runs: Runs, output_path: Path) -> bool:
    """Write the table, and beside it the plot of F by length. False: matplotlib is missing."""
    plot_path = output_path.with_suffix(".png")
    has_plot = draw_comparison(f_by_length(runs), plot_path)
    parts = [to_markdown(runs)]
    if has_plot:
        parts.append(f"![F by length, mean and range of the runs](<{plot_path.name}>)")
    with create_text(output_path) as file:
        file.write("\n\n".join(parts) + "\n")
    return has_plot


def f_by_length(runs: Runs) -> dict[str, dict[str, list[float]]]:
    """F of each report, by name and length; a length without spans is left out."""
    return {
        name: {b: values for b in BUCKETS if (values := _lengths(reports, b))}
        for name, reports in runs.items()
    }


def to_markdown(runs: Runs) -> str:
    """Tables of the micro figures and of F by length."""
    micro = [
        [
            escape(name),
            len(reports),
            *(spread([report["micro"][key] for report in reports]) for key in "prf"),
            _speed(reports),
        ]
        for name, reports in runs.items()
    ]
    buckets = [b for b in BUCKETS if any(_lengths(reports, b) for reports in runs.values())]
    lengths = [
        [escape(name), *(spread(_lengths(reports, bucket)) for bucket in buckets)]
        for name, reports in runs.items()
    ]
    parts = [
        table(["Method", "Runs", "P", "R", "F", "Tokens/s"], micro),
        "F by length in tokens:",
        table(["Method", *map(escape, buckets)], lengths),
    ]
    if any(len(reports) > 1 for reports in runs.values()):
        parts.append("± is the standard deviation over the runs of a method.")
    if difference := other_data(runs):
        parts.append(escape(difference))
    return "\n\n".join(parts)


def other_data(runs: Runs) -> str | None:
    """What to say if the reports are not of the same documents and gold spans, else None."""
    sizes = {
        name: {(report["documents"]["count"], report["micro"]["gold"]) for report in reports}
        for name, reports in runs.items()
    }
    if len(set().union(*sizes.values())) < 2:
        return None
    each = "; ".join(
        f"{name}: {documents} documents with {gold} gold spans"
        for name, of_name in sizes.items()
        for documents, gold in sorted(of_name)
    )
    return f"These reports are of different data, so their figures do not compare ({each})."


def spread(values: Sequence[float | None]) -> str:
    """Mean in percent, and the standard deviation where there are several values."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    deviation = f" ± {percent(stdev(known))}" if len(known) > 1 else ""
    return percent(mean(known)) + deviation


def _lengths(reports: Sequence[Mapping[str, Any]], bucket: str) -> list[float]:
    return [each["per_length"][bucket]["f"] for each in reports if bucket in each["per_length"]]


def _speed(reports: Sequence[Mapping[str, Any]]) -> str:
    speeds = [each["tokens_per_second"] for each in reports if each["tokens_per_second"]]
    return f"{mean(speeds):,.0f}" if speeds else "-"


def _read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a report: {error}") from error
    version = report.get("version") if isinstance(report, dict) else None
    if version != VERSION:
        raise ValueError(
            f"{path} is not a report of version {VERSION}: its version is {version}. Write it anew "
            "with `spacy sener report`."
        )
    try:
        to_markdown({report["name"]: [report]})
    except (KeyError, TypeError) as error:  # known here, where it is known of which file
        raise ValueError(
            f"{path} is not a whole report, by {type(error).__name__}: {error}. Write it anew with "
            "`spacy sener report`."
        ) from error
    return report
