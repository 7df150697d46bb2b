"""Pictures of a group of methods on one corpus."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from spacy_sener.evaluation.compare import f_by_length
from spacy_sener.evaluation.plots import COLORS, MARKERS, draw_comparison, has_matplotlib

Reports = Mapping[str, Sequence[Mapping[str, Any]]]
"""Those of the seeds of a method, by its name."""


def draw(
    reports: Reports, costs: Mapping[str, Any] | None, folder: Path, name: str
) -> dict[str, str]:
    """Draw into `folder/<name>-*.png`. Returns files by title; none without matplotlib."""
    if not has_matplotlib():
        return {}
    lengths, cost = f"{name}-lengths.png", f"{name}-cost.png"
    draw_comparison(f_by_length(reports), folder / lengths)
    drawn = {"F by length in tokens, mean and range of the seeds": lengths}
    if costs:
        _draw_cost(reports, costs["methods"], folder / cost)
        drawn["F against the time of prediction"] = cost
    return drawn


def _draw_cost(reports: Reports, costs: Mapping[str, Any], path: Path) -> None:
    """F of each method, mean over the seeds, at its seconds for 1,000 tokens."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for i, (name, each) in enumerate(reports.items()):
        speed = costs.get(name, {}).get("tokens_per_second")
        if speed is None:
            continue
        axes.plot(
            1000 / speed,
            mean(report["micro"]["f"] for report in each),
            color=COLORS[i % len(COLORS)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=8,
            linestyle="",
            label=name.replace("$", r"\$"),
        )
    axes.set_xscale("log")
    axes.set_xlabel("seconds of one processor core for 1,000 tokens")
    axes.set_ylabel("F")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.01))
    figure.savefig(path, dpi=130)
