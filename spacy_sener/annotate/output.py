"""The output folder: a part for each block, and a journal of what is finished.

    part-00000000.jsonl ...   the rows of a block, in the order of the input
    journal.jsonl             a line for each finished block: its numbers and its errors
    manifest.json             settings, model and input, to which the rest belongs
    errors.jsonl, done.json   all errors, and all numbers: when a run ends

A part is written beside and renamed, and then its line goes to the journal. Whatever happens
between any two of these steps, a block is either in the journal, with its part whole, or is done
again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..corpora.files import create_text, folder_alone, written_whole
from .documents import Fields
from .manifest import check_manifest
from .parquet import require_arrow, write_rows
from .worker import Answer, Failure

FORMATS = ("jsonl", "jsonl.gz", "parquet")
JOURNAL, ERRORS, DONE = "journal.jsonl", "errors.jsonl", "done.json"


class Output:
    """Takes the answers of each block once. `opened` makes it.

    finished: how many documents the finished blocks have, by their numbers.
    n_docs, n_errors: documents written, and those that could not be annotated.
    """

    def __init__(self, folder: Path, file_format: str, *, with_text: bool) -> None:
        self.folder = folder
        self.format = file_format
        self.with_text = with_text
        self.finished: dict[int, int] = {}
        self.n_docs = 0
        self.n_errors = 0
        self._journal: TextIO | None = None

    def write(self, number: int, answers: Sequence[Answer]) -> None:
        """Write the answers of a block."""
        assert self._journal is not None
        self._done.unlink(missing_ok=True)
        rows = [answer for answer in answers if not isinstance(answer, Failure)]
        errors = [vars(answer) for answer in answers if isinstance(answer, Failure)]
        path = self._part(number)
        self._write_rows(path, rows)
        _to_disk(path)
        entry = {"block": number, "docs": len(rows), "bytes": path.stat().st_size, "errors": errors}
        self._journal.write(json.dumps(entry) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._count(entry)

    def conclude(self) -> None:
        """Say in `done.json` that all is there."""
        numbers = {"documents": self.n_docs, "errors": self.n_errors, "parts": len(self.finished)}
        with create_text(self._done) as file:
            file.write(json.dumps(numbers) + "\n")

    def _write_rows(self, path: Path, rows: Sequence[Fields]) -> None:
        if self.format == "parquet":
            with written_whole(path) as part:
                write_rows(part, rows, with_text=self.with_text)
            return
        with create_text(path) as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    @property
    def _done(self) -> Path:
        return self.folder / DONE

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:08}.{self.format}"

    def _count(self, entry: Fields) -> None:
        self.finished[entry["block"]] = entry["docs"] + len(entry["errors"])
        self.n_docs += entry["docs"]
        self.n_errors += len(entry["errors"])

    def _open(self, *, retry_errors: bool) -> None:
        """Keep of the journal what is true, and go on with it.

        What is done stays done, unless a block has to be done again.
        """
        path, is_done = self.folder / JOURNAL, True
        with create_text(path) as kept:  # which replaces it at the end
            for entry in _entries(path):
                if self._is_whole(entry) and not (retry_errors and entry["errors"]):
                    kept.write(json.dumps(entry) + "\n")
                    self._count(entry)
                else:
                    is_done = False
            if not is_done:
                self._done.unlink(missing_ok=True)
        self._journal = path.open("a", encoding="utf8")

    def _is_whole(self, entry: Fields) -> bool:
        part = self._part(entry["block"])
        is_new = entry["block"] not in self.finished
        return is_new and part.is_file() and part.stat().st_size == entry["bytes"]

    def _close(self) -> None:
        assert self._journal is not None
        self._journal.close()
        with create_text(self.folder / ERRORS) as file:
            for entry in _entries(self.folder / JOURNAL):
                file.writelines(json.dumps(error) + "\n" for error in entry["errors"])


@contextmanager
def opened(
    folder: Path,
    manifest: Fields,
    *,
    file_format: str,
    with_text: bool,
    retry_errors: bool = False,
) -> Iterator[Output]:
    """The output folder, new, or as a run with the same manifest left it.

    manifest: see `manifest.make_manifest`. retry_errors: forget blocks with errors.

    Raises ValueError if it belongs to another run, holds something else, or is in use.
    """
    if file_format == "parquet":
        require_arrow()
    with folder_alone(folder):
        check_manifest(folder, manifest)
        output = Output(folder, file_format, with_text=with_text)
        output._open(retry_errors=retry_errors)
        try:
            yield output
        finally:
            output._close()


def _entries(path: Path) -> Iterator[Fields]:
    """The lines of a journal; not the last one, if it was not written to its end."""
    if path.is_file():
        with path.open(encoding="utf8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield _entry(path, line)


def _entry(path: Path, line: str) -> Fields:
    try:
        entry = json.loads(line)
        if {"block", "docs", "bytes", "errors"} <= entry.keys():
            return entry
    except (ValueError, AttributeError):
        pass
    raise ValueError(f"{path} is damaged, at {line[:80]!r}: name a new folder")


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
