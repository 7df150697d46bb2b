"""Options that the programs share."""

from argparse import ArgumentParser
from collections.abc import Sequence

from benchmarks.models import SHAPES


def parser(description: str | None, *, lengths: Sequence[int] = ()) -> ArgumentParser:
    """Passes and threads; lengths where there are some."""
    options = ArgumentParser(description=description)
    options.add_argument("--passes", type=int, default=5, help="timed ones, after one that is not")
    options.add_argument("--threads", type=int, default=2)
    if lengths:
        options.add_argument(
            "--lengths", type=int, nargs="*", default=list(lengths), help="in tokens"
        )
    return options


def add_shape(options: ArgumentParser, default: str = "base") -> None:
    """Size of the encoder."""
    options.add_argument("--shape", choices=SHAPES, default=default, help="of the encoder")
