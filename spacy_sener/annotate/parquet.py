"""Rows of Parquet files, through pyarrow, an optional extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..extensions import LABELS

# Rows that are unpacked at once.
BATCH = 256
ID_KEYS = ("doc_id", "id")


def read_rows(path: Path, text_key: str) -> Iterator[dict[str, Any] | str]:
    """The columns that count of each row: its text, name and labels; or why it cannot be read.

    Raises ValueError for a file that is damaged, or has no such text, also while it is read.
    """
    arrow = require_arrow()
    try:
        with arrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if text_key not in names:
                raise ValueError(f"there is no column '{text_key}' (--text-key), but {names}")
            columns = [name for name in (text_key, *ID_KEYS, LABELS) if name in names]
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                yield from _rows(batch)
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
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow: pip install 'spacy-sener[parquet]'") from error
    return pyarrow


def _rows(batch: Any) -> Iterator[dict[str, Any] | str]:
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:  # somewhere in it: row by row
        for i in range(batch.num_rows):
            try:
                yield batch.slice(i, 1).to_pylist()[0]
            except UnicodeDecodeError as error:
                yield f"not UTF-8: {error}"
