"""Archives in `.xz`: whole, of several streams, and such as ask for gigabytes."""

import lzma
import struct
import zlib
from pathlib import Path

import pytest

from spacy_sener.corpora.files import byte_lines, create_text, open_text

LINES = [b"%d %d\n" % (i, i * i * 7919 % 104729) for i in range(20_000)]


def read(path: Path) -> list[bytes | None]:
    return list(byte_lines(path))


def asking_for_4_gib(block: bytes) -> bytes:
    """A stream whose first block names the largest dictionary that there is."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    data = bytearray(lzma.compress(block, filters=filters))
    begin, end = 12, 12 + (data[12] + 1) * 4  # of the header of the block, behind the file's
    data[data.index(b"\x21\x01", begin) + 2] = 40
    data[end - 4 : end] = struct.pack("<I", zlib.crc32(data[begin : end - 4]))
    return bytes(data)


def test_streams_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.xz"
    first, second = (lzma.compress(b"".join(part)) for part in (LINES[:7], LINES[7:]))
    for data in (
        lzma.compress(b"".join(LINES)),
        lzma.compress(b"".join(LINES), format=lzma.FORMAT_ALONE),
        first + second,
        first + lzma.compress(b"") + bytes(8) + second + bytes(100_000),
    ):
        path.write_bytes(data)
        assert read(path) == LINES
        with open_text(path) as text:
            assert text.read().encode() == b"".join(LINES)
    with create_text(path) as text:
        text.write("Ä\r\n")
    assert read(path) == ["Ä\r\n".encode()]


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.xz"
    whole = lzma.compress(b"".join(LINES))
    for data in (b"", b"text", whole[:-9], whole[:5000], whole + b"text", whole + whole[:5000]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="is truncated or damaged"):
            read(path)


def test_memory_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.xz"
    for before in (b"", lzma.compress(b"one\n")):
        path.write_bytes(before + asking_for_4_gib(b"two\n"))
        with pytest.raises(ValueError, match="Memory usage limit exceeded"):
            read(path)
