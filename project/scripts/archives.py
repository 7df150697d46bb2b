"""Texts of files in an archive, which is read where it is: nothing is unpacked to disk."""

import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath


def archived_texts(archive: Path, pattern: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Names and texts of the plain files in a .zip or .tar.gz whose names match the pattern.

    Raises ValueError if any name in the archive leads out of it: nobody packs that by accident.
    """
    names_and_bytes = zipped_files if archive.suffix == ".zip" else tarred_files
    for name, content in names_and_bytes(archive, pattern):
        yield name, content.decode("utf-8-sig")


def zipped_files(archive: Path, pattern: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            name = checked_name(archive, info.filename)
            if not info.is_dir() and fnmatch(str(name), pattern):
                yield name, opened.read(info)


def tarred_files(archive: Path, pattern: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            name = checked_name(archive, info.name)
            # Links are passed over: of a link, extractfile() would give what it points to.
            content = opened.extractfile(info) if info.isfile() else None
            if content is not None and fnmatch(str(name), pattern):
                yield name, content.read()


def checked_name(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{archive} has a file that leads out of it: {name!r}")
    return path
