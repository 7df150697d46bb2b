"""Ours on a GPU, DeBERTa-v3-large-size, bfloat16: training steps, inference, share of the peak.

Needs torch, transformers and peft, and neither spaCy nor matplotlib. `--device cpu --shape tiny`
with short lengths runs the same on a CPU, to see that it runs.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence

import torch

from benchmarks import floors, machine, models, options, plots, report
from benchmarks.comparison import find, rates_table
from benchmarks.floors import Cost, Rates
from benchmarks.goals import Goal, goals_table
from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.models import ELEMENT_BYTES, SHAPES
from benchmarks.report import Table, gigabytes, length, seconds, spread
from benchmarks.worker import Pass

DTYPE = "bfloat16"
TRAINING = 5120
LONG_TRAINING = 100_000
INFERENCE = 13_731
PARTS = 5120
GIBIBYTE = 2**30


def encoder(length: int, *, shape: str, dtype: str, device: str) -> Pass:
    """The encoder alone."""
    model = models.sener(SHAPES[shape]).eval().to(device).encoder
    input_ids, piece_lengths, _ = models.document(length, device)

    def encode() -> None:
        with torch.inference_mode(), models.precision(dtype, device):
            model(input_ids, piece_lengths)

    return encode


def table(length: int, *, shape: str, dtype: str, device: str) -> Pass:
    """The span table alone: biaffine, BiSPA and scores."""
    model = models.sener(SHAPES[shape]).eval().to(device).table
    tokens = torch.randn(1, length, SHAPES[shape].hidden_size, device=device)
    token_lengths = torch.tensor([length], device=device)

    def score() -> None:
        with torch.inference_mode(), models.precision(dtype, device):
            for rows in model.stream(tokens, token_lengths, average="logits"):
                (rows.scores > 0.5).nonzero()

    return score


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/gpu`."""
    parser = options.parser(__doc__)
    options.add_shape(parser, "large")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--training", type=int, default=TRAINING, help="tokens")
    parser.add_argument("--long-training", type=int, default=LONG_TRAINING, help="tokens")
    parser.add_argument("--inference", type=int, default=INFERENCE, help="tokens")
    parser.add_argument("--parts", type=int, default=PARTS, help="tokens")
    args = parser.parse_args(arguments)
    (rates,) = floors.measure_rates([DTYPE], threads=args.threads, device=args.device).values()
    # One at a time: a process that waits its turn would keep its part of the GPU's memory.
    results = alternate(([each] for each in _subjects(args)), threads=args.threads)
    report.save(
        "gpu",
        machine=machine.describe(args.threads, args.device),
        measurements=results,
        tables=[
            _table(results, rates),
            goals_table(goals(results, args)),
            rates_table({DTYPE: rates}),
        ],
    )
    medians = {each.subject.name: {"seconds": each.median} for each in results if each.seconds}
    plots.bars("gpu", medians, "seconds")


def _subjects(args: Namespace) -> Iterator[Subject]:
    """What is measured, in order."""
    for name, program, n_tokens, settings in (
        ("training", "training:ours", args.training, {"recompute": False}),
        ("training, recompute", "training:ours", args.training, {"recompute": True}),
        ("training, recompute", "training:ours", args.long_training, {"recompute": True}),
        ("inference", "inference:ours", args.inference, {}),
        ("encoder alone", "gpu:encoder", args.parts, {}),
        ("span table alone", "gpu:table", args.parts, {}),
    ):
        yield Subject(
            f"{name}, {length(n_tokens)} tokens",
            f"benchmarks.{program}",
            n_tokens,
            {"shape": args.shape, "dtype": DTYPE, "device": args.device, **settings},
            passes=args.passes,
            limit=300,
        )


def _cost(result: Measurement) -> Cost:
    """What the subject must compute and move."""
    subject = result.subject
    shape, element = SHAPES[subject.arguments["shape"]], ELEMENT_BYTES[DTYPE]
    if subject.program == "benchmarks.training:ours":
        recompute = subject.arguments["recompute"]
        return floors.training_cost(shape, subject.length, recompute=recompute, element=element)
    cost_of = {
        "benchmarks.inference:ours": floors.inference_cost,
        "benchmarks.gpu:encoder": floors.encoder_cost,
        "benchmarks.gpu:table": floors.table_cost,
    }[subject.program]
    return cost_of(shape, subject.length, element=element)


def _table(results: Sequence[Measurement], rates: Rates) -> Table:
    header = ["what", "passes", "seconds", "fastest to slowest", "GB with the model"]
    header += ["GB over model", "floors: arithmetic, bytes", "share of the matrix rate"]
    rows = []
    for each in results:
        row = [each.subject.name, str(len(each.seconds)), seconds(each), spread(each)]
        if each.median:
            arithmetic, moving = _cost(each).seconds(rates)
            row += [gigabytes(each.peak_bytes), gigabytes(each.over_base)]
            row += [f"{arithmetic:.3g} s, {moving:.3g} s", f"{arithmetic / each.median:.1%}"]
        rows.append(row + ["-"] * (len(header) - len(row)))
    return Table("GPU", header, rows)


def goals(results: Sequence[Measurement], args: Namespace) -> Iterator[Goal]:
    """What was promised."""
    for name in ("training", "training, recompute"):
        step = find(results, f"{name}, {length(args.training)} tokens", args.training)
        memory = step and step.peak_bytes / GIBIBYTE
        yield Goal(f"{name}, {length(args.training)} tokens: GiB with the model", memory, 8)
    document = find(results, f"inference, {length(args.inference)} tokens", args.inference)
    what = f"inference, {length(args.inference)} tokens: seconds"
    yield Goal(what, document and document.median, 0.15)


if __name__ == "__main__":
    main()
