"""Ours through spaCy: `nlp.pipe` on raw texts, and where the time goes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import machine, options, pipelines, plots, report, texts
from benchmarks.goals import Goal, goals_table
from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.report import Table, gigabytes, seconds
from benchmarks.worker import Pass

LENGTHS = [5000]
N_TEXTS = 2
TOKENS_PER_SPAN = 25
SAMPLE = 500
"""Tokens."""
PARTS = ("network", "tokenizer", "alignment and decoding", "writing to Doc", "rest of nlp.pipe")


class Stopwatch:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Time a method of one object; of an iterator that it gives, the steps."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._running(part):
                result = method(*args, **kwargs)
            return self._steps(result, part) if isinstance(result, Iterator) else result

        setattr(owner, name, timed)

    def _steps(self, iterator: Iterator[Any], part: str) -> Iterator[Any]:
        end = object()
        while True:
            with self._running(part):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    @contextmanager
    def _running(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - begin


def pipe(length: int, *, dtype: str, threshold: float) -> Pass:
    """Annotate texts with `nlp.pipe`; gives tokens, spans, and seconds by part."""
    nlp = pipelines.sener(dtype)
    component = nlp.get_pipe("sener")
    component.cfg["threshold"] = threshold
    raw = [texts.text(length, seed=seed) for seed in range(N_TEXTS)]
    watch = Stopwatch()
    module = component.model.shims[0].module
    watch.watch(module, "forward", "network")
    watch.watch(module, "stream", "network")
    watch.watch(nlp, "make_doc", "tokenizer")
    watch.watch(component, "predict", "predict")
    watch.watch(component, "set_annotations", "writing to Doc")

    def annotate() -> dict[str, float]:
        watch.seconds.clear()
        begin = time.perf_counter()
        docs = list(nlp.pipe(raw))
        total = time.perf_counter() - begin
        return {
            "tokens": sum(len(doc) for doc in docs),
            "spans": sum(len(doc.spans["sc"]) for doc in docs),
            **_by_part(watch.seconds, total),
        }

    return annotate


def find_threshold() -> float:
    """That of a candidate in `TOKENS_PER_SPAN` tokens, as a trained component might have.

    An untrained one is sure of nothing: without this nothing would be decoded and written.
    """
    nlp = pipelines.sener()
    component = nlp.get_pipe("sener")
    component.cfg.update(threshold=0.0, overlap="any")
    doc = nlp.make_doc(texts.text(SAMPLE))
    (candidates,) = component.predict([doc])
    best_first = sorted(candidates.scores.tolist(), reverse=True)
    return best_first[len(doc) // TOKENS_PER_SPAN]


def _by_part(watched: Counter[str], total: float) -> dict[str, float]:
    parts = {part: watched[part] for part in PARTS}
    if not parts["network"]:
        raise RuntimeError("the component calls its network by a method that is not watched")
    parts["alignment and decoding"] = watched["predict"] - watched["network"]
    parts["rest of nlp.pipe"] = total - sum(parts.values())
    return parts


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/pipeline`."""
    args = options.parser(__doc__, lengths=LENGTHS).parse_args(arguments)
    threshold = find_threshold()
    groups = [
        [
            Subject(
                f"ours, {dtype}",
                "benchmarks.pipeline:pipe",
                length,
                {"dtype": dtype, "threshold": threshold},
                passes=args.passes,
            )
            for dtype in machine.dtypes()
        ]
        for length in args.lengths
    ]
    results = alternate(groups, threads=args.threads)
    report.save(
        "pipeline",
        machine=machine.describe(args.threads),
        measurements=results,
        tables=[pipe_table(results), goals_table(goals(results))],
    )
    shares = {
        f"{each.subject.name}\n{each.subject.length:,} tokens": {
            part: each.detail(part) / each.detail("tokens") * 1e3 for part in PARTS
        }
        for each in results
        if each.seconds
    }
    plots.bars("pipeline", shares, "milliseconds a token")


def pipe_table(results: Sequence[Measurement]) -> Table:
    """Tokens a second, and the share of each part."""
    header = ["tokens a text", "subject", "passes", "seconds", "tokens a second", "spans"]
    header += ["GB over model", *PARTS]
    rows = []
    for each in results:
        row = [report.length(each.subject.length), each.subject.name, str(len(each.seconds))]
        row.append(seconds(each))
        if each.seconds:
            row += [f"{each.detail('tokens') / each.median:,.0f}", f"{each.detail('spans'):.0f}"]
            row.append(gigabytes(each.over_base))
            row += [f"{share(each, part):.1%}" for part in PARTS]
        rows.append(row + ["-"] * (len(header) - len(row)))
    return Table(f"nlp.pipe on {N_TEXTS} raw texts", header, rows)


def share(result: Measurement, part: str) -> float:
    """Of the whole time."""
    return result.detail(part) / sum(result.detail(each) for each in PARTS)


def goals(results: Sequence[Measurement]) -> Iterator[Goal]:
    """What was promised."""
    for each in results:
        outside = 1 - share(each, "network") if each.seconds else None
        yield Goal(f"{each.subject.name}: share of the time outside the network", outside, 0.1)


if __name__ == "__main__":
    main()
