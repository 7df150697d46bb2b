"""Pictures of reports. They need matplotlib, which is an extra of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from ..corpora.files import written_whole
from ..printable import printable
from ..scorer import BUCKETS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "No plots: matplotlib is not installed. To have them: pip install 'spacy-sener[plots]'"
# Okabe and Ito's colours, which colour-blind readers tell apart; markers and dashes differ as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX"
GREY = "#666666"


def draw_report(report: Mapping[str, Any], folder: Path) -> list[str] | None:
    """Draw what the report has figures for. Returns file names, or None without matplotlib."""
    if not has_matplotlib():
        return None
    drawn = []
    for name, draw, part in (
        ("f_by_length.png", _lengths, report["per_length"]),
        ("reliability.png", _reliability, report["calibration"]),
        ("thresholds.png", _thresholds, report["curve"]),
    ):
        if part:
            _save(draw(report), folder / name)
            drawn.append(name)
    return drawn


def draw_comparison(lengths: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> bool:
    """F by length, one line for each method, with the range of its runs.

    lengths: F of each run, by method and length bucket. False: matplotlib is missing.
    """
    if not has_matplotlib():
        return False
    buckets = [name for name in BUCKETS if any(name in values for values in lengths.values())]
    figure, axes = _figure()
    for i, (method, values) in enumerate(lengths.items()):
        places = [x for x, bucket in enumerate(buckets) if bucket in values]
        runs = [values[buckets[x]] for x in places]
        means = [mean(run) for run in runs]
        below = [middle - min(run) for middle, run in zip(means, runs, strict=True)]
        above = [max(run) - middle for middle, run in zip(means, runs, strict=True)]
        # Side by side: where methods are equal both can be seen.
        shift = 0.08 * (i - (len(lengths) - 1) / 2)
        style = {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}
        axes.errorbar(
            [x + shift for x in places],
            means,
            yerr=[below, above],
            capsize=3,
            label=printable(method).replace("$", r"\$"),
            linestyle=STYLES[i % len(STYLES)],
            **style,
        )
    axes.set_xticks(range(len(buckets)), buckets)
    _label(axes, "length in tokens", "F")
    axes.set_ylim(0, 1.02)
    _legend(axes, columns=3)
    _save(figure, path)
    return True


def has_matplotlib() -> bool:
    """Whether plots can be drawn."""
    try:
        import matplotlib  # noqa: F401 (only whether it is there)
    except ImportError:
        return False
    return True


def _lengths(report: Mapping[str, Any]) -> Figure:
    groups = report["per_length"]
    figure, axes = _figure()
    bars = axes.bar(list(groups), [row["f"] for row in groups.values()], color=COLORS[0], width=0.7)
    axes.bar_label(bars, [f"{row['f']:.2f}" for row in groups.values()], padding=2)
    ticks = [f"{name}\n{row['gold']:,} gold" for name, row in groups.items()]
    axes.set_xticks(range(len(groups)), ticks)
    _label(axes, "length in tokens", "F")
    axes.set_ylim(0, 1.08)
    axes.grid(visible=False, axis="x")
    return figure


def _reliability(report: Mapping[str, Any]) -> Figure:
    calibration = report["calibration"]
    lowest = calibration["lowest_score"]
    bins = [row for row in calibration["bins"] if row["count"]]
    figure, (above, below) = _figure(rows=2, heights=(3, 1), height=6.0)
    above.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="score = share right")
    above.plot(
        [row["mean_score"] for row in bins],
        [row["share_right"] for row in bins],
        color=COLORS[0],
        marker="o",
        label="spans with such a score",
    )
    _label(above, "", "share of right spans")
    above.set_ylim(-0.02, 1.02)
    below.bar(
        [row["from"] for row in bins],
        [row["count"] for row in bins],
        width=[row["to"] - row["from"] for row in bins],
        align="edge",
        color=COLORS[0],
        edgecolor="white",
    )
    _label(below, "score", "spans")
    for axes in (above, below):
        axes.axvspan(0, lowest, color="#DDDDDD", linewidth=0, label=f"below {lowest:.2g}: not seen")
        axes.set_xlim(0, 1)
        _mark_threshold(axes, report["threshold"])
    _legend(above, columns=2)
    return figure


def _thresholds(report: Mapping[str, Any]) -> Figure:
    points = [point for point in report["curve"] if point["f"] is not None]
    figure, axes = _figure()
    for i, (key, name) in enumerate({"p": "precision", "r": "recall", "f": "F"}.items()):
        axes.plot(
            [point["threshold"] for point in points],
            [point[key] for point in points],
            color=COLORS[i],
            linestyle=STYLES[i],
            marker=MARKERS[i],
            markersize=4,
            label=name,
        )
    _mark_threshold(axes, report["threshold"])
    _label(axes, "threshold", "")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    _legend(axes, columns=4)
    return figure


def _mark_threshold(axes: Axes, threshold: float | None) -> None:
    if threshold is not None:
        label = f"threshold {threshold:g} of the report"
        axes.axvline(threshold, color=GREY, linewidth=1, label=label)


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes: Axes, columns: int) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(frameon=False, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1.01))


def _figure(
    rows: int = 1, heights: Sequence[int] = (1,), height: float = 4.5
) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.subplots(rows, sharex=True, gridspec_kw={"height_ratios": heights})
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    with written_whole(path) as part:
        figure.savefig(part, dpi=130)
