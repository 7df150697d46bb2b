"""Pictures of the results, in `results/<name>.png`."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Measurement
from benchmarks.report import RESULTS

try:
    from matplotlib import pyplot as plt
except ImportError:  # a machine that measures need not draw
    plt = None

Points = Mapping[int, float]
"""A value by length in tokens."""


def by_length(
    name: str,
    measurements: Sequence[Measurement],
    *,
    seconds: Mapping[str, Points] | None = None,
    memory: Mapping[str, Points] | None = None,
) -> None:
    """Seconds and GB over the loaded model against length, both scales logarithmic.

    seconds, memory: further lines, dotted: figures that were not measured in this run, two at most.
    """
    if plt is None:
        print("matplotlib is not installed: no picture is drawn")
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    series: dict[str, list[Measurement]] = {}
    for result in measurements:
        if result.seconds:
            series.setdefault(result.subject.name, []).append(result)
    for label, results in series.items():
        lengths = [result.subject.length for result in results]
        style = {"marker": "o", "label": label, "ls": "-" if label.startswith("ours") else "--"}
        left.plot(lengths, [result.median for result in results], **style)
        right.plot(lengths, [result.over_base / 1e9 for result in results], **style)
    for axes, extra, title in ((left, seconds, "seconds a pass"), (right, memory, "GB over model")):
        for (label, points), style in zip((extra or {}).items(), (":", "-."), strict=False):
            axes.plot(list(points), list(points.values()), f"k{style}", marker=".", label=label)
        _scale(axes, title)
    _write(figure, name)


def bars(name: str, parts: Mapping[str, Mapping[str, float]], title: str) -> None:
    """A horizontal bar for each key, made of its parts."""
    if plt is None:
        print("matplotlib is not installed: no picture is drawn")
        return
    if not parts:
        return
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.6 * len(parts)), layout="constrained")
    starts = dict.fromkeys(parts, 0.0)
    for part in dict.fromkeys(part for values in parts.values() for part in values):
        widths = [values.get(part, 0.0) for values in parts.values()]
        axes.barh(list(parts), widths, left=list(starts.values()), label=part)
        starts = {
            key: start + width for (key, start), width in zip(starts.items(), widths, strict=True)
        }
    axes.invert_yaxis()
    axes.set_xlabel(title)
    axes.legend(loc="best")
    _write(figure, name)


def _scale(axes: Any, title: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("tokens")
    axes.set_ylabel(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _write(figure: Any, name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / f"{name}.png", dpi=110)
    plt.close(figure)
