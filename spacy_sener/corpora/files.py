"""Files as they come, packed or not, with byte order mark or not; and written all or nothing."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from filelock import FileLock, Timeout

from .xz import open_xz

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": open_xz}
# Without name, which would be that of a part, and time: what is the same is packed to the same.
PACKERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".gz": lambda file: gzip.GzipFile("", "wb", fileobj=file, mtime=0),
    ".xz": partial(lzma.open, mode="wb"),
}

# The most that is held in memory at once: of a packed file, whose size says nothing, and of a line
# or text. Whole books are a hundredth of that.
MAX_UNPACKED = 1 << 29  # bytes
MAX_TEXT = 1 << 28  # characters
CHUNK = 1 << 16  # bytes
ESCAPED = re.compile("[\udc80-\udcff]")  # what "surrogateescape" has for bytes that are not UTF-8


def plain_path(path: Path) -> Path:
    """The path without `.gz` or `.xz`."""
    return path.with_suffix("") if path.suffix.lower() in OPENERS else path


def plain_suffix(path: Path) -> str:
    """The suffix below `.gz` or `.xz`, in lower case: ".jsonl" for "a.jsonl.gz"."""
    return plain_path(path).suffix.lower()


def files_below(folder: Path) -> list[Path]:
    """Those of `paths_below` that are files: no links to nowhere, and no pipes."""
    return [path for path in paths_below(folder) if path.is_file()]


def paths_below(folder: Path) -> list[Path]:
    """What lies in a folder and the folders in it and is no folder, sorted.

    Links are followed, but for those to a folder that they lie in. Left out is what a dot hides,
    such as what macOS and Jupyter put beside files, and what a command that was killed left of one.
    Raises OSError for a folder that cannot be read.
    """
    return sorted(_walk(folder, above=frozenset()))


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    place = folder.resolve()
    if place in above:  # a link leads in a circle
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path, above | {place})
        else:
            yield path


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
    """The lines of a file without their ends, counted from 1; only \\n, \\r and \\r\\n end one.

    Raises ValueError for a line that is too long.
    """
    with open_text(path) as file:
        lines = iter(partial(file.readline, MAX_TEXT), "")
        for number, line in enumerate(lines, 1):
            if len(line) >= MAX_TEXT:
                raise ValueError(f"{path}, line {number}: longer than {MAX_TEXT} characters")
            yield number, line.rstrip("\r\n")


def byte_lines(path: Path) -> Iterator[bytes | None]:
    """The lines of a file as they stand there, unpacked; None for one that is too long to hold.

    Only \\n ends one. Raises ValueError for a damaged archive, while it is read as well.
    """
    with _open(path, mode="rb") as file:
        while line := file.readline(MAX_TEXT):
            if len(line) < MAX_TEXT:
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_TEXT)
            yield None


def read_text(path: Path) -> str:
    """The text of a file, as `open_text` has it; raises ValueError if it is too long."""
    with open_text(path) as file:
        text = file.read(MAX_TEXT)
    if len(text) >= MAX_TEXT:
        raise ValueError(f"{path} is longer than {MAX_TEXT} characters")
    return text


def read_bytes(path: Path) -> bytes:
    """What a file holds, unpacked; raises as `open_text` does, and if that is too much."""
    with _open(path, mode="rb") as file:
        if path.suffix.lower() not in OPENERS:
            return file.read()
        data = file.read(MAX_UNPACKED + 1)
    if len(data) > MAX_UNPACKED:
        raise ValueError(f"{path} is larger than {MAX_UNPACKED} bytes, unpacked: unpack it before")
    return data


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path to write to instead of `path`, which it becomes at the end, and only if nothing fails.

    The folder is made where there is none. The suffix is that of `path`. A link stays one: what it
    leads to is replaced.
    """
    check_file(path)
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{path.name}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Raise IsADirectoryError for a folder, FileExistsError for a pipe or device, which cannot be
    replaced by a file, else as `check_folder` does for the folder it is in."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file to write")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is a pipe or device: name a file to write")
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Raise NotADirectoryError where a file is in the way of a folder to write to."""
    for place in (path, *path.parents):
        if place.is_file():
            raise NotADirectoryError(f"{place} is a file: name a folder to write to")


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """As `written_whole`, for a folder to fill.

    Raises FileExistsError, before, if it is there and not empty, and for the one that the process
    works in, even so: all relative paths would lead nowhere once it is replaced.
    """
    target = path.resolve()
    if target == Path.cwd():
        raise FileExistsError(f"{path} is the current folder: name a new folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{path} is there already: name a new folder")
    target.mkdir(parents=True, exist_ok=True)
    target.rmdir()  # it could be made, which is better known before the work than after
    part = target.with_name(f".part-{target.name}")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    try:
        yield part
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def folder_replaced_whole(path: Path) -> Iterator[Path]:
    """As `folder_written_whole`, for a folder of ours that may be there, and then is removed."""
    part, old = path.with_name(f".part-{path.name}"), _old(path)
    restore_folder(path)
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
    try:
        yield part
        if path.exists():
            path.replace(old)
        part.replace(path)
    finally:
        restore_folder(path)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def restore_folder(path: Path) -> None:
    """Put a folder back that `folder_replaced_whole` had taken away when its process was killed."""
    if not path.exists() and _old(path).exists():
        _old(path).replace(path)


def _old(path: Path) -> Path:
    return path.with_name(f".old-{path.name}")


@contextmanager
def folder_alone(path: Path) -> Iterator[None]:
    """Have a folder to write to, made where there is none, for this process alone.

    Raises ValueError if another one has it.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"another run is writing to {path}") from error


@contextmanager
def files_written_whole(folder: Path) -> Iterator[Path]:
    """A folder to write to instead of `folder`, to which its files go at the end.

    They replace those of the same name, each as a whole, and only if nothing fails; other files
    stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / ".part"
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    part.mkdir()
    try:
        yield part
        for file in sorted(file for file in part.rglob("*") if file.is_file()):
            target = folder / file.relative_to(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def create_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 file to write, packed if its name ends in `.gz` or `.xz`, all or nothing."""
    packer = PACKERS.get(path.suffix.lower(), nullcontext)
    with (
        written_whole(path) as part,
        part.open("wb") as file,
        packer(file) as packed,
        TextIOWrapper(packed, encoding="utf8", newline="") as text,
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
    with _open(path, mode="rt", encoding="utf8", errors="surrogateescape") as text:
        lines = enumerate(iter(partial(text.readline, MAX_TEXT), ""), 1)
        return next(number for number, line in lines if ESCAPED.search(line))
