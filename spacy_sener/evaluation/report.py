"""The figures of one evaluation, as they are written to `report.json`.

A report is a JSON object. P, R and F are "p", "r" and "f", from 0 to 1, and null where there is
neither a gold nor a predicted span; FIGURES are {"p", "r", "f", "gold", "predicted", "right"}, the
last three being numbers of spans.

    version        1
    name           of the method; reports of one name are runs of it, with other seeds
    model, data    as they were given
    labels         those that predictions can have, as far as that is known
    spans_key      key of doc.spans
    threshold      lowest score of a span that is counted; null: all are
    lowest_score   lowest score that "calibration" and "curve" see; null: not known
    documents      {"count", "without_annotation", "tokens"}; those without the key are left out
    unaligned      predicted spans whose ends are inside gold tokens; left out, as by spaCy's
                   scorer; below the threshold they are not counted
    seconds        for reading, tokenizing and predicting down to "lowest_score"; null for
                   predictions from a file
    tokens_per_second
    micro          FIGURES, and "interval": {"p": [low, high], "r": ..., "f": ...}, 95% by bootstrap
                   over the documents; null for a single document, and without any span
    per_type       {label: FIGURES}
    per_length     {bucket: FIGURES}: a gold span in the bucket of its own length, a predicted span
                   in that of its own; buckets as in `scorer.length_bucket`
    nesting        {"outermost": {"gold", "r"}, "nested": ...}: gold spans in no longer one; in one
    errors         {"total": COUNTS, "per_type": {label: COUNTS}, "per_length": {bucket: COUNTS},
                   "ends": {"start": {"count", "outside", "mean_tokens"}, "end": ...},
                   "confusion": [{"gold", "predicted", "count"}]}
                   COUNTS: {"found", "type", "start", "end", "both", "missed", "spurious"}, as in
                   `matching.Match`. "spurious" is counted at the predicted span, the others at the
                   gold one: they sum to "gold", and without "missed" to "predicted".
                   "ends": right label, overlapping, that end off; "outside": predicted too far out.
                   "confusion": both ends right, another label
    examples       {error: [{"doc_id", "document", "line", "gold", "predicted", "score"}]}, the
                   worst first; "gold", "predicted": {"label", "start", "end", "tokens", "text"} or
                   null, in characters; "document" and "line" from 1. A missed span has a score if
                   it is only below the threshold
    calibration    {"lowest_score", "count", "ece", "ece_predicted", "bins": [{"from", "to",
                   "count", "mean_score", "share_right"}]}: "ece_predicted" over the spans that
                   reach the threshold, null if none does, the others over all that were seen.
                   null without scores, or if they are no probabilities
    curve          [{"threshold", FIGURES}]; null without scores, and where a threshold is not for
                   them
    reach          {"tokens", "total": REACH, "per_type": {label: REACH}}; null for a model
                   without a span window. REACH: {"gold", "reachable", "recall_ceiling", "lost":
                   {reason: count}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..corpora.files import create_text
from .accuracy import Accuracy
from .confidence import Confidence
from .errors import Errors
from .judging import Judged, judge
from .markdown import to_markdown
from .plots import draw_report
from .predictions import Run, require_predictions
from .reach import Reach

VERSION = 1
FILE_NAME = "report.json"


def evaluate(
    run: Run,
    *,
    spans_key: str,
    source: str,
    n_documents: int | None = None,
    n_examples: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything of a report that comes from the documents, which are read once and not kept.

    source: what made the predictions, for messages. n_documents: for the progress bar.
    n_examples: examples of each error. seed: of the bootstrap.

    Raises ValueError if no document has predictions under the key.
    """
    accuracy, errors, confidence = Accuracy(), Errors(n_examples), Confidence()
    reach = None if run.reach is None else Reach(run.reach, run.labels)
    parts = [part for part in (accuracy, errors, confidence, reach) if part is not None]
    documents, unaligned, keys = {"count": 0, "without_annotation": 0, "tokens": 0}, 0, set[str]()
    for judged in _judged(run, spans_key, n_documents):
        doc = judged.example.predicted
        keys.update(doc.spans)
        documents["count"] += 1
        documents["tokens"] += len(doc)
        if spans_key not in judged.doc.spans:
            documents["without_annotation"] += 1
            continue
        unaligned += judged.n_unaligned
        for part in parts:
            part.add(judged)
    require_predictions(keys, spans_key, source)
    return {
        "spans_key": spans_key,
        "threshold": run.threshold,
        "lowest_score": run.lowest_score,
        "documents": documents,
        "unaligned": unaligned,
        "seconds": run.seconds,
        "tokens_per_second": documents["tokens"] / run.seconds if run.seconds else None,
        **accuracy.to_json(seed=seed),
        **errors.to_json(),
        **confidence.to_json(
            threshold=run.threshold, lowest=run.lowest_score, by_score=run.by_score
        ),
        "reach": None if reach is None else reach.to_json(),
    }


def write_report(report: dict[str, Any], folder: Path) -> bool:
    """Write `report.json`, `report.md` and the plots. False: matplotlib is missing, no plots."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    with create_text(folder / FILE_NAME) as file:
        file.write(text + "\n")
    plots = draw_report(report, folder)
    with create_text(folder / "report.md") as file:
        file.write(to_markdown(report, plots or []))
    return plots is not None


def _judged(run: Run, spans_key: str, n_documents: int | None) -> Iterator[Judged]:
    examples = tqdm(run.examples, total=n_documents, unit=" docs")
    for number, example in enumerate(examples, start=1):
        yield judge(example, number, spans_key=spans_key, threshold=run.threshold)
