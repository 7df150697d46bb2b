"""Files as they come, packed or not, with byte order mark or not; and written all or nothing."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def plain_path(path: Path) -> Path:
    """The path without `.gz` or `.xz`."""
    return path.with_suffix("") if path.suffix.lower() in OPENERS else path


def plain_suffix(path: Path) -> str:
    """The suffix below `.gz` or `.xz`, in lower case: ".jsonl" for "a.jsonl.gz"."""
    return plain_path(path).suffix.lower()


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 file, unpacked if its name ends in `.gz` or `.xz`; line ends stay as they are.

    Raises ValueError, while it is read as well, for what is not UTF-8 and for a damaged archive,
    and FileNotFoundError.
    """
    try:
        with _open(path, mode="rt", encoding="utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {_first_wrong_line(path)}: not UTF-8: {error}") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file without their ends, counted from 1; only \\n, \\r and \\r\\n end one."""
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            yield number, line.rstrip("\r\n")


def read_bytes(path: Path) -> bytes:
    """What a file holds, unpacked; raises as `open_text` does."""
    with _open(path, mode="rb") as data:
        return data.read()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to instead of `path`, which it becomes at the end, and only if nothing fails.

    The folder is made where there is none. The suffix is that of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".part-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def create_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 file to write, packed if its name ends in `.gz` or `.xz`, all or nothing."""
    opener = OPENERS.get(path.suffix.lower(), open)
    with (
        written_whole(path) as partial,
        opener(partial, mode="wt", encoding="utf8", newline="") as text,
    ):
        yield text


@contextmanager
def _open(path: Path, **options: Any) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    opener = OPENERS.get(path.suffix.lower(), open)
    try:
        with opener(path, **options) as file:
            yield file
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is truncated or damaged: {error}") from error


def _first_wrong_line(path: Path) -> int:
    with _open(path, mode="rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return number
