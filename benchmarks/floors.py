"""What a pass must cost at least: arithmetic at the matrix rate, bytes at the bandwidth.

Operations are those of the equations, a multiplication and an addition counting two, with nothing
twice and nothing that is thrown away. Bytes are the weights once, and for every sublayer its input
and its output once. Both bounds hold alone; a program that overlapped them perfectly would take
the larger one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.models import DTYPES, N_LABELS, Shape
from benchmarks.worker import Pass


@dataclass(frozen=True)
class Rates:
    """What the machine was measured to do."""

    operations: float
    """A second, in a product of large matrices."""
    bandwidth: float
    """Bytes a second, read and written, in a copy of a large array."""


@dataclass(frozen=True)
class Cost:
    """What a pass must compute and move."""

    operations: float
    bytes: float

    def seconds(self, rates: Rates) -> tuple[float, float]:
        """The floors: of arithmetic, of memory."""
        return self.operations / rates.operations, self.bytes / rates.bandwidth


def measure_rates(dtypes: Sequence[str], *, threads: int, device: str = "cpu") -> dict[str, Rates]:
    """Of each type, in processes like those of the subjects."""
    group = [
        Subject("rates", "benchmarks.floors:rates", 0, {"dtype": dtype, "device": device})
        for dtype in dtypes
    ]
    results = alternate([group], threads=threads)
    return {dtype: _rates(result) for dtype, result in zip(dtypes, results, strict=True)}


def _rates(result: Measurement) -> Rates:
    if result.problem:
        raise RuntimeError(f"the machine's rates could not be measured: {result.problem}")
    return Rates(result.detail("operations"), result.detail("bandwidth"))


def rates(length: int, *, dtype: str, device: str) -> Pass:
    """A product of matrices and a copy, both far larger than caches; `length` is of no matter."""
    size = 2048 if device == "cpu" else 8192
    matrix = torch.randn(size, size, device=device, dtype=DTYPES[dtype])
    array = torch.randn(2**26, device=device)  # 268 MB
    copy = torch.empty_like(array)
    product = torch.empty_like(matrix)

    def run() -> dict[str, float]:
        return {
            "operations": 2 * size**3 / seconds_of(lambda: torch.mm(matrix, matrix, out=product)),
            "bandwidth": 2 * array.nbytes / seconds_of(lambda: copy.copy_(array)),
        }

    def seconds_of(work: Pass) -> float:
        repetitions = 3 if device == "cpu" else 20
        _synchronize(device)
        begin = time.perf_counter()
        for _ in range(repetitions):
            work()
        _synchronize(device)
        return (time.perf_counter() - begin) / repetitions

    return run


def _synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def in_window(n_tokens: int, window: int) -> float:
    """How many tokens of a text are at most `window` away from one of them, on average."""
    window = min(window, n_tokens - 1)
    return 2 * window + 1 - window * (window + 1) / n_tokens


def encoder_cost(shape: Shape, n_pieces: int, *, element: int = 4) -> Cost:
    """Of the encoder with arrow attention; [CLS], which sees all, is left out.

    element: bytes of a number.
    """
    d, f = shape.hidden_size, shape.intermediate_size
    keys = in_window(n_pieces, shape.piece_window)
    linear = 2 * (4 * d * d + 2 * d * f)
    # Scores and values, and the two terms of relative position, each over the same keys.
    attention = 2 * 4 * keys * d
    weights = 4 * d * d + 2 * d * f
    moved = 4 * n_pieces * d + weights  # attention and feed-forward: in and out
    return Cost(shape.layers * n_pieces * (linear + attention), shape.layers * moved * element)


def table_cost(shape: Shape, n_tokens: int, *, element: int = 4) -> Cost:
    """Of biaffine, BiSPA blocks and logits."""
    c, ends = shape.span_size, shape.end_size + 1
    columns = in_window(n_tokens, shape.span_window)
    biaffine = 2 * ends * c * ends + columns * 2 * ends * c
    qkv, attention = 2 * 2 * c * 3 * c, 2 * 4 * columns * c
    dense, convolutions = 2 * 2 * c * c, 2 * 2 * 9 * c * c
    block = columns * (qkv + attention + dense + convolutions)
    output = columns * 2 * c * N_LABELS
    # A table written once, read and written by attention and by convolution of each block, and
    # read for the logits.
    moved = n_tokens * columns * (c * (2 + 4 * shape.depth) + N_LABELS)
    return Cost(n_tokens * (biaffine + shape.depth * block + output), moved * element)


def inference_cost(shape: Shape, length: int, *, element: int = 4) -> Cost:
    """Of a forward pass."""
    encoder = encoder_cost(shape, length, element=element)
    table = table_cost(shape, length, element=element)
    return Cost(encoder.operations + table.operations, encoder.bytes + table.bytes)


def training_cost(shape: Shape, length: int, *, recompute: bool, element: int = 4) -> Cost:
    """Of a forward and a backward pass.

    Backward costs the table twice its forward pass, and the encoder once, as the gradients of its
    frozen weights are not needed. With `recompute` the forward pass is done twice.
    """
    forward = inference_cost(shape, length, element=element)
    encoder = encoder_cost(shape, length, element=element)
    table = table_cost(shape, length, element=element)
    times = 2 if recompute else 1
    return Cost(
        times * forward.operations + encoder.operations + 2 * table.operations,
        times * forward.bytes + encoder.bytes + 2 * table.bytes,
    )
