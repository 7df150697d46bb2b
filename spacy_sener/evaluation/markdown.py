"""A report as Markdown. Whatever comes from the data is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .confidence import best_point
from .labels import no_common_label

ERROR_NAMES = {
    "type": "Wrong type",
    "start": "Start off",
    "end": "End off",
    "both": "Both ends off",
    "missed": "Missed",
    "spurious": "Spurious",
}
VERDICT_NAMES = {"found": "Found", **ERROR_NAMES}


def to_markdown(report: Mapping[str, Any], plots: Sequence[str]) -> str:
    """The whole report as one page.

    plots: names of the picture files beside it.
    """
    parts = [
        f"# Evaluation of {escape(report['name'])}",
        *_summary(report),
        "## Per type",
        figures_table("Type", report["per_type"]),
        "## Per length",
        "Lengths in tokens; a gold span counts at its own length, a predicted one at its own.",
        figures_table("Tokens", report["per_length"]),
        *_picture("f_by_length.png", "F by length", plots),
        *_nesting(report["nesting"]),
        *_errors(report["errors"]),
        *_examples(report["examples"]),
        *_confidence(report, plots),
        *_reach(report["reach"]),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: object) -> str:
    """Text from the data, on one line, that Markdown shows as it is: no markup, no HTML."""
    return re.sub(r"([\\`*_\[\]<>&|~$#!:])", r"\\\1", " ".join(str(text).split()))


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, n_text: int = 1) -> str:
    """A table of cells that are Markdown already. n_text: columns of words, the rest is numbers."""
    rule = ["---" if i < n_text else "---:" for i in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(value: float | None) -> str:
    """With two decimals, as `spacy evaluate` prints it."""
    return "-" if value is None else f"{100 * value:.2f}"


def figures_table(name: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    """P, R and F of each group, and its numbers of spans."""
    rows = [
        [escape(group), *(percent(row[key]) for key in "prf"), row["gold"], row["predicted"]]
        for group, row in groups.items()
    ]
    return table([name, "P", "R", "F", "Gold", "Predicted"], rows)


def _summary(report: Mapping[str, Any]) -> Iterator[str]:
    documents, micro = report["documents"], report["micro"]
    yield (
        f"Model `{_code(report['model'])}`, data `{_code(report['data'])}`, "
        f"spans of `doc.spans` under `{_code(report['spans_key'])}`."
    )
    interval = micro["interval"] or {}
    between = {key: f"{percent(low)} to {percent(high)}" for key, (low, high) in interval.items()}
    names = {"p": "Precision", "r": "Recall", "f": "F"}
    rows = [[names[key], percent(micro[key]), between.get(key, "-")] for key in names]
    yield table(["", "%", "95% interval"], rows)
    yield (
        f"{micro['gold']:,} gold spans, {micro['predicted']:,} predicted, {micro['right']:,} right "
        f"(start, end and type) in {documents['count']:,} documents of {documents['tokens']:,} "
        f"tokens{_speed(report['tokens_per_second'])}. The intervals are percentiles of a "
        "bootstrap over the documents."
    )
    if hint := no_common_label(report["per_type"], report.get("labels", ())):
        yield escape(hint)
    if documents["without_annotation"]:
        yield f"{documents['without_annotation']:,} documents have no annotation and do not count."
    if report["unaligned"]:
        yield (
            f"{report['unaligned']:,} predicted spans end inside gold tokens and do not count, as "
            "in `spacy evaluate`."
        )


def _speed(tokens_per_second: float | None) -> str:
    return "" if tokens_per_second is None else f", {tokens_per_second:,.0f} tokens per second"


def _nesting(nesting: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if "nested" not in nesting:
        return
    yield "## Nested spans"
    yield "A gold span is nested if it lies inside a longer one."
    rows = [[name.capitalize(), percent(row["r"]), row["gold"]] for name, row in nesting.items()]
    yield table(["Gold spans", "R", "Gold"], rows)


def _errors(errors: Mapping[str, Any]) -> Iterator[str]:
    yield "## Errors"
    yield (
        "Each gold span is found, paired with a predicted one that is wrong in type or at its "
        "ends, or missed; a predicted span that is left over is spurious."
    )
    rows = [["**All**", *errors["total"].values()]]
    rows += [[escape(label), *row.values()] for label, row in errors["per_type"].items()]
    yield table(["Type", *VERDICT_NAMES.values()], rows)
    rows = [[escape(length), *row.values()] for length, row in errors["per_length"].items()]
    yield table(["Tokens", *VERDICT_NAMES.values()], rows)
    for end, row in errors["ends"].items():
        if row["count"]:
            yield (
                f"The {end} is off in {row['count']} spans, by {row['mean_tokens']:.1f} tokens on "
                f"average; in {row['outside']} of them the predicted span reaches too far out."
            )
    if errors["confusion"]:
        rows = [
            [escape(row["gold"]), escape(row["predicted"]), row["count"]]
            for row in errors["confusion"]
        ]
        yield table(["Gold type", "Predicted type", "Spans"], rows, n_text=2)


def _examples(examples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    if not examples:
        return
    yield "## Examples of errors"
    yield (
        "The worst first: by score where the type is wrong or the span spurious, by tokens where "
        "ends are off, by length where the span was missed. A missed span has a score if it is "
        "only below the threshold. In brackets: tokens."
    )
    for error, rows in examples.items():
        yield f"### {ERROR_NAMES[error]}"
        header, cells = ["Document", "Line", "Gold", "Predicted", "Score"], []
        for row in rows:
            name = f"no. {row['document']}" if row["doc_id"] is None else escape(row["doc_id"])
            score = "-" if row["score"] is None else f"{row['score']:.2f}"
            spans = _span(row["gold"]), _span(row["predicted"])
            cells.append([name, row["line"], *spans, score])
        yield table(header, cells, n_text=4)


def _span(span: Mapping[str, Any] | None) -> str:
    if span is None:
        return "-"
    return f"**{escape(span['label'])}** ({span['tokens']}): {escape(span['text'])}"


def _confidence(report: Mapping[str, Any], plots: Sequence[str]) -> Iterator[str]:
    yield "## Scores"
    calibration, curve = report["calibration"], report["curve"]
    if calibration is not None:
        yield _calibration(calibration, report["threshold"])
        yield from _picture("reliability.png", "Share of right spans by score", plots)
        yield _bins(calibration["bins"])
    elif curve is not None:
        yield "The scores are no probabilities: they do not lie between 0 and 1."
    if curve is not None:
        yield from _curve(curve, plots)
    elif calibration is not None:
        yield (
            "What another threshold would give is not known: the component does not say that it "
            "keeps spans by these scores."
        )
    elif not report["micro"]["predicted"]:
        yield "No span was predicted."
    else:
        yield "The predictions carry no scores, or not all do, or they are no probabilities."


def _curve(curve: Sequence[Mapping[str, Any]], plots: Sequence[str]) -> Iterator[str]:
    best = best_point(curve)
    if best["f"]:
        yield f"On this data F is highest at a threshold of {best['threshold']:.2f}."
    yield from _picture("thresholds.png", "Precision, recall and F by threshold", plots)
    rows = [
        [f"{point['threshold']:.2f}", *(percent(point[key]) for key in "prf"), point["predicted"]]
        for point in curve
    ]
    yield table(["Threshold", "P", "R", "F", "Predicted"], rows, n_text=0)


def _calibration(calibration: Mapping[str, Any], threshold: float | None) -> str:
    kept, seen = calibration["ece_predicted"], calibration["ece"]
    below = "" if threshold is None else ", below the threshold of the report too"
    of_predicted = "" if kept is None else f"{kept:.3f} over the predicted spans, "
    return (
        f"The expected calibration error is {of_predicted}{seen:.3f} over all "
        f"{calibration['count']:,} that the diagram shows: those of a score of "
        f"{calibration['lowest_score']:.2f} or more{below}. A span is right if start, end and type "
        "are."
    )


def _bins(bins: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{row['from']:.1f} to {row['to']:.1f}",
            f"{row['mean_score']:.3f}",
            f"{row['share_right']:.3f}",
            row["count"],
        ]
        for row in bins
        if row["count"]
    ]
    return table(["Score", "Mean score", "Share right", "Spans"], rows)


def _reach(reach: Mapping[str, Any] | None) -> Iterator[str]:
    if reach is None:
        return
    total = reach["total"]
    yield "## Gold spans that can be found"
    yield (
        f"The model reaches {reach['tokens']} tokens: the last token of a span may lie that far "
        f"from its first. {total['reachable']:,} of {total['gold']:,} gold spans can be found, "
        f"which bounds recall at {percent(total['recall_ceiling'])}%."
    )
    if total["lost"]:
        lost = [f"- {count:,} {reason}" for reason, count in total["lost"].items()]
        yield "\n".join(["The others are:", "", *lost])
    rows = [
        [escape(label), percent(row["recall_ceiling"]), row["reachable"], row["gold"]]
        for label, row in reach["per_type"].items()
    ]
    yield table(["Type", "Highest R", "Can be found", "Gold"], rows)


def _picture(name: str, words: str, plots: Sequence[str]) -> Iterator[str]:
    if name in plots:
        yield f"![{words}]({name})"


def _code(text: str) -> str:
    """Inside of a code span nothing is markup but the backtick."""
    return " ".join(text.replace("`", "'").split())
