"""Reading `.xz` files in limited memory, which `lzma.open` does not."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any, BinaryIO

MAX_MEMORY = 1 << 29  # bytes; `xz -9` needs an eighth of that
CHUNK = 1 << 16  # bytes


def open_xz(path: Path, mode: str, **options: Any) -> Any:
    """As `lzma.open`, to read. Raises LZMAError if it asks for too much memory, as for damage."""
    file = io.BufferedReader(_XzFile(path.open("rb")), CHUNK)
    return io.TextIOWrapper(file, **options) if "t" in mode else file


class _XzFile(io.RawIOBase):
    """What is packed in a file.

    The header of any block may ask for a dictionary of 4 GiB. What comes behind a stream is another
    one, zeros, or damage, as in `gzip`; `lzma.LZMAFile` passes over all streams behind zeros.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data and (not self._stream.eof or self._next_stream()):
            packed = self._file.read(CHUNK) if self._stream.needs_input else b""
            if self._stream.needs_input and not packed:
                raise EOFError("it ends within a stream")
            data = self._stream.decompress(packed, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _next_stream(self) -> bool:
        """Begin with it, if there is one."""
        rest = self._stream.unused_data.lstrip(b"\0")
        while not rest and (chunk := self._file.read(CHUNK)):
            rest = chunk.lstrip(b"\0")
        if rest:
            self._file.seek(-len(rest), io.SEEK_CUR)
            self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)
        return bool(rest)
