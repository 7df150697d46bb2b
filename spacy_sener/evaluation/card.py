"""A model card: the page that goes with a pipeline to those who use it, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..gold import TOO_LONG
from .markdown import escape, figures_table, percent
from .reach import UNKNOWN_LABEL

FILE_NAME = "README.md"
"""In a pipeline's folder. `spacy package` puts it into the package and beside it, and `spacy
huggingface-hub push` on the page of the model, below its own metadata."""

USE = """\
With [spaCy](https://spacy.io) and spacy-sener, which is installed from its repository:

```bash
pip install .  # in a checkout of spacy-sener
```

```python
from pathlib import Path

import spacy

nlp = spacy.load("{name}")
doc = nlp(Path("text.txt").read_text(encoding="utf8"))
group = doc.spans["{key}"]
{loop}
```"""
WITH_SCORES = """\
for span, score in zip(group, group.attrs["scores"]):
    print(span.label_, span.text, score)"""
WITHOUT_SCORES = """\
for span in group:
    print(span.label_, span.text)"""


def model_card(
    meta: Mapping[str, Any],
    report: Mapping[str, Any],
    *,
    corpus: str | None = None,
    name: str | None = None,
) -> str:
    """The card of a pipeline.

    meta: `nlp.meta`. report: of this pipeline; see `evaluation.report`. corpus: what it was trained
    on, in words. name: that it is published under; by default that of `meta`.
    """
    name = name or f"{meta['lang']}_{meta['name']}"
    has_scores = report["calibration"] is not None or report["curve"] is not None
    loop = WITH_SCORES if has_scores else WITHOUT_SCORES
    parts = [
        f"# {escape(name)}",
        *_about(meta, has_scores=has_scores),
        "## How to use it",
        USE.format(name=_plain(name), key=_plain(report["spans_key"]), loop=loop),
        "## What it finds",
        *_labels(meta["labels"]),
        "## What it was trained on",
        escape(corpus) if corpus else "Its authors do not say.",
        "## How well it does",
        *_accuracy(report),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(report)),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: object) -> str:
    """For code, where nothing can be escaped."""
    return "".join(c for c in str(text) if c.isalnum() or c in "_-. ")


def _about(meta: Mapping[str, Any], *, has_scores: bool) -> Iterator[str]:
    more = " of any length, nested ones included, and gives each a score" if has_scores else ""
    default = f"A [spaCy](https://spacy.io) pipeline that finds spans{more}."
    yield escape(meta["description"]) if meta["description"] else default
    facts = {
        "Version": meta["version"],
        "spaCy": meta["spacy_version"],
        "Components": ", ".join(meta["pipeline"]),
        "Author": meta["author"],
        "Licence": meta["license"],
    }
    yield "\n".join(f"- {key}: {escape(value)}" for key, value in facts.items() if value)


def _labels(labels: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Those of each component that has some."""
    for component, own in labels.items():
        if own:
            yield f"By the component `{_plain(component)}`: {', '.join(map(escape, own))}."


def _accuracy(report: Mapping[str, Any]) -> Iterator[str]:
    documents, micro = report["documents"], report["micro"]
    data = escape(Path(str(report["data"])).name)
    least = (
        "" if report["threshold"] is None else f", of a score of {report['threshold']:g} or more"
    )
    yield (
        f"On {data}, {documents['count']:,} documents of {documents['tokens']:,} tokens with "
        f"{micro['gold']:,} annotated spans; start, end and type must be right. Predicted: "
        f"{micro['predicted']:,} spans{least}."
    )
    if documents["without_annotation"]:
        yield f"{documents['without_annotation']:,} documents have no annotation and do not count."
    yield figures_table("", {"All": micro})
    if interval := micro["interval"]:
        low, high = interval["f"]
        yield (
            f"With other documents of this kind F might be {percent(low)} to {percent(high)} "
            "(95%, bootstrap over the documents)."
        )
    yield figures_table("Type", report["per_type"])
    yield "By length in tokens:"
    yield figures_table("Tokens", report["per_length"])


def _limits(report: Mapping[str, Any]) -> Iterator[str]:
    yield "Nothing is known of other kinds of texts: try it on some that are annotated."
    tested = {label for label, row in report["per_type"].items() if row["gold"]}
    if untested := sorted(set(report["labels"]) - tested):
        yield f"No annotated span was there to try it on: {', '.join(map(escape, untested))}."
    if report["reach"]:
        yield from _out_of_reach(report["reach"])
    if report["calibration"] and (error := report["calibration"]["ece_predicted"]) is not None:
        yield (
            "Scores are not exactly the share of spans that are right: they are off by "
            f"{error:.2f} on average (expected calibration error)."
        )


def _out_of_reach(reach: Mapping[str, Any]) -> Iterator[str]:
    """Length and label are limits of the pipeline; what else is lost is the annotation's."""
    gold, lost = reach["total"]["gold"], reach["total"]["lost"]
    unknown = lost.get(UNKNOWN_LABEL, 0)
    known = gold - unknown
    yield (
        f"A span whose last token is more than {reach['tokens']:,} tokens from its first is never "
        f"found. {known - lost.get(TOO_LONG, 0):,} of the {known:,} annotated spans of its labels "
        "are short enough."
    )
    if unknown:
        yield (
            f"{unknown:,} of the {gold:,} annotated spans have a label that it does not have, and "
            "are never found."
        )
