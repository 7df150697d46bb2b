"""Tables of passes beside the authors' figures and the floors."""

import math
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchmarks import machine, plots, report
from benchmarks.floors import Cost, Rates
from benchmarks.goals import Goal, goals_table
from benchmarks.measure import Measurement, Subject
from benchmarks.reference import Authors
from benchmarks.report import Table, gigabytes, length, seconds, spread, times

LINEAR = 2.1
"""The most that time and memory may grow by where the length doubles."""
PEER_LIMIT, PEER_PATIENCE = 30.0, 10.0
"""Seconds, see `Subject`."""
CostOf = Callable[[Measurement], Cost | None]


def dense_peer(program: str, n_tokens: int, args: Namespace) -> Subject:
    """The function `dense` of a program, with the allocator that it likes best."""
    return Subject(
        "dense, float32, keep",
        f"benchmarks.{program}:dense",
        n_tokens,
        {"shape": args.shape, "dtype": "float32"},
        allocator="keep",
        passes=args.passes,
        patience=PEER_PATIENCE,
        limit=PEER_LIMIT,
        growth=2,
    )


def publish(
    name: str,
    results: Sequence[Measurement],
    authors: Authors,
    rates: Mapping[str, Rates],
    *,
    cost_of: CostOf,
    goals: Iterable[Goal],
    threads: int,
) -> None:
    """Print and write everything of a comparison with the authors' figures."""
    report.save(
        name,
        machine=machine.describe(threads),
        measurements=results,
        tables=[
            passes_table(name.capitalize(), results, authors, rates, cost_of),
            goals_table(goals),
            rates_table(rates),
        ],
    )
    plots.by_length(
        name,
        results,
        seconds={f"authors, {key}": value for key, value in authors.seconds.items()},
        memory={"authors, default": authors.gigabytes},
    )


def passes_table(
    title: str,
    results: Sequence[Measurement],
    authors: Authors,
    rates: Mapping[str, Rates],
    cost_of: CostOf,
) -> Table:
    """A line for every subject and length."""
    header = ["tokens", "subject", "passes", "seconds", "fastest to slowest", "GB over model"]
    header += ["authors' default", "authors' keep", "authors' memory", "floors: arithmetic, bytes"]
    rows = []
    for result in results:
        n_tokens = result.subject.length
        memory = authors.gigabytes.get(n_tokens)
        row = [length(n_tokens), result.subject.name, str(len(result.seconds)), seconds(result)]
        row += [spread(result), gigabytes(result.over_base) if result.seconds else "-"]
        row += [times(speedup(result, authors, each)) for each in ("default", "keep")]
        own_memory = result.over_base if result.seconds else None
        row.append(times(memory and ratio(memory * 1e9, own_memory)))
        row.append(_floors(result, rates, cost_of))
        rows.append(row)
    return Table(title, header, rows)


def speedup(result: Measurement, authors: Authors, allocator: str) -> float | None:
    """How many times faster than the authors' code under an allocator."""
    return ratio(authors.seconds[allocator].get(result.subject.length), result.median)


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """None if either is missing."""
    return numerator / denominator if numerator and denominator else None


def find(results: Iterable[Measurement], name: str, n_tokens: int) -> Measurement | None:
    """The measurement of a subject at a length, if it finished a pass."""
    for result in results:
        if result.subject.name == name and result.subject.length == n_tokens and result.seconds:
            return result
    return None


def growth_goals(results: Sequence[Measurement]) -> Iterator[Goal]:
    """That ours is linear in the length."""
    for name in dict.fromkeys(each.subject.name for each in results):
        own = {each.subject.length: each for each in results if each.subject.name == name}
        if name.startswith("ours"):
            time = _growth({n_tokens: each.median for n_tokens, each in own.items()})
            known = {n_tokens: each for n_tokens, each in own.items() if each.seconds}
            memory = _growth({n_tokens: each.over_base for n_tokens, each in known.items()})
            yield Goal(f"{name}: largest time(2L) / time(L)", time, LINEAR)
            yield Goal(f"{name}: largest memory(2L) / memory(L)", memory, LINEAR)


def _growth(values: Mapping[int, float | None]) -> float | None:
    """The largest value(2L) / value(L), by the power law from each length to twice it or more."""
    known = sorted((n_tokens, value) for n_tokens, value in values.items() if value)
    factors = []
    for n_tokens, value in known:
        longer = next((each for each in known if each[0] >= 2 * n_tokens), None)
        if longer is not None:
            factors.append((longer[1] / value) ** (1 / math.log2(longer[0] / n_tokens)))
    return max(factors, default=None)


def rates_table(rates: Mapping[str, Rates]) -> Table:
    """What the floors are computed from."""
    rows = [
        [dtype, f"{rate.operations / 1e9:,.0f}", f"{rate.bandwidth / 1e9:.1f}"]
        for dtype, rate in rates.items()
    ]
    return Table("The machine", ["type", "matrix product, GFLOP/s", "copy, GB/s"], rows)


def _floors(result: Measurement, rates: Mapping[str, Rates], cost_of: CostOf) -> str:
    cost = cost_of(result)
    if cost is None or not result.seconds:
        return "-"
    arithmetic, moving = cost.seconds(rates[result.subject.arguments["dtype"]])
    return f"{arithmetic:.3g} s, {moving:.3g} s"
