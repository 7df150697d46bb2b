"""Rows of Parquet files, through pyarrow, an optional extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from ..corpora import files
from ..corpora.records import ID_KEYS
from ..extensions import LABELS
from .parquet_pages import BYTES_OF_A_VALUE, largest_pages

NO_JSON = (UUID, Decimal, date, time, timedelta)
"""Types of names that become text."""
BATCH, BATCH_BYTES = 256, 1 << 26
"""Rows that are unpacked at once: so many, or fewer if they might take more bytes."""
BUFFER = 1 << 20  # bytes that are read ahead of each column


def read_rows(path: Path, text_key: str) -> Iterator[dict[str, Any] | str]:
    """The columns that count of each row: its text, name and labels; or why it cannot be read.

    Raises ValueError for a file that is damaged, has no such text, or would take too much memory,
    also while it is read; MemoryError where even that is not there.
    """
    arrow = require_arrow()
    try:
        yield from _read_rows(arrow.parquet, path, text_key)
    except MemoryError:  # that of Arrow is one of its own errors as well
        raise
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(str(error)) from error  # so Arrow calls what it cannot unpack


def write_rows(path: Path, rows: Sequence[dict[str, Any]], *, with_text: bool) -> None:
    """Write rows of `doc_id` (as text), `spans` and perhaps `text`."""
    arrow = require_arrow()
    span = [
        ("start", arrow.int64()),
        ("end", arrow.int64()),
        ("label", arrow.string()),
        ("score", arrow.float64()),
    ]
    fields = [("doc_id", arrow.string()), ("spans", arrow.list_(arrow.struct(span)))]
    if with_text:
        fields.append(("text", arrow.string()))
    named = [{**row, "doc_id": str(row["doc_id"])} for row in rows]
    arrow.parquet.write_table(arrow.Table.from_pylist(named, schema=arrow.schema(fields)), path)


def require_arrow() -> Any:
    """The module `pyarrow`. Raises ValueError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow: pip install 'spacy-sener[parquet]'") from error
    return pyarrow


def _read_rows(parquet: Any, path: Path, text_key: str) -> Iterator[dict[str, Any] | str]:
    metadata = parquet.read_metadata(path)
    names = _columns(metadata.schema.to_arrow_schema(), text_key)
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    ours = [i for i, leaf in enumerate(leaves) if _is_of(leaf, names)]
    # One row may repeat a label any number of times: as a dictionary, each is held once.
    listed = [leaves[i].path for i in ours if leaves[i].max_repetition_level]
    with (
        path.open("rb") as pages,
        parquet.ParquetFile(
            path, metadata=metadata, read_dictionary=listed, pre_buffer=False, buffer_size=BUFFER
        ) as file,
    ):
        # No value is larger than a page; all rows of a batch may have one and the same.
        groups = zip(range(metadata.num_row_groups), largest_pages(pages, ours), strict=True)
        n_rows = 0
        for number, largest in groups:
            size = max(1, min(BATCH, BATCH_BYTES // max(1, largest)))
            for batch in file.iter_batches(size, row_groups=[number], columns=names):
                yield from _rows(batch)
                n_rows += batch.num_rows
    if n_rows != metadata.num_rows:
        raise ValueError(f"there are {n_rows} rows, and {metadata.num_rows} by the footer")


def _columns(schema: Any, text_key: str) -> list[str]:
    """The names of the columns that count. Raises ValueError if one is not of a type to be read."""
    if text_key not in schema.names:
        raise ValueError(f"there is no column '{text_key}' (--text-key), but {schema.names}")
    names = [name for name in dict.fromkeys((text_key, *ID_KEYS, LABELS)) if name in schema.names]
    for name in names:
        if schema.names.count(name) > 1:
            raise ValueError(f"there are two columns '{name}'")
        kind = schema.field(name).type
        value = kind.value_type if name == LABELS and hasattr(kind, "value_type") else kind
        if value.num_fields:
            raise ValueError(f"the column '{name}' should not be of type {kind}")
    return names


def _is_of(leaf: Any, names: Sequence[str]) -> bool:
    """Whether a column, or what it is nested in, is one of these."""
    return any(f"{leaf.path}.".startswith(f"{name}.") for name in names)


def _rows(batch: Any) -> Iterator[dict[str, Any] | str]:
    """One by one, as Python may have no value for what is in one of them: a time of a far year."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    label_bytes = _longest(columns[LABELS]) if LABELS in columns else 0
    for i in range(batch.num_rows):
        try:
            row = _row({name: column[i] for name, column in columns.items()}, label_bytes)
        except MemoryError:
            raise
        except Exception as error:
            row = f"{type(error).__name__}: {error}"
        yield row


def _row(cells: dict[str, Any], label_bytes: int) -> dict[str, Any] | str:
    """The values of a row, unless they would be too long. label_bytes: of the longest label."""
    labels = getattr(cells.get(LABELS), "values", None)
    n_bytes = sum(_n_bytes(cell) for cell in cells.values())
    if n_bytes + len(labels or ()) * label_bytes >= files.MAX_TEXT:
        return "the row is too long"
    values = {name: cell.as_py() for name, cell in cells.items()}
    names = {key: str(values[key]) for key in ID_KEYS if isinstance(values.get(key), NO_JSON)}
    return values | names


def _n_bytes(cell: Any) -> int:
    """Of a text, however it is encoded; 0 for anything else."""
    text = getattr(cell, "value", cell)
    buffer = text.as_buffer() if hasattr(text, "as_buffer") else None
    return buffer.size if buffer is not None else 0


def _longest(column: Any) -> int:
    """Bytes of the longest label in a column of lists."""
    arrow = require_arrow()
    labels = getattr(column, "values", None)
    if not isinstance(labels, arrow.DictionaryArray):
        return BYTES_OF_A_VALUE
    lengths = arrow.compute.binary_length(labels.dictionary.cast(arrow.large_binary()))
    return max(BYTES_OF_A_VALUE, arrow.compute.max(lengths).as_py() or 0)
