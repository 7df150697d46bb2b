"""One run: train a method on a corpus, choose a threshold, score it. A process of its own.

Its arguments are the settings as JSON, the folder of the corpus, and the folder for the results.
"""

import json
import pkgutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc
from spacy.training import Example
from tqdm import tqdm

from benchmarks import memory
from benchmarks.accuracy.corpora import KEY, CorpusSettings, Data, read_corpus
from benchmarks.accuracy.methods import LOWEST_SCORE, Method
from benchmarks.machine import revision
from benchmarks.worker import OUT_OF_MEMORY, describe
from spacy_sener.evaluation.confidence import best_point
from spacy_sener.evaluation.predictions import Run
from spacy_sener.evaluation.report import FILE_NAME, VERSION, evaluate

DEFAULT_THRESHOLD = 0.5
"""Of every method here that has scores."""
THRESHOLDS = [step / 20 for step in range(1, 20)]


@dataclass(frozen=True)
class Settings:
    """All that the result of a run depends on, as it is written beside it.

    program: `module:Class` of a `Method`. arguments: its keyword arguments.
    corpus_settings: a `CorpusSettings`. checksums: of the files that are read.
    """

    corpus: str
    method: str
    program: str
    arguments: dict[str, Any]
    corpus_settings: dict[str, Any]
    updates: int
    seed: int
    checksums: dict[str, str]

    def is_done(self, output: Path) -> bool:
        """Whether the folder has the result of these very settings."""
        path = output / "settings.json"
        has_both = path.exists() and (output / FILE_NAME).exists()
        return has_both and srsly.read_json(path) == asdict(self)


class OutOfMemoryError(Exception):
    """What a run was doing when it needed more memory than there is."""


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    folder, output = Path(sys.argv[2]), Path(sys.argv[3])
    code = revision()  # now: a checkout may move on while a run goes on
    data = read_corpus(folder, CorpusSettings(**settings.corpus_settings))
    memory.limit_to_available()
    try:
        figures = run(settings, data)
    except OutOfMemoryError as error:
        figures = {"problem": str(error)}
    write({**figures, "corpus": data.to_json(), "code": code}, settings, output)
    # It comes last, as a mark that all is there.
    srsly.write_json(output / "settings.json", asdict(settings))


def write(figures: dict[str, Any], settings: Settings, output: Path) -> None:
    """Leave the report in a folder. figures: those of `run`, or "problem", why there are none."""
    about = {"version": VERSION, "name": settings.method, "data": settings.corpus}
    budget = {"seed": settings.seed, "updates": settings.updates}
    output.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output / FILE_NAME, {**about, **budget, **figures})


def write_problem(problem: str, settings: Settings, output: Path) -> None:
    """Leave a report of a run that must be done again, in place of any that was there."""
    write({"problem": problem}, settings, output)
    (output / "settings.json").unlink(missing_ok=True)


def run(settings: Settings, data: Data) -> dict[str, Any]:
    """The figures of a report, with `threshold` as chosen on the documents held out.

    "held_out": `micro` of those documents, by which settings are to be chosen. "at_default": that
    of dev at `DEFAULT_THRESHOLD`; null without scores. "cost": seconds are of the processor, for
    training as a whole, an update, and prediction; bytes are what the process held at most in
    training and in prediction.

    Raises OutOfMemoryError.
    """
    method: Method = pkgutil.resolve_name(settings.program)(**settings.arguments)
    with metered("training", data.segments) as training:
        method.train(data.segments, updates=settings.updates, seed=settings.seed)
    with metered("prediction", data.held_out):
        predicted = list(method.predict(data.held_out))
    threshold = chosen_threshold(predicted, data.held_out) if method.has_scores else None
    held_out = score(predicted, data.held_out, threshold=threshold, seconds=None)["micro"]
    with metered("prediction", data.dev) as prediction:
        predicted = list(tqdm(method.predict(data.dev), total=len(data.dev), unit="document"))
    figures = score(predicted, data.dev, threshold=threshold, seconds=prediction.seconds)
    return {
        "model": settings.program,
        **figures,
        "held_out": held_out,
        "at_default": None if threshold is None else at_threshold(figures, DEFAULT_THRESHOLD),
        "cost": {
            "train_seconds": training.seconds,
            "update_seconds": training.seconds / settings.updates,
            "predict_seconds": prediction.seconds,
            "train_bytes": training.peak_bytes,
            "predict_bytes": prediction.peak_bytes,
        },
    }


@dataclass
class Meter:
    """Seconds of the processor, and the most memory that the process held."""

    seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def metered(phase: str, docs: Sequence[Doc]) -> Iterator[Meter]:
    """Measure what is done with the documents.

    Raises OutOfMemoryError, with the length of the longest, where that needs too much memory.
    """
    meter = Meter()
    memory.reset_peak()
    begin = time.process_time()
    try:
        yield meter
    except (MemoryError, RuntimeError) as error:
        problem = describe(error)
        if not problem.startswith(OUT_OF_MEMORY):
            raise
        longest = max(map(len, docs))
        raise OutOfMemoryError(
            f"{problem}, in {phase}, where the longest document has {longest:,} tokens"
        ) from error
    meter.seconds = time.process_time() - begin
    meter.peak_bytes = memory.peak()


def score(
    predicted: Sequence[Doc], gold: Sequence[Doc], *, threshold: float | None, seconds: float | None
) -> dict[str, Any]:
    """The part of a report that `evaluate` makes. No words of the documents are in it."""
    run = Run(
        (Example(x, y) for x, y in zip(predicted, gold, strict=True)),
        threshold=threshold,
        lowest_score=None if threshold is None else LOWEST_SCORE,
        seconds=seconds,
    )
    return evaluate(run, spans_key=KEY, source="the method", n_documents=len(gold), n_examples=0)


def chosen_threshold(predicted: Sequence[Doc], gold: Sequence[Doc]) -> float:
    """Of `THRESHOLDS` that of the highest F, the nearest to the default where several have it."""
    figures = score(predicted, gold, threshold=DEFAULT_THRESHOLD, seconds=None)
    curve = [point for point in figures["curve"] or [] if point["threshold"] in THRESHOLDS]
    return float(best_point(curve)["threshold"]) if curve else DEFAULT_THRESHOLD


def at_threshold(figures: dict[str, Any], threshold: float) -> dict[str, Any]:
    """The point of the report's curve. There is no curve where no candidate was found at all."""
    if figures["curve"] is None:
        nothing = {key: value for key, value in figures["micro"].items() if key != "interval"}
        return {"threshold": threshold, **nothing}
    return next(point for point in figures["curve"] if point["threshold"] == threshold)


if __name__ == "__main__":
    main()
