"""What commands say of what is wrong, where that takes several lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

from wasabi import msg


def print_lines(lines: Iterable[str]) -> None:
    """Print warnings, each on a line of its own, and what is indented below them."""
    for line in lines:
        msg.text(line) if line.startswith(" ") else msg.warn(line)


def fail(error: Exception) -> NoReturn:
    """End with exit code 1, and the error as it stands: wasabi makes one paragraph of its lines."""
    first, *rest = str(error).split("\n")
    msg.fail(first)
    print_lines(rest)
    sys.exit(1)
