"""Checksums of the files in a folder, as the program sha256sum writes and checks them."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

SUMS = "SHA256SUMS"
CHUNK = 1 << 20  # bytes
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_sums(folder: Path, names: Iterable[str], *, target: Path | None = None) -> None:
    """Write the checksums of those files that are there, for `check_sums`.

    target: the folder that the files are to go to, if it is another. Of those in it that stay the
    checksums are kept.
    """
    digests = {name: _digest(folder / name) for name in names if (folder / name).is_file()}
    if target is not None and (left := set(names) - digests.keys()) and (target / SUMS).is_file():
        before = _read(target / SUMS)
        digests |= {name: before[name] for name in left & before.keys()}
    lines = [f"{digest}  {name}\n" for name, digest in digests.items()]
    (folder / SUMS).write_text("".join(lines), encoding="utf8")


def check_sums(folder: Path, names: Iterable[str], *, but: Iterable[str] = ()) -> None:
    """Raise ValueError if a file is not what it was when the checksums were written, or is gone.

    names: of files that must have a checksum if they are there. but: of files that are of no
    matter. Warns where there are no checksums.
    """
    path = folder / SUMS
    if not path.is_file():
        warnings.warn(
            f"{folder} has no file {SUMS}: whether its files are whole cannot be told. If you are "
            "sure that they are, save the pipeline again.",
            stacklevel=2,
        )
        return
    expected, ignored = _read(path), set(but)
    for name in names:
        if name not in ignored | expected.keys() and (folder / name).exists():
            raise ValueError(f"{path} is damaged: it has no checksum of {name}.")
    for name, digest in expected.items():
        if name not in ignored:
            _check(folder / name, digest)


def _read(path: Path) -> dict[str, str]:
    """The digests by the names of their files, which lie beside it."""
    digests = {}
    for line in path.read_text(encoding="utf8").splitlines():
        match = LINE.fullmatch(line)
        if match is None or Path(match[2]).name != match[2]:
            raise ValueError(f"{path} is damaged: {line[:80]!r} is no checksum of a file.")
        digests[match[2]] = match[1]
    return digests


def _check(file: Path, expected: str) -> None:
    if not file.is_file():
        raise ValueError(f"The file {file} is missing. Copy or download the folder again.")
    if _digest(file) != expected:
        raise ValueError(
            f"{file} is not what was saved: its checksum is not that in {SUMS}. Copy or download "
            f"the folder again. If you have changed the file yourself, run `sha256sum` on it and "
            f"put the result into {SUMS}."
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
