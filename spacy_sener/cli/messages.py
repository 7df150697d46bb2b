"""What commands say: on a terminal, in its encoding, and of an error all its lines."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from wasabi import Printer
from wasabi.util import NO_UTF8

from ..printable import printable


class Messages(Printer):
    """wasabi's, for text of strangers: a terminal obeys none of it, and all of it can be printed.

    good, warn, fail and info are printed by `text`.
    """

    def text(self, title: Any = "", *rest: Any, **options: Any) -> Any:
        """Print a message; wasabi makes one paragraph of its lines."""
        shown = " ".join(printable(line) for line in str(title).split("\n"))
        if NO_UTF8:  # wasabi encodes it for the terminal, and decodes that as UTF-8
            shown = shown.encode("ascii", "backslashreplace").decode()
        return super().text(shown, *rest, **options)

    def table(self, data: Collection[Any], **options: Any) -> Any:
        """Print rows of cells."""
        return super().table([[printable(str(cell)) for cell in row] for row in data], **options)


msg = Messages()


def take_any_text() -> None:
    """Let escapes be printed in place of what the encoding of a terminal or pipe does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # which a notebook's is not
            stream.reconfigure(errors="backslashreplace")


def print_lines(lines: Iterable[str]) -> None:
    """Print warnings, each on a line of its own, and what is indented below them."""
    for line in lines:
        msg.text(line) if line.startswith(" ") else msg.warn(line)


@contextmanager
def failing() -> Iterator[None]:
    """`fail` with what is wrong with files and options, as far as a user can mend it."""
    try:
        yield
    except (OSError, ValueError) as error:
        fail(error)


def fail(error: object) -> NoReturn:
    """End with exit code 1, and the error, or message, as it stands: on as many lines."""
    first, *rest = [line for line in str(error).split("\n") if line.strip()] or [repr(error)]
    msg.fail(first)
    print_lines(rest)
    sys.exit(1)
