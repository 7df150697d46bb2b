"""Loading a saved pipeline, against loading its encoder and tokenizer with transformers.

Until the first answer, to a short text: transformers reads weights when they are first used.
Every pass is a process of its own in which all modules are imported already. Files are in the
system's cache from the first round, which is not counted.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import machine, options, pipelines, plots, report
from benchmarks.measure import Measurement, Subject, alternate_fresh
from benchmarks.report import Table, gigabytes, seconds, spread
from benchmarks.worker import Pass
from spacy_sener.sources import DEFAULT_SOURCE, resolve_source

TEXT = "Ada Lovelace was translator of the Sketch of the Analytical Engine until 1843."


def pipeline(length: int, *, folder: str) -> Pass:
    """A saved pipeline of ours; `length` is of no matter."""
    import spacy

    _import_all()

    def load() -> object:
        nlp = spacy.load(folder)
        return nlp, nlp(TEXT)

    return load


def encoder(length: int, *, folder: str) -> Pass:
    """The same encoder and its tokenizer with transformers."""
    from transformers import AutoModel, AutoTokenizer

    _import_all()

    def load() -> object:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
        with torch.inference_mode():
            return tokenizer, model, model(**tokenizer(TEXT, return_tensors="pt"))

    return load


def _import_all() -> None:
    """What either way of loading imports when it is first called."""

    import spacy_sener.architectures
    import spacy_sener.pipeline.factory  # noqa: F401 (imported for the time it takes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/loading`."""
    args = options.parser(__doc__).parse_args(arguments)
    source = resolve_source(DEFAULT_SOURCE)
    with tempfile.TemporaryDirectory() as folder:
        pipelines.sener().to_disk(folder)
        group = [
            Subject("spacy.load", "benchmarks.loading:pipeline", 0, {"folder": folder}),
            Subject("transformers", "benchmarks.loading:encoder", 0, {"folder": source}),
        ]
        results = alternate_fresh(group, passes=args.passes, threads=args.threads)
        megabytes = {"spacy.load": _size(folder), "transformers": _size(source)}
    for result in results:  # where files were is nobody's business
        result.subject.arguments.clear()
    report.save(
        "loading",
        machine=machine.describe(args.threads),
        measurements=results,
        tables=[loading_table(results, megabytes)],
    )
    medians = {each.subject.name: {"seconds": each.median or 0} for each in results}
    plots.bars("loading", medians, "seconds")


def loading_table(results: Sequence[Measurement], megabytes: dict[str, float]) -> Table:
    """A line for each way."""
    header = ["what", "passes", "seconds", "fastest to slowest"]
    header += ["GB at the peak", "GB kept", "MB on disk"]
    rows = [
        [
            each.subject.name,
            str(len(each.seconds)),
            seconds(each),
            spread(each),
            gigabytes(each.over_base),
            gigabytes(each.kept_bytes - each.base_bytes),
            f"{megabytes[each.subject.name]:.0f}",
        ]
        for each in results
    ]
    return Table("Loading", header, rows)


def _size(folder: str) -> float:
    """Of all files, in MB."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
