"""Time and memory of the methods of a group, one after another on a machine left alone.

    python -m benchmarks.accuracy.costs DATA --group peers --corpora scholar-xl

DATA is as for `python -m benchmarks.accuracy`, whose runs may be of several machines and beside
others: their seconds cannot be compared. Here all methods train for some updates and read some
documents in one go; the page of the group shows what they took.

An update takes what 50 take more than 10, divided by 40: reading the encoder and the first updates,
which are slower, are not counted.
"""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import srsly
from tqdm import tqdm

from benchmarks.accuracy.corpora import CorpusSettings, corpus_settings
from benchmarks.accuracy.options import chosen_methods, shared_options
from benchmarks.accuracy.plans import Entry, plan
from benchmarks.accuracy.processes import folder_of, in_a_process
from benchmarks.accuracy.run import Settings
from benchmarks.accuracy.tables import write_costs, write_page
from benchmarks.machine import describe
from spacy_sener.evaluation.report import FILE_NAME

FEW, MANY = 10, 50
"""Updates of the two trainings."""
TRAIN_SHARE, DEV_SHARE = 5, 4
"""Of the documents of the corpus one in so many is read."""


def main() -> None:
    options = shared_options("python -m benchmarks.accuracy.costs", __doc__)
    arguments = options.parse_args()
    entries = chosen_methods(options, arguments)
    for corpus in arguments.corpora:
        part = part_of(corpus_settings()[corpus])
        costs = measured(arguments.data / corpus, part, entries, updates=(FEW, MANY))
        write_costs(costs, arguments.output, corpus, arguments.group)
    print(write_page(arguments.output, arguments.group) or "There is no page yet.")


def part_of(corpus: CorpusSettings) -> CorpusSettings:
    """Fewer of its documents."""
    return replace(corpus, train=corpus.train // TRAIN_SHARE, dev=corpus.dev // DEV_SHARE)


def measured(
    folder: Path,
    corpus: CorpusSettings,
    entries: Mapping[str, Entry],
    *,
    updates: tuple[int, int],
) -> dict[str, Any]:
    """What each method took on the corpus in the folder, and the machine.

    "methods": of each "update_seconds" and "tokens_per_second", of the processor, and "bytes", the
    most that the process held; or "problem", why it has none.
    """
    bar = tqdm(entries.items(), unit="method", desc=folder.name)
    methods = {name: _of_method(folder, corpus, name, entry, updates) for name, entry in bar}
    return {"machine": describe(threads=1), "methods": methods}


def _of_method(
    folder: Path, corpus: CorpusSettings, name: str, entry: Entry, updates: tuple[int, int]
) -> dict[str, Any]:
    runs = [plan(folder, corpus, name, entry, seed=1, updates=count) for count in updates]
    short, long = (_report(folder, settings) for settings in runs)
    for report in (short, long):
        if "problem" in report:
            return {"problem": report["problem"]}
    costs = short["cost"], long["cost"]
    seconds = [cost["train_seconds"] for cost in costs]
    return {
        "update_seconds": (seconds[1] - seconds[0]) / (updates[1] - updates[0]),
        "tokens_per_second": max(report["tokens_per_second"] for report in (short, long)),
        "bytes": max(max(cost["train_bytes"], cost["predict_bytes"]) for cost in costs),
    }


def _report(folder: Path, settings: Settings) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as output:
        failure = in_a_process(settings, folder.parent, Path(output))
        path = folder_of(settings, Path(output)) / FILE_NAME
        if not path.exists():
            sys.exit(f"The run of {settings.method} failed: {failure}")
        report: dict[str, Any] = srsly.read_json(path)
    return report


if __name__ == "__main__":
    main()
