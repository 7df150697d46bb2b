"""What is read, in which blocks, and what is said of what cannot be read."""

import gzip
import json
import lzma
import os
from pathlib import Path

import pytest

from spacy_sener.annotate import documents
from spacy_sener.annotate.documents import (
    Block,
    Item,
    Unreadable,
    find_files,
    input_state,
    read_blocks,
)
from spacy_sener.corpora import files


def blocks(path: Path, *, block_size: int = 1000) -> list[Block]:
    return list(read_blocks(path, find_files(path), text_key="text", block_size=block_size))


def items(path: Path) -> list[Item]:
    return [item for block in blocks(path) for item in block.items]


def test_a_folder_of_all_kinds(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n\n  \n{"text": "two"}')
    (tmp_path / "sub" / "a.jsonl.xz").write_bytes(lzma.compress(b"not JSON\r\n"))
    (tmp_path / "b.txt").write_text("Ada\r\nBrenk ", encoding="utf8", newline="")
    (tmp_path / "notes.md").write_text("not read")
    assert items(tmp_path) == [
        Item("a.jsonl:1", b'{"text": "one"}\n'),
        Item("a.jsonl:4", b'{"text": "two"}'),
        Item("b.txt", {"text": "Ada\r\nBrenk "}),
        Item("sub/a.jsonl.xz:1", b"not JSON\r\n"),
    ]
    (item,) = items(tmp_path / "b.txt")
    assert item.place == "b.txt"


def test_what_cannot_be_read_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_TEXT", 40)
    packed = gzip.compress(os.urandom(2000).hex(" ", 8).replace(" ", "\n").encode())
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "c.txt").write_text("x" * 40)
    (tmp_path / "d.jsonl").write_text("x" * 38 + "\n" + "y" * 100 + "\nlast")
    (tmp_path / "e.parquet").write_text("not Parquet")
    found = items(tmp_path)
    unreadable = {item.place: item.content for item in found if isinstance(item.content, str)}
    assert all(isinstance(content, Unreadable) for content in unreadable.values())
    (cut,) = [place for place in unreadable if place.startswith("a.jsonl.gz")]
    n_before = sum(item.place.startswith("a.jsonl.gz") for item in found) - 1
    assert cut == f"a.jsonl.gz:{n_before + 1}"
    assert n_before > 10
    assert "truncated or damaged" in unreadable[cut]
    assert "not UTF-8" in unreadable["b.txt"]
    assert "longer than 40" in unreadable["c.txt"]
    assert unreadable["d.jsonl:2"] == "the line is too long"
    assert [item.content for item in found if item.place in ("d.jsonl:1", "d.jsonl:3")] == [
        b"x" * 38 + b"\n",
        b"last",
    ]
    assert "nothing can be read" in unreadable["e.parquet:1"]


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = arrow.array([b"one", b"caf\xe9", None, b"four"]).view(arrow.string())
    labels = [["city"], None, [], None]
    table = arrow.table(
        {"id": [7, 8, 9, 10], "text": texts, "gliner_labels": labels, "other": [0] * 4}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    parquet.write_table(arrow.table({"body": ["x"]}), tmp_path / "b.parquet")
    first, torn, third, last, other = items(tmp_path)
    assert first == Item("a.parquet:1", {"text": "one", "id": 7, "gliner_labels": ["city"]})
    assert (torn.place, str(torn.content)[:9]) == ("a.parquet:2", "UnicodeDe")
    assert third.content == {"text": None, "id": 9, "gliner_labels": []}
    assert last == Item("a.parquet:4", {"text": "four", "id": 10, "gliner_labels": None})
    assert "there is no column 'text' (--text-key), but ['body']" in str(other.content)

    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:10] + b"\xff" * 40 + data[50:])
    assert "nothing can be read" in str(items(tmp_path / "a.parquet")[0].content)


def test_blocks_are_closed_by_documents_and_by_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "BLOCK_BYTES", 100)
    texts = ["x", "y", "z", "long" * 30, "x", "y"]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(text) + "\n" for text in texts))
    found = blocks(path, block_size=2)
    assert [block.number for block in found] == [0, 1, 2]
    assert [len(block.items) for block in found] == [2, 2, 2]
    assert [len(block.items) for block in blocks(path, block_size=5)] == [4, 2]
    (tmp_path / "none.jsonl").write_text("\n\n")
    assert blocks(tmp_path / "none.jsonl") == []


def test_which_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        find_files(tmp_path / "none")
    with pytest.raises(ValueError, match=r"no files that end in one of \.jsonl"):
        find_files(tmp_path)
    (tmp_path / "a.csv").touch()
    with pytest.raises(ValueError, match=r"a\.csv should be a folder, or end in"):
        find_files(tmp_path / "a.csv")


def test_folders_named_like_files(tmp_path: Path) -> None:
    """As Spark makes them: the files in them are read."""
    for name in ("x.parquet/part-0.txt", "notes.txt/a.txt", "y.jsonl/z.jsonl/b.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one")
    assert [item.place for item in items(tmp_path)] == [
        "notes.txt/a.txt",
        "x.parquet/part-0.txt",
        "y.jsonl/z.jsonl/b.jsonl:1",
    ]
    link = tmp_path / "link.txt"
    for target in ("nowhere", link):
        link.symlink_to(target)
        with pytest.raises(OSError, match=r"link\.txt"):
            items(tmp_path)
        link.unlink()


def test_linked_folders_are_read_and_hidden_files_are_not(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    for name in (
        "in/b.txt",
        "in/sub/._a.txt",
        "in/._b.txt",
        "in/.ipynb_checkpoints/a-checkpoint.txt",
        "in/.part-c.txt",
        "elsewhere/c/d.txt",
        "elsewhere/z.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    (source / "a").symlink_to(elsewhere)
    (source / "sub" / "again").symlink_to(source / "a" / "c")
    # Circles: to itself, to a folder above it, and by way of another link.
    (source / "self").symlink_to(source)
    (elsewhere / "c" / "up").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(source)
    assert [item.place for item in items(source)] == [
        *("a/c/d.txt", "a/z.txt", "b.txt", "sub/again/d.txt", "sub/again/up/z.txt")
    ]
    assert files.files_below(source) == find_files(source)


def test_a_change_of_the_input_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("one")

    def state() -> dict[str, object]:
        return input_state(folder, find_files(folder))

    states = [state()]
    (folder / "a.txt").write_text("two")
    os.utime(folder / "a.txt", ns=(1, 1))
    states.append(state())
    (folder / "a.txt").rename(folder / "b.txt")
    states.append(state())
    (folder / "c.txt").touch()
    states.append(state())
    assert len({json.dumps(each) for each in states}) == 4
    folder = folder.rename(tmp_path / "elsewhere")
    assert state() == states[-1]
