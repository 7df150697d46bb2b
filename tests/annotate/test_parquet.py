"""Parquet files of any writer are read, in bounded memory, and no row takes others with it."""

import io
import itertools
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from spacy_sener.annotate import parquet as ours
from spacy_sener.annotate.parquet import read_rows
from spacy_sener.annotate.parquet_pages import _struct
from spacy_sener.corpora import files

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

LABELS = ["city", "person"]


@pytest.fixture
def memory() -> Iterator[Any]:
    """What Arrow takes meanwhile."""
    before = arrow.default_memory_pool()
    pool = arrow.proxy_memory_pool(before)
    arrow.set_memory_pool(pool)
    yield pool
    arrow.set_memory_pool(before)


def rows(path: Path) -> list[dict[str, Any] | str]:
    return list(read_rows(path, "text"))


def repeated(value: str, n: int) -> Any:
    return arrow.DictionaryArray.from_arrays(arrow.array([0] * n, arrow.int32()), [value])


def test_files_of_any_writer(tmp_path: Path) -> None:
    """Whatever the headers of pages hold: statistics, checksums, levels of either version."""
    path = tmp_path / "a.parquet"
    expected = [
        {"text": f"{i} " * (i % 7), "id": i, "gliner_labels": LABELS[: i % 3] if i % 5 else None}
        for i in range(200)
    ]
    for version, packed, flag, groups in itertools.product(
        ("1.0", "2.0"), ("none", "zstd", "gzip"), (True, False), (200, 60)
    ):
        parquet.write_table(
            arrow.Table.from_pylist(expected),
            path,
            data_page_version=version,
            compression=packed,
            use_dictionary=flag,
            write_statistics=flag,
            write_page_checksum=flag,
            write_page_index=flag,
            row_group_size=groups,
            data_page_size=100,
            write_batch_size=10,
        )
        assert rows(path) == expected
    for kind in (arrow.large_string(), arrow.dictionary(arrow.int32(), arrow.string())):
        parquet.write_table(arrow.table({"text": arrow.array(["a", None]).cast(kind)}), path)
        assert rows(path) == [{"text": "a"}, {"text": None}]


def test_a_small_file_that_unpacks_to_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: Any
) -> None:
    """One long text, or label, that all rows have, is in the file once."""
    monkeypatch.setattr(ours, "BATCH_BYTES", 1 << 20)
    path = tmp_path / "a.parquet"
    as_one = {"compression": "zstd", "dictionary_pagesize_limit": 1 << 30, "store_schema": False}
    text, label = "x" * (1 << 18), "y" * (1 << 15)
    parquet.write_table(arrow.table({"text": repeated(text, 256)}), path, **as_one)
    assert path.stat().st_size < 1000
    assert rows(path) == [{"text": text}] * 256
    monkeypatch.setattr(files, "MAX_TEXT", 1 << 20)
    labels = arrow.ListArray.from_arrays([0, 1000, 1010], repeated(label, 1010))
    parquet.write_table(arrow.table({"text": ["a", "b"], "gliner_labels": labels}), path, **as_one)
    assert rows(path) == ["the row is too long", {"text": "b", "gliner_labels": [label] * 10}]
    assert memory.max_memory() < 8 << 20


def test_what_is_too_long_or_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: Any
) -> None:
    path = tmp_path / "a.parquet"
    monkeypatch.setattr(files, "MAX_TEXT", 2000)
    texts = ["x" * 1999, "x" * 2000, "x"]
    for column in (texts, arrow.array(texts).dictionary_encode()):
        parquet.write_table(arrow.table({"text": column, "id": ["a", "b", "c"]}), path)
        found = rows(path)
        assert found[:2] == ["the row is too long"] * 2  # with its name
        assert found[2] == {"text": "x", "id": "c"}
    monkeypatch.setattr(files, "MAX_UNPACKED", 1 << 20)
    parquet.write_table(arrow.table({"text": ["x" * (1 << 24)]}), path, compression="zstd")
    before = memory.max_memory()
    with pytest.raises(ValueError, match=r"a page has 167772\d\d bytes, unpacked, more than 1048"):
        rows(path)
    assert memory.max_memory() == before
    many = arrow.table({"text": ["x"], "gliner_labels": [[""] * 140_000]})
    parquet.write_table(many, path)
    with pytest.raises(ValueError, match="a row group has 140000 values, too many"):
        rows(path)


def test_headers_that_are_no_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": ["one", "two"]}), path, use_dictionary=False)
    data = path.read_bytes()
    for start, message in (
        (b"\x15" + b"\xff" * 30, "a number without end"),
        (b"\x15\x00\x18" + b"\xff" * 8 + b"\x7f", "a field that is too long"),
        (b"\x15\x00\x15\x01", "damaged"),  # a size below 0
        (b"\x1c" * 30, "a field of type 12"),  # structs in structs
        (b"\x15\x00\x15\x00\x15\xfe\xff\xff\xff\x0f\x00", "the file ends within a page"),
    ):
        path.write_bytes(data[:4] + start + data[4 + len(start) :])
        with pytest.raises(ValueError, match=message):
            rows(path)


def test_any_damaged_byte(tmp_path: Path) -> None:
    """Nothing but ValueError, and no row is lost. Some end the process in pyarrow's metadata."""
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": ["one"], "gliner_labels": [LABELS]}), path)
    data = path.read_bytes()
    n_refused = 0
    for place, byte in itertools.product(range(len(data)), (0, 0x9C)):
        path.write_bytes(data[:place] + bytes([byte]) + data[place + 1 :])
        try:
            assert len(rows(path)) == 1
        except ValueError:
            n_refused += 1
    assert n_refused > 200
    path.write_bytes(data[:-8] + b"\xff\xff\xff\x7fPAR1")
    with pytest.raises(ValueError, match=r"Parquet|footer"):
        rows(path)


def test_headers_may_hold_what_is_not_asked_for() -> None:
    """Fields of all types, also such as are not there yet."""
    skipped = b"\x11\x12\x13\x07\x17" + bytes(8) + b"\x18\x02ab"
    lists = b"\x19\x35\x02\x02\x02\x19\x21\x01\x02\x19\x18\x01a\x19\xf3\x10" + bytes(16)
    struct = b"\x1c\x15\x03\x00\x19\x2c\x15\x04\x00\x00\x05\xc8\x01\x08\x00"
    fields = _struct(io.BytesIO(skipped + lists + struct))
    nothing = dict.fromkeys(range(1, 10))
    assert fields == {**nothing, 10: {1: -2}, 11: [{1: 2}, {}], 100: 4}
    for endless in (b"\x19\xf3" + b"\xff" * 8 + b"\x7f", b"\x19\x19" * 20, b"\x18\x7f"):
        with pytest.raises(ValueError, match="header"):
            _struct(io.BytesIO(endless))


def test_a_cell_that_has_no_value_in_python_is_that_of_one_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for kind, wrong in ((arrow.timestamp("us"), 2**62), (arrow.date32(), 2**30)):
        number = arrow.int64() if kind.bit_width == 64 else arrow.int32()
        ids = arrow.array([wrong if i == 270 else 0 for i in range(300)], number).cast(kind)
        parquet.write_table(arrow.table({"text": ["x"] * 300, "id": ids}), path)
        found = rows(path)
        assert len(found) == 300
        assert [i for i, row in enumerate(found) if isinstance(row, str)] == [270]
        assert str(found[270]).startswith("OverflowError")


def test_names_of_types_that_json_has_not_are_text(tmp_path: Path) -> None:
    name = UUID(int=7)
    uuids = [(name.bytes, arrow.uuid())] if hasattr(arrow, "uuid") else []
    for value, kind in (
        *uuids,
        (Decimal("1.50"), None),
        (datetime(2024, 1, 30, 2, 40), None),
        (date(2024, 1, 30), None),
        (time(2, 40), None),
        (timedelta(1), None),
    ):
        ids = arrow.array([value, None], kind)
        parquet.write_table(arrow.table({"text": ["x"] * 2, "id": ids}), tmp_path / "a.parquet")
        shown = str(name if kind else value)
        assert rows(tmp_path / "a.parquet") == [
            {"text": "x", "id": shown},
            {"text": "x", "id": None},
        ]


def test_columns_that_cannot_be_what_they_should(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": [["one"]]}), path)
    with pytest.raises(ValueError, match="the column 'text' should not be of type list<"):
        rows(path)
    twice = arrow.Table.from_arrays([arrow.array(["one"])] * 2, names=["text", "text"])
    parquet.write_table(twice, path)
    with pytest.raises(ValueError, match="there are two columns 'text'"):
        rows(path)


def test_too_little_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise arrow.lib.ArrowMemoryError("malloc of size 1 failed")

    path = tmp_path / "a.parquet"
    parquet.write_table(arrow.table({"text": ["one"]}), path)
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", fail)
    with pytest.raises(MemoryError, match="malloc of size 1"):
        rows(path)
