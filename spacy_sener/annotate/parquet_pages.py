"""What the pages of a Parquet file take unpacked, by their headers, before Arrow unpacks them.

Arrow takes the memory that the header of a page asks for, up to 2 GiB, whatever the file's own
size and its footer say. So the headers are read here first: they are short, one for about a
mebibyte. Where they are stands in the footer; pyarrow's view of it (`RowGroupMetaData.column`) ends
the process for some damaged ones.

Both are structs of Thrift's compact protocol; `FileMetaData` and `PageHeader` in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from ..corpora import files

# Numbers of fields: of the footer, of a row group, of its chunk of a column, of what is said of it,
ROW_GROUPS, CHUNKS, ABOUT, PACKED_PAGES, FIRST_DATA, DICTIONARY = 4, 1, 3, 7, 9, 11
UNPACKED, PACKED, DATA, DATA_V2, N_VALUES = 2, 3, 5, 8, 1  # and of the header of a page
# Types of fields.
YES, NO, BYTE, SHORT, INT, LONG, DOUBLE, BYTES, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
MAX_DEPTH = 12
BYTES_OF_A_VALUE = 8
"""About what Arrow takes for each value in a list: its level twice, and its place."""


def largest_pages(file: BinaryIO, columns: Iterable[int]) -> Iterator[int]:
    """Bytes that the largest pages of these columns take together, for each row group.

    columns: by their places in the schema, each that has values counted.

    Raises ValueError if a page is larger, or values are more, than may be held at once, and for
    damage.
    """
    columns = list(columns)
    for group in _structs(_footer(file), ROW_GROUPS):
        chunks = _structs(group, CHUNKS)
        if columns and len(chunks) <= max(columns):
            raise ValueError("a row group lacks a column")
        yield sum(_largest_page(file, chunks[i].get(ABOUT)) for i in columns)


def _largest_page(file: BinaryIO, about: Any) -> int:
    limit, largest, n_values = files.MAX_UNPACKED, 0, 0
    file_size = os.fstat(file.fileno()).st_size
    position, dictionary = _number(about, FIRST_DATA), _number(about, DICTIONARY)
    position = min(position, dictionary or position)
    end = min(file_size, position + _number(about, PACKED_PAGES))
    while position < end:
        file.seek(position)
        header = _struct(file)
        unpacked, packed = _number(header, UNPACKED), _number(header, PACKED)
        n_values += _number(header, DATA, N_VALUES) + _number(header, DATA_V2, N_VALUES)
        if unpacked > limit:
            raise ValueError(f"a page has {unpacked} bytes, unpacked, more than {limit}")
        if n_values > limit // BYTES_OF_A_VALUE:
            raise ValueError(f"a row group has {n_values} values, too many: make it smaller")
        largest = max(largest, unpacked)
        position = file.tell() + packed
        if position > file_size:
            raise ValueError("the file ends within a page")
    return largest


def _footer(file: BinaryIO) -> dict[int, Any]:
    """It ends 8 bytes before the file, with its length there."""
    end = file.seek(0, os.SEEK_END) - 8
    file.seek(max(0, end))
    start = end - int.from_bytes(file.read(4), "little")
    if start < 0:
        raise ValueError("the footer is damaged")
    file.seek(start)
    return _struct(file)


def _structs(fields: dict[int, Any], number: int) -> list[dict[int, Any]]:
    """The structs of a list that is a field."""
    found = fields.get(number, [])
    if not isinstance(found, list):
        raise ValueError("the footer is damaged")
    return found


def _number(fields: Any, *path: int) -> int:
    """A number in a struct, or in one that is in it; 0 where it has none."""
    for number in path:
        fields = fields.get(number, 0) if isinstance(fields, dict) else 0
    if not isinstance(fields, int) or fields < 0:
        raise ValueError("a header is damaged")
    return fields


def _struct(file: BinaryIO, depth: int = 0) -> dict[int, Any]:
    """The fields of a struct by their numbers."""
    fields: dict[int, Any] = {}
    number = 0
    while head := _byte(file):
        number = number + (head >> 4) if head >> 4 else _zigzag(file)
        fields[number] = _value(file, head & 15, depth)
    return fields


def _value(file: BinaryIO, kind: int, depth: int) -> Any:
    """Of a field. Texts are passed over, and so are lists, but for those of structs."""
    if kind in (YES, NO):
        return None
    if kind in (SHORT, INT, LONG):
        return _zigzag(file)
    if kind == STRUCT and depth < MAX_DEPTH:
        return _struct(file, depth + 1)
    if kind == LIST and depth < MAX_DEPTH:
        return _list(file, depth + 1)
    if kind not in (BYTE, DOUBLE, BYTES):
        raise ValueError(f"a header is damaged: it has a field of type {kind}")
    n_bytes = {BYTE: 1, DOUBLE: 8}.get(kind) or _varint(file)
    if n_bytes > files.MAX_UNPACKED:
        raise ValueError("a header is damaged: it has a field that is too long")
    if len(file.read(n_bytes)) < n_bytes:
        raise ValueError("the file ends within a header")
    return None


def _list(file: BinaryIO, depth: int) -> list[dict[int, Any]] | None:
    head = _byte(file)
    length = head >> 4 if head >> 4 < 15 else _varint(file)
    kind = head & 15
    if kind == STRUCT:
        return [_struct(file, depth) for _ in range(length)]
    for _ in range(length):
        _value(file, BYTE if kind in (YES, NO) else kind, depth)  # which take no byte in a struct
    return None


def _zigzag(file: BinaryIO) -> int:
    number = _varint(file)
    return (number >> 1) ^ -(number & 1)


def _varint(file: BinaryIO) -> int:
    number, shift = 0, 0
    while (byte := _byte(file)) & 128:
        number |= (byte & 127) << shift
        shift += 7
        if shift > 63:
            raise ValueError("a header is damaged: it has a number without end")
    return number | byte << shift


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("the file ends within a header")
    return byte[0]
