"""What the pages of a Parquet file take unpacked, by their headers, before Arrow unpacks them.

Arrow takes the memory that the header of a page asks for, up to 2 GiB, whatever the file's own
size and its footer say. So the headers are read here first: they are short, one for about a
mebibyte.

A header is a struct of Thrift's compact protocol; `PageHeader` in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from ..corpora import files

UNPACKED, PACKED, DATA, DATA_V2, N_VALUES = 2, 3, 5, 8, 1  # numbers of fields in a header
YES, NO, BYTE, SHORT, INT, LONG, DOUBLE, BYTES, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12  # their types
MAX_DEPTH = 4
BYTES_OF_A_VALUE = 8
"""About what Arrow takes for each value in a list: its level twice, and its place."""


def largest_page(file: BinaryIO, chunk: Any) -> int:
    """Bytes of the largest page of a column chunk, unpacked. chunk: its pyarrow metadata.

    Raises ValueError if that, or the number of values, is more than may be held at once.
    """
    limit, largest, n_values = files.MAX_UNPACKED, 0, 0
    file_size = os.fstat(file.fileno()).st_size
    position = chunk.data_page_offset
    if chunk.dictionary_page_offset:
        position = min(position, chunk.dictionary_page_offset)
    end = position + chunk.total_compressed_size
    while position < min(end, file_size):
        if position < 0:
            raise ValueError("a page begins before the file")
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


def _number(fields: Any, *path: int) -> int:
    """A number in a struct, or in one that is in it; 0 where it has none."""
    for number in path:
        fields = fields.get(number, 0) if isinstance(fields, dict) else 0
    if not isinstance(fields, int) or fields < 0:
        raise ValueError("the header of a page is damaged")
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
    if kind in (YES, NO):
        return None
    if kind in (SHORT, INT, LONG):
        return _zigzag(file)
    if kind == STRUCT and depth < MAX_DEPTH:
        return _struct(file, depth + 1)
    if kind not in (BYTE, DOUBLE, BYTES):
        raise ValueError(f"the header of a page is damaged: it has a field of type {kind}")
    n_bytes = {BYTE: 1, DOUBLE: 8}.get(kind) or _varint(file)
    if n_bytes > files.MAX_UNPACKED:
        raise ValueError("the header of a page is damaged: it has a field that is too long")
    file.seek(n_bytes, os.SEEK_CUR)
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
            raise ValueError("the header of a page is damaged: it has a number without end")
    return number | byte << shift


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("the file ends within a page")
    return byte[0]
