"""Inference on one text: ours, the dense peer, and the figures of the authors' code."""

from argparse import Namespace
from collections.abc import Iterator, Sequence

import torch

from benchmarks import floors, machine, models, options
from benchmarks.comparison import dense_peer, find, growth_goals, publish, ratio, speedup
from benchmarks.dense_peer import DensePeer
from benchmarks.goals import Goal
from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.models import SHAPES
from benchmarks.reference import INFERENCE as AUTHORS
from benchmarks.worker import Pass

LENGTHS = [512, 1024, 2048, 4096, 5120]
LONG_LENGTHS = [16_384, 65_536, 262_144]
FLOAT32_UP_TO = 16_384
"""Tokens. Beyond, only bfloat16 is run where the processor has it: to save minutes."""
LONG_LIMIT = 900.0
GOAL_LENGTHS = (2048, 4096)
"""Tokens. What the allocator makes of ours is measured there alone."""
SPEEDUPS = {"float32": 2.5, "bfloat16": 6}
"""Promised, over the authors' code with the allocator that it likes best."""
SETTINGS = (("float32", "default"), ("float32", "keep"), ("bfloat16", "default"))
"""Of ours: type and allocator."""


def ours(length: int, *, shape: str, dtype: str, device: str = "cpu") -> Pass:
    """Find the spans of a text as the component does: rows by rows, keeping the hits alone."""
    model = models.sener(SHAPES[shape]).eval().to(device)
    document = models.document(length, device)

    def annotate() -> None:
        with torch.inference_mode(), models.precision(dtype, device):
            for rows in model.stream(*document, average="logits"):
                (rows.scores > 0.5).nonzero()

    return annotate


def dense(length: int, *, shape: str, dtype: str) -> Pass:
    """The same with the dense peer."""
    model = DensePeer(SHAPES[shape]).eval()
    input_ids, _, _ = models.document(length)

    def annotate() -> None:
        with torch.inference_mode(), models.precision(dtype):
            model.found(input_ids)

    return annotate


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/inference`."""
    parser = options.parser(__doc__, lengths=LENGTHS)
    options.add_shape(parser)
    parser.add_argument(
        "--long-lengths", type=int, nargs="*", default=LONG_LENGTHS, help="ours alone, few passes"
    )
    args = parser.parse_args(arguments)
    dtypes = machine.dtypes()
    rates = floors.measure_rates(dtypes, threads=args.threads)
    groups = [
        [*_ours(length, args, dtypes), dense_peer("inference", length, args)]
        for length in args.lengths
    ]
    long_groups = [_ours_once(length, args, dtypes) for length in args.long_lengths]
    results = alternate([*groups, *long_groups], threads=args.threads)

    def cost_of(result: Measurement) -> floors.Cost | None:
        if not result.subject.name.startswith("ours"):
            return None
        element = models.ELEMENT_BYTES[result.subject.arguments["dtype"]]
        return floors.inference_cost(SHAPES[args.shape], result.subject.length, element=element)

    publish(
        "inference",
        results,
        AUTHORS,
        rates,
        cost_of=cost_of,
        goals=goals(results),
        threads=args.threads,
    )


def _ours(length: int, args: Namespace, dtypes: Sequence[str]) -> list[Subject]:
    return [
        Subject(
            f"ours, {dtype}, {allocator}",
            "benchmarks.inference:ours",
            length,
            {"shape": args.shape, "dtype": dtype},
            allocator=allocator,
            passes=args.passes,
        )
        for dtype, allocator in SETTINGS
        if dtype in dtypes and (allocator == "default" or length in GOAL_LENGTHS)
    ]


def _ours_once(length: int, args: Namespace, dtypes: Sequence[str]) -> list[Subject]:
    """A single pass each, the process's first: it pays for what later passes are spared."""
    return [
        Subject(
            f"ours, {dtype}, default",
            "benchmarks.inference:ours",
            length,
            {"shape": args.shape, "dtype": dtype},
            passes=1,
            warmups=0,
            limit=LONG_LIMIT,
        )
        for dtype in (dtypes if length <= FLOAT32_UP_TO else dtypes[-1:])
    ]


def goals(results: Sequence[Measurement]) -> Iterator[Goal]:
    """What was promised of inference."""
    for dtype, allocator in SETTINGS:
        for length in GOAL_LENGTHS:
            result = find(results, f"ours, {dtype}, {allocator}", length)
            yield Goal(
                f"{dtype}, {allocator}, {length} tokens: times faster than the authors' keep",
                result and speedup(result, AUTHORS, "keep"),
                SPEEDUPS[dtype],
                at_least=True,
            )
    for length, most in ((2048, 0.5), (5120, 1.2)):
        result = find(results, "ours, float32, default", length)
        memory = result and result.over_base / 1e9
        yield Goal(f"float32, default, {length} tokens: GB over the model", memory, most)
        share = ratio(memory, AUTHORS.gigabytes[length])
        yield Goal(f"float32, default, {length} tokens: share of the authors' memory", share, 0.1)
    yield from growth_goals(results)


if __name__ == "__main__":
    main()
