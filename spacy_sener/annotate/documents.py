"""What is to be annotated: the documents of files, as they stand there, in blocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpora.files import byte_lines, paths_below, plain_suffix, read_text
from .parquet import read_rows

SUFFIXES = (".jsonl", ".txt", ".parquet")
BLOCK_BYTES = 1 << 20
"""A block with so much text is closed, however few its documents are."""

Fields = dict[str, Any]


class Unreadable(str):
    """Why there is no document at a place."""


@dataclass(frozen=True)
class Item:
    """A document as it stands in the input, or why it cannot be read.

    place: its file, below the folder that is read, and its number there: "sub/a.jsonl:7".
    content: a line of JSON, or the fields of a row.
    """

    place: str
    content: bytes | Fields | Unreadable

    def size(self) -> int:
        """About how many bytes it takes."""
        return _size(self.content)


@dataclass(frozen=True)
class Block:
    """Documents that stand together in the input, and will in the output. number: from 0."""

    number: int
    items: list[Item]


def find_files(path: Path) -> list[Path]:
    """The files to read: this one, or those of a folder, at any depth, by their names.

    Raises ValueError if there is none, and FileNotFoundError.
    """
    kinds = ", ".join(SUFFIXES)
    if path.is_dir():
        # Not `files_below`: a link to nowhere is an error, and not passed over.
        files = [file for file in paths_below(path) if plain_suffix(file) in SUFFIXES]
        if not files:
            raise ValueError(f"{path} has no files that end in one of {kinds}")
        return files
    if not path.is_file():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if plain_suffix(path) not in SUFFIXES:
        raise ValueError(
            f"{path} should be a folder, or end in one of {kinds} (or .gz, .xz). `spacy apply` "
            "annotates .spacy files."
        )
    return [path]


def input_state(path: Path, files: Iterable[Path]) -> Fields:
    """What tells whether an input has changed: names, sizes and times, not what is in the files.

    So a terabyte is checked in a moment, as by make and rsync. Where the folder is does not count.
    """
    digest, n_files, n_bytes = hashlib.sha256(), 0, 0
    for file in files:
        stat = file.stat()
        digest.update(json.dumps([_place(path, file), stat.st_size, stat.st_mtime_ns]).encode())
        n_files += 1
        n_bytes += stat.st_size
    return {"files": n_files, "bytes": n_bytes, "names, sizes and times": digest.hexdigest()}


def read_blocks(
    path: Path, files: Iterable[Path], *, text_key: str, block_size: int
) -> Iterator[Block]:
    """All documents in blocks of at most `block_size`, or of fewer with `BLOCK_BYTES` of text.

    The same files give the same blocks. What is no document is an item that says why: nothing
    stops the rest of the input, but for a file that the system does not give (OSError).
    """
    items: list[Item] = []
    number, size = 0, 0
    for file in files:
        for item in _read_items(file, _place(path, file), text_key):
            items.append(item)
            size += item.size()
            if len(items) >= block_size or size >= BLOCK_BYTES:
                yield Block(number, items)
                items, number, size = [], number + 1, 0
    if items:
        yield Block(number, items)


def _read_items(file: Path, place: str, text_key: str) -> Iterator[Item]:
    """The documents of a file. One item stands for all behind the place where it is damaged."""
    number = 0
    try:
        if plain_suffix(file) == ".txt":
            yield _text_item(file, place, text_key)
        elif plain_suffix(file) == ".parquet":
            for number, row in enumerate(read_rows(file, text_key), 1):
                content = row if isinstance(row, dict) else Unreadable(row)
                yield Item(f"{place}:{number}", content)
        else:
            for number, line in enumerate(byte_lines(file), 1):
                if line is None:
                    yield Item(f"{place}:{number}", Unreadable("the line is too long"))
                elif line.strip():
                    yield Item(f"{place}:{number}", line)
    except ValueError as error:
        yield Item(
            f"{place}:{number + 1}", Unreadable(f"nothing can be read from here on: {error}")
        )


def _text_item(file: Path, place: str, text_key: str) -> Item:
    try:
        return Item(place, {text_key: read_text(file)})
    except ValueError as error:
        return Item(place, Unreadable(str(error)))


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(1 + _size(each) for each in values)


def _place(path: Path, file: Path) -> str:
    """The name of a file below the input, as text that every encoding has."""
    name = file.relative_to(path).as_posix() if path.is_dir() else file.name
    return name.encode("utf8", "surrogateescape").decode("utf8", "backslashreplace")
