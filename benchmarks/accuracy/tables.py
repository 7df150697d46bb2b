"""The reports of a group of methods on one page, in Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import srsly

from benchmarks.accuracy.corpora import CorpusSettings, corpus_settings
from benchmarks.accuracy.plans import Entry, is_current, read_group
from benchmarks.accuracy.plots import draw
from spacy_sener.evaluation.compare import other_data, spread
from spacy_sener.evaluation.markdown import escape, percent, table
from spacy_sener.evaluation.report import FILE_NAME
from spacy_sener.scorer import BUCKETS

Report = Mapping[str, Any]
Reports = Mapping[str, Sequence[Report]]
"""Those of the seeds of a method, by its name."""
Costs = Mapping[str, Any]
"""As `benchmarks.accuracy.costs.measured` gives them."""


def write_page(output: Path, group: str) -> str | None:
    """Write `<group>.md` and its plots, of the corpora for which two methods have reports.

    Returns what is written, or None where there is no such corpus.
    """
    entries = read_group(group)
    sections: list[str] = []
    for corpus, settings in corpus_settings().items():
        reports, outdated = read_reports(output / corpus, entries, settings)
        if len(reports) > 1:
            costs = read_costs(output, corpus, group)
            sections += _section(output, group, corpus, reports, costs)
            sections += _left_out(outdated)
    if not sections:
        return None
    page = "\n\n".join([f"# Accuracy: {escape(group)}", *sections]) + "\n"
    (output / f"{group}.md").write_text(page, encoding="utf8")
    return page


def read_reports(
    folder: Path, entries: Mapping[str, Entry], corpus: CorpusSettings
) -> tuple[dict[str, list[Report]], list[str]]:
    """The reports in `folder/<method>/seed-*`, of those methods that have some.

    And the names of those that are of other settings than a run would have today.
    """
    found: dict[str, list[Report]] = {}
    outdated = []
    for name, entry in entries.items():
        for path in sorted(folder.glob(f"{name}/seed-*/{FILE_NAME}")):
            if _is_current(path.with_name("settings.json"), entry, corpus):
                found.setdefault(name, []).append(srsly.read_json(path))
            else:
                outdated.append(f"{name}/{path.parent.name}")
    return found, outdated


def _is_current(settings: Path, entry: Entry, corpus: CorpusSettings) -> bool:
    # A run that was killed has no settings, as it is to be done again.
    return not settings.exists() or is_current(srsly.read_json(settings), entry, corpus)


def _left_out(outdated: Sequence[str]) -> Iterator[str]:
    if outdated:
        names = ", ".join(map(escape, outdated))
        yield f"Left out, as their settings have changed since they were run: {names}."


def write_costs(costs: Costs, output: Path, corpus: str, group: str) -> None:
    """Leave what `benchmarks.accuracy.costs` measured for `write_page`."""
    path = _costs_file(output, corpus, group)
    path.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(path, costs)


def read_costs(output: Path, corpus: str, group: str) -> Costs | None:
    """What was written last; None where nothing was measured."""
    path = _costs_file(output, corpus, group)
    return srsly.read_json(path) if path.exists() else None


def _costs_file(output: Path, corpus: str, group: str) -> Path:
    return output / corpus / f"costs-{group}.json"


def _section(
    output: Path, group: str, corpus: str, reports: Reports, costs: Costs | None
) -> Iterator[str]:
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
        "bootstrap of the documents, mean of the seeds. Types: those of which any span is found. "
        "F held out: on those documents, at the threshold that is chosen by it."
    )
    yield from _pictures(output, f"{group}-{corpus}", complete, costs)
    yield "F by length in tokens:"
    yield length_table(complete)
    yield "F by type:"
    yield type_table(complete)
    if costs:
        yield (
            "Costs, measured one method after another on one thread of one machine "
            f"({costs['machine']['CPU']}); seconds are the processor's, a GB is 1e9 bytes, of the "
            "peak in training and prediction:"
        )
        yield cost_table(costs)


def micro_table(reports: Reports) -> str:
    """P, R and F at the chosen threshold, and F at others, where there are scores."""
    rows = [
        [
            escape(name),
            len(each),
            _values(report["updates"] for report in each),
            _values(report["corpus"]["segments"]["count"] for report in each),
            *(spread([report["micro"][key] for report in each]) for key in "prf"),
            _interval(each),
            _types_found(each),
            spread([report["at_default"]["f"] for report in each if report["at_default"]]),
            # Runs from before it was kept have none.
            spread([report["held_out"]["f"] for report in each if "held_out" in report]),
            _thresholds(each),
        ]
        for name, each in reports.items()
    ]
    header = ["Method", "Seeds", "Updates", "Segments", "P", "R", "F", "95 % of F", "Types"]
    return table([*header, "F at 0.5", "F held out", "Threshold"], rows)


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


def cost_table(costs: Costs) -> str:
    """Of the methods that came to an end; then why others did not."""
    methods = costs["methods"].items()
    rows = [
        [
            escape(name),
            f"{cost['update_seconds']:.2f}",
            f"{cost['tokens_per_second']:,.0f}",
            f"{cost['bytes'] / 1e9:.2f}",
        ]
        for name, cost in methods
        if "problem" not in cost
    ]
    failed = [
        f"\n- {escape(name)}: {escape(cost['problem'])}"
        for name, cost in methods
        if "problem" in cost
    ]
    header = ["Method", "s/update", "Prediction, tokens/s", "GB"]
    return "\n".join([table(header, rows), *failed])


def _data(corpus: Mapping[str, Any]) -> str:
    """What was trained and scored on, in words."""
    segments, held_out, dev = (corpus[name] for name in ("segments", "held_out", "dev"))
    lost, changed = corpus["lost_spans"], corpus["problems"].items()
    problems = "; ".join(f"{count} {kind}" for kind, count in changed)
    problems = f" Annotations that were changed or left out: {problems}." if problems else ""
    return (
        f"Training: {segments['count']} segments of at most {segments['longest']:,} tokens, with "
        f"{segments['spans']:,} spans; {lost} more span{' is' if lost == 1 else 's are'} cut "
        f"through and not trained on. Threshold: {held_out['count']} other documents with "
        f"{held_out['spans']:,} spans. Scored: {dev['count']} whole documents of "
        f"{dev['tokens']:,} tokens, the longest of {dev['longest']:,}, with {dev['spans']:,} spans."
        f"{problems}"
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


def _pictures(output: Path, name: str, reports: Reports, costs: Costs | None) -> Iterator[str]:
    for title, file in draw(reports, costs, output, name).items():
        yield f"![{title}]({file})"


def _values(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(numbers))))


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
