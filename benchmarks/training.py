"""A training step on one text: ours with and without recomputation, the dense peer, the authors.

A step is a forward and a backward pass in training mode, with LoRA and all dropouts. The
optimizer's update, a hundredth of that, is left out, as in the authors' figures.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence

from benchmarks import floors, machine, models, options
from benchmarks.comparison import dense_peer, find, growth_goals, publish, ratio, speedup
from benchmarks.dense_peer import DensePeer, dense_loss
from benchmarks.goals import Goal
from benchmarks.measure import ALLOCATORS, Measurement, Subject, alternate
from benchmarks.models import SHAPES
from benchmarks.reference import TRAINING as AUTHORS
from benchmarks.worker import Pass
from spacy_sener.nn.scoring import span_loss

LENGTHS = [512, 1024, 5120]
LONG = 5120
"""Tokens. From there on a single pass is timed, with recomputation alone, to save minutes."""
SPECIAL_PIECES = 2
SETTINGS = (
    ("float32", "default", False),
    ("float32", "default", True),
    ("bfloat16", "default", False),
    ("float32", "tcmalloc", False),
    ("float32", "tcmalloc", True),
    ("float32", "keep", False),
)
"""Of ours: type, allocator, recomputation. The last one only where there are figures to compare."""


def ours(length: int, *, shape: str, dtype: str, recompute: bool, device: str = "cpu") -> Pass:
    """Forward and backward pass of ours."""
    model = models.sener(SHAPES[shape]).train().to(device)
    document = models.document(length, device)
    token_lengths = document[1] - SPECIAL_PIECES
    gold = models.gold_spans(length - SPECIAL_PIECES, SHAPES[shape].span_window, device)

    def step() -> None:
        with models.precision(dtype, device):
            logits = model(*document, recompute=recompute)
        span_loss(logits, token_lengths, gold).backward()
        model.zero_grad(set_to_none=True)

    return step


def dense(length: int, *, shape: str, dtype: str) -> Pass:
    """Forward and backward pass of the dense peer."""
    model = DensePeer(SHAPES[shape]).train()
    input_ids, _, _ = models.document(length)
    gold = models.gold_spans(length - SPECIAL_PIECES, SHAPES[shape].span_window)

    def step() -> None:
        with models.precision(dtype):
            logits = model(input_ids)
        dense_loss(logits.float(), gold).backward()
        model.zero_grad(set_to_none=True)

    return step


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/training`."""
    parser = options.parser(__doc__, lengths=LENGTHS)
    options.add_shape(parser)
    args = parser.parse_args(arguments)
    dtypes = machine.dtypes()
    rates = floors.measure_rates(dtypes, threads=args.threads)
    groups = [
        [*_ours(length, args, dtypes), dense_peer("training", length, args)]
        for length in args.lengths
    ]
    results = alternate(groups, threads=args.threads)

    def cost_of(result: Measurement) -> floors.Cost | None:
        recompute = result.subject.arguments.get("recompute")
        if recompute is None:
            return None
        element = models.ELEMENT_BYTES[result.subject.arguments["dtype"]]
        shape, length = SHAPES[args.shape], result.subject.length
        return floors.training_cost(shape, length, recompute=recompute, element=element)

    publish(
        "training",
        results,
        AUTHORS,
        rates,
        cost_of=cost_of,
        goals=goals(results),
        threads=args.threads,
    )


def _ours(length: int, args: Namespace, dtypes: Sequence[str]) -> Iterator[Subject]:
    for dtype, allocator, recompute in SETTINGS:
        compared = allocator != "keep" or length in AUTHORS.seconds["keep"]
        if dtype not in dtypes or allocator not in ALLOCATORS or not compared:
            continue
        if length >= LONG and not recompute:
            continue
        yield Subject(
            _name(dtype, allocator, recompute=recompute),
            "benchmarks.training:ours",
            length,
            {"shape": args.shape, "dtype": dtype, "recompute": recompute},
            allocator=allocator,
            passes=args.passes if length < LONG else 1,
        )


def _name(dtype: str, allocator: str, *, recompute: bool) -> str:
    return f"ours, {dtype}, {allocator}" + (", recompute" if recompute else "")


def goals(results: Sequence[Measurement]) -> Iterator[Goal]:
    """What was promised of training."""
    for allocator in ("default", "keep", "tcmalloc"):
        for length in AUTHORS.seconds["keep"]:
            name = _name("float32", allocator, recompute=False)
            result = find(results, name, length)
            factor = result and speedup(result, AUTHORS, "keep")
            what = f"float32, {allocator}, {length} tokens: times faster than the authors' keep"
            yield Goal(what, factor, 2.5, at_least=True)
    for allocator, recompute, most in (
        ("default", False, 0.25),
        ("tcmalloc", False, 0.25),
        ("default", True, 0.1),
        ("tcmalloc", True, 0.1),
    ):
        name = _name("float32", allocator, recompute=recompute)
        for length, theirs in AUTHORS.gigabytes.items():
            result = find(results, name, length)
            share = ratio(result and result.over_base / 1e9, theirs)
            yield Goal(f"{name}, {length} tokens: share of the authors' memory", share, most)
    longest = find(results, _name("float32", "default", recompute=True), 5120)
    gigabytes = longest and longest.over_base / 1e9
    yield Goal("float32, default, recompute, 5120 tokens: GB over the model", gigabytes, 2.0)
    yield from growth_goals(results)


if __name__ == "__main__":
    main()
