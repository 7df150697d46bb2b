"""brat's standoff: texts in .txt files, and their annotations in .ann files beside them.

The .a1 and .a2 files of the BioNLP tasks, which divide a text's annotations, are read as well.
Offsets count characters, and a line break counts as it is in the file. Whether a byte order mark
counts, which is none of the text, the texts listed with the annotations decide.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from .files import byte_lines, files_below, plain_path, plain_suffix, read_text
from .offsets import same_text
from .records import Record, TextRecord
from .report import Report

ANNOTATIONS = (".ann", ".a1", ".a2")
SUFFIXES = (".txt", *ANNOTATIONS)
PIECE = r"-?\d{1,18} -?\d{1,18}"
SPAN = re.compile(rf"(T\S*)\t([^\t]+) ({PIECE}(?:;{PIECE})*)(?:\t(.*))?")
# What other lines hold, by the character they begin with.
UNREAD = {
    "R": "relations",
    "*": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalizations",
    "#": "notes",
}


def read_brat(path: Path, report: Report) -> Iterator[Record]:
    """The texts of a folder and of the folders in it, or the one that a file belongs to.

    An annotation in several pieces is left out, unless there is only whitespace between them: so
    brat writes one that goes on after a line break. Relations, events, attributes, normalizations
    and notes are counted. The document's name is its path in the folder, without suffix.
    """
    for name, files in sorted(_documents(path).items()):
        yield _record(path, name, files, report)


def _documents(path: Path) -> dict[str, dict[str, Path]]:
    """By the name of each document, its files by their suffix."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        folder, candidates = path, files_below(path)
    else:
        folder, name = path.parent, _name(path, path.parent)
        candidates = sorted(file for file in folder.iterdir() if _name(file, folder) == name)
    found: dict[str, dict[str, Path]] = {}
    for file in candidates:
        suffix = plain_suffix(file)
        if suffix in SUFFIXES and file.is_file():
            files = found.setdefault(_name(file, folder), {})
            if suffix in files:
                raise ValueError(f"{files[suffix]} and {file.name} are one file twice: keep one")
            files[suffix] = file
    return found


def _name(file: Path, folder: Path) -> str:
    return plain_path(file).with_suffix("").relative_to(folder).as_posix()


def _record(path: Path, name: str, files: dict[str, Path], report: Report) -> TextRecord:
    annotations = [files[suffix] for suffix in ANNOTATIONS if suffix in files]
    if ".txt" not in files:
        raise ValueError(f"{path}: there is no text {name}.txt beside {annotations[0].name}")
    where = ", ".join(file.name for file in annotations or [files[".txt"]])
    if not annotations:
        report.add_problem("no annotation file", f"{name} ({where})", files[".txt"].name)
    text = read_text(files[".txt"])
    before = _counted_before(files[".txt"], text, annotations)
    items = [item for file in annotations for item in _items(file, text, before, name, report)]
    return TextRecord(name, where, text, items)


def _counted_before(path: Path, text: str, annotations: list[Path]) -> int:
    """How many characters the offsets count before the text: 1 if they count its file's mark."""
    if not (next(byte_lines(path), None) or b"").startswith(BOM_UTF8):
        return 0
    lines = (line for file in annotations for _, line in _lines(file))
    spans = [match for match in map(SPAN.fullmatch, lines) if match]

    def n_fitting(before: int) -> int:
        return sum(_fits(text, before, span[3], span[4] or "") for span in spans)

    return max(0, 1, key=n_fitting)


def _fits(text: str, before: int, offsets: str, listed: str) -> bool:
    pieces = (text[start:end] for start, end in _pieces(offsets, before))
    return same_text(listed, "".join(pieces))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines; a lone \\r is in a listed text, with the \\n of its line break left out."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        yield number, line.removesuffix("\r")


def _pieces(offsets: str, before: int) -> list[tuple[int, int]]:
    """Starts and ends in the text, before which the offsets count so many characters."""
    pairs = (piece.split() for piece in offsets.split(";"))
    return [(int(start) - before, int(end) - before) for start, end in pairs]


def _items(path: Path, text: str, before: int, name: str, report: Report) -> Iterator[Any]:
    ids: set[str] = set()
    for number, line in _lines(path):
        place = f"{name} ({path.name}, line {number})"
        if line[:1] in UNREAD:
            report.add_unread(UNREAD[line[0]], 1)
            continue
        if not line.strip():
            continue
        match = SPAN.fullmatch(line)
        if match is None:
            report.add_problem("malformed", place, line)
            continue
        span_id, label, offsets, listed = match.groups()
        if span_id in ids:
            report.add_problem("id of another", place, line)
        ids.add(span_id)
        pieces = _pieces(offsets, before)
        if any(_gaps(text, pieces)):
            report.add_problem("discontinuous", place, line)
            continue
        start, end = pieces[0][0], pieces[-1][1]
        yield {"start": start, "end": end, "label": label, "text": listed, "line": number}


def _gaps(text: str, pieces: list[tuple[int, int]]) -> Iterator[str]:
    """What stands between pieces, but whitespace; pieces that go backwards have a gap, too."""
    for (_, end), (start, _) in pairwise(pieces):
        yield text[end:start].strip() if 0 <= end <= start else "backwards"
