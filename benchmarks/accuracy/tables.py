"""The reports of a group of methods on one page, in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import srsly

from benchmarks.accuracy.plots import draw
from spacy_sener.evaluation.accuracy import BUCKETS
from spacy_sener.evaluation.compare import other_data, spread
from spacy_sener.evaluation.markdown import escape, percent, table
from spacy_sener.evaluation.report import FILE_NAME

Report = Mapping[str, Any]
Reports = Mapping[str, Sequence[Report]]
"""Those of the seeds of a method, by its name."""


def write_page(
    output: Path, group: str, corpora: Sequence[str], methods: Sequence[str]
) -> str | None:
    """Write `<group>.md` and its plots, of the reports there are. None: there are none."""
    sections = [
        section
        for corpus in corpora
        if (reports := read_reports(output / corpus, methods))
        for section in _section(output, group, corpus, reports)
    ]
    if not sections:
        return None
    page = "\n\n".join([f"# Accuracy: {escape(group)}", *sections]) + "\n"
    (output / f"{group}.md").write_text(page, encoding="utf8")
    return page


def read_reports(folder: Path, methods: Sequence[str]) -> dict[str, list[Report]]:
    """The reports in `folder/<method>/seed-*`, of those methods that have some."""
    found = {
        name: [srsly.read_json(path) for path in sorted(folder.glob(f"{name}/seed-*/{FILE_NAME}"))]
        for name in methods
    }
    return {name: reports for name, reports in found.items() if reports}


def _section(output: Path, group: str, corpus: str, reports: Reports) -> Iterator[str]:
    complete = {
        name: good
        for name, each in reports.items()
        if (good := [report for report in each if "problem" not in report])
    }
    yield f"## {escape(corpus)}"
    yield from _problems(reports)
    if not complete:
        return
    yield _data(next(_all(complete))["corpus"])
    if difference := other_data(complete):
        yield escape(difference)
    yield micro_table(complete)
    yield (
        "The threshold of P, R and F is the best of 0.05, 0.1, ... 0.95 on the documents held out "
        "of training. ± is the standard deviation over the seeds. 95 % of F: its interval under a "
        "bootstrap of the documents, mean of the seeds. Types: those of which any span is found."
    )
    yield from _pictures(output, f"{group}-{corpus}", complete)
    yield "F by length in tokens:"
    yield length_table(complete)
    yield "F by type:"
    yield type_table(complete)
    yield "Costs, on one thread; seconds are the processor's, a GB is 1e9 bytes:"
    yield cost_table(complete)


def micro_table(reports: Reports) -> str:
    """P, R and F at the chosen threshold, and F at the default one, where there are scores."""
    rows = [
        [
            escape(name),
            len(each),
            ", ".join(map(str, sorted({report["updates"] for report in each}))),
            *(spread([report["micro"][key] for report in each]) for key in "prf"),
            _interval(each),
            _types_found(each),
            spread([report["at_default"]["f"] for report in each if report["at_default"]]),
            _thresholds(each),
        ]
        for name, each in reports.items()
    ]
    header = ["Method", "Seeds", "Updates", "P", "R", "F", "95 % of F", "Types"]
    return table([*header, "F at 0.5", "Threshold"], rows)


def length_table(reports: Reports) -> str:
    """F of the buckets of `scorer.length_bucket`, and their gold spans."""
    found = [b for b in BUCKETS if any(b in each["per_length"] for each in _all(reports))]
    rows = [
        [escape(name), *(_spread_of(each, "per_length", bucket) for bucket in found)]
        for name, each in reports.items()
    ]
    gold = ["Gold spans", *(_gold(reports, "per_length", bucket) for bucket in found)]
    return table(["Method", *map(escape, found)], [*rows, gold])


def type_table(reports: Reports) -> str:
    """F of each type. Types are rows: there may be many."""
    types = sorted({name for each in _all(reports) for name in each["per_type"]})
    rows = [
        [
            escape(label),
            _gold(reports, "per_type", label),
            *(_spread_of(each, "per_type", label) for each in reports.values()),
        ]
        for label in types
    ]
    return table(["Type", "Gold spans", *map(escape, reports)], rows)


def cost_table(reports: Reports) -> str:
    """Means over the seeds."""
    rows = [[escape(name), *_costs(each)] for name, each in reports.items()]
    header = ["Method", "Training, minutes", "s/update", "Prediction, tokens/s"]
    return table([*header, "GB, training", "GB, prediction"], rows)


def _costs(reports: Sequence[Report]) -> list[str]:
    def average(name: str) -> float:
        return mean(report["cost"][name] for report in reports)

    return [
        f"{average('train_seconds') / 60:.1f}",
        f"{average('update_seconds'):.2f}",
        f"{mean(report['tokens_per_second'] for report in reports):,.0f}",
        f"{average('train_bytes') / 1e9:.2f}",
        f"{average('predict_bytes') / 1e9:.2f}",
    ]


def _data(corpus: Mapping[str, Any]) -> str:
    """What was trained and scored on, in words."""
    segments, held_out, dev = (corpus[name] for name in ("segments", "held_out", "dev"))
    lost = corpus["lost_spans"]
    return (
        f"Training: {segments['count']} segments of at most {segments['longest']:,} tokens, with "
        f"{segments['spans']:,} spans; {lost} more span{' is' if lost == 1 else 's are'} cut "
        f"through and not trained on. Threshold: {held_out['count']} other documents with "
        f"{held_out['spans']:,} spans. Scored: {dev['count']} whole documents of "
        f"{dev['tokens']:,} tokens, the longest of {dev['longest']:,}, with {dev['spans']:,} spans."
    )


def _problems(reports: Reports) -> Iterator[str]:
    """The runs that gave no figures."""
    lines = [
        f"- {escape(name)}: {escape(report['problem'])}"
        for name, each in reports.items()
        for report in each
        if "problem" in report
    ]
    if lines:
        yield "Without a result:"
        yield "\n".join(dict.fromkeys(lines))


def _pictures(output: Path, name: str, reports: Reports) -> Iterator[str]:
    for title, file in draw(reports, output, name).items():
        yield f"![{title}]({file})"


def _interval(reports: Sequence[Report]) -> str:
    ends = [each["micro"]["interval"]["f"] for each in reports if each["micro"]["interval"]]
    return " to ".join(percent(mean(end)) for end in zip(*ends, strict=True)) or "-"


def _types_found(reports: Sequence[Report]) -> str:
    """The fewest and the most of the seeds, and how many gold has."""
    types = [[each for each in report["per_type"].values() if each["gold"]] for report in reports]
    found = [sum(each["right"] > 0 for each in of_one) for of_one in types]
    ends = dict.fromkeys([min(found), max(found)])
    return f"{' to '.join(map(str, ends))} of {len(types[0])}"


def _thresholds(reports: Sequence[Report]) -> str:
    known = sorted({each["threshold"] for each in reports if each["threshold"] is not None})
    return ", ".join(f"{each:.2f}" for each in known) or "none"


def _spread_of(reports: Sequence[Report], part: str, name: str) -> str:
    return spread([each[part][name]["f"] for each in reports if name in each[part]])


def _gold(reports: Reports, part: str, name: str) -> int:
    """Of the first report that has spans there, gold or predicted."""
    return next((each[part][name]["gold"] for each in _all(reports) if name in each[part]), 0)


def _all(reports: Reports) -> Iterator[Report]:
    for each in reports.values():
        yield from each
