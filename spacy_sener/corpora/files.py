"""Text files as they come: packed or not, with or without byte order mark."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def plain_suffix(path: Path) -> str:
    """The suffix below `.gz` or `.xz`, in lower case: ".jsonl" for "a.jsonl.gz"."""
    plain = path.with_suffix("") if path.suffix.lower() in OPENERS else path
    return plain.suffix.lower()


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 file, unpacked if its name ends in `.gz` or `.xz`; line ends stay as they are.

    Raises ValueError, while it is read as well, for what is not UTF-8 and for a damaged archive,
    and FileNotFoundError.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    opener = OPENERS.get(path.suffix.lower(), open)
    try:
        with opener(path, mode="rt", encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file without their ends, counted from 1; only \\n, \\r and \\r\\n end one."""
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            yield number, line.rstrip("\r\n")
