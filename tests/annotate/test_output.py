"""The output folder: what is finished stays, what is not is done again, and nothing is mixed."""

import json
from pathlib import Path
from typing import Any

import pytest
from annotate.marked import lines, rows

from spacy_sener.annotate.documents import Fields
from spacy_sener.annotate.output import Output, opened
from spacy_sener.annotate.worker import Failure

MANIFEST: Fields = {"input": {"files": 1}, "settings": {"a": 1}, "made by": {"spacy": "1"}}


def row(doc_id: Any, **more: Any) -> Fields:
    span = {"start": 0, "end": 3, "label": "ÄÖ", "score": 0.25}
    return {"doc_id": doc_id, "spans": [span, {**span, "score": None}], **more}


def opening(folder: Path, manifest: Fields = MANIFEST, **more: Any) -> Any:
    return opened(folder, manifest, **{"file_format": "jsonl", "with_text": False, **more})


def begin(folder: Path) -> None:
    with opening(folder) as output:
        output.write(1, [row(1), Failure("two", "a:2", "bad\ud800")])
        output.write(0, [row("zero")])


def numbers(output: Output) -> tuple[int, int, dict[int, int]]:
    return output.n_docs, output.n_errors, output.finished


def test_rows_and_errors(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    begin(folder)
    assert rows(folder) == [row("zero"), row(1)]
    assert lines(folder / "errors.jsonl") == [
        {"doc_id": "two", "place": "a:2", "message": "bad\ud800"}
    ]
    with opening(folder) as output:
        assert numbers(output) == (2, 1, {0: 1, 1: 2})
        output.conclude()
    assert lines(folder / "done.json") == [{"documents": 2, "errors": 1, "parts": 2}]


def test_a_part_that_is_not_whole_is_not_finished(tmp_path: Path) -> None:
    begin(tmp_path)
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_text()
    (tmp_path / "part-00000001.jsonl").write_text("{")
    with opening(tmp_path) as output:
        assert numbers(output) == (1, 0, {0: 1})
    (tmp_path / "part-00000000.jsonl").unlink()
    with opening(tmp_path) as output:
        assert numbers(output) == (0, 0, {})
    # A run that was killed while it wrote a line; and one whose line is there twice.
    begin(tmp_path)
    journal.write_text(whole + whole.splitlines()[0] + "\n" + '{"block": 2, "do')
    with opening(tmp_path) as output:
        assert numbers(output) == (2, 1, {0: 1, 1: 2})
        output.write(2, [row(2)])
    assert len(lines(journal)) == 3
    journal.write_text("[1]\n" + whole)
    with (
        pytest.raises(ValueError, match=r"journal\.jsonl is damaged, at '\[1\]"),
        opening(tmp_path),
    ):
        pass


def test_blocks_with_errors_can_be_done_again(tmp_path: Path) -> None:
    begin(tmp_path)
    with opening(tmp_path, retry_errors=True) as output:
        assert numbers(output) == (1, 0, {0: 1})
        output.write(1, [row(1), row("two")])
    assert rows(tmp_path) == [row("zero"), row(1), row("two")]
    assert lines(tmp_path / "errors.jsonl") == []


def test_what_is_done_is_not_done_when_a_block_is_to_be_done_again(tmp_path: Path) -> None:
    begin(tmp_path)
    done = tmp_path / "done.json"
    journal = (tmp_path / "journal.jsonl").read_text()

    def conclude() -> None:
        with opening(tmp_path) as output:
            output.conclude()

    conclude()
    with opening(tmp_path):  # and nothing is written
        pass
    assert done.exists()
    with opening(tmp_path) as output:
        output.write(2, [])
        assert not done.exists()
    conclude()
    with opening(tmp_path, retry_errors=True):
        assert not done.exists()
    conclude()
    (tmp_path / "part-00000000.jsonl").unlink()
    with opening(tmp_path):
        assert not done.exists()
    conclude()
    (tmp_path / "journal.jsonl").write_text(journal + "[]\n")
    with pytest.raises(ValueError, match="is damaged"):
        opening(tmp_path).__enter__()
    assert done.exists()


def test_other_runs_and_other_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    begin(folder)
    changed = {**MANIFEST, "settings": {"a": 2}}
    with pytest.raises(ValueError, match=r"something else\.(.|\n)*settings: a was 1 and is 2"):
        opening(folder, changed).__enter__()
    newer = {**MANIFEST, "made by": {"spacy": "2"}}
    with opening(folder, newer), pytest.raises(ValueError, match="another run is writing to"):
        opening(folder).__enter__()
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        opening(folder).__enter__()
    (tmp_path / "file.txt").touch()
    with pytest.raises(ValueError, match=r"holds something else \((file\.txt|out)\)"):
        opening(tmp_path).__enter__()


@pytest.mark.parametrize("content", ["{}", "[]", '{"name": "an app", "settings": {}, "input": {}}'])
def test_the_folder_of_another_program_stays_as_it_is(tmp_path: Path, content: str) -> None:
    theirs = {"manifest.json": content, "journal.jsonl": "theirs", "done.json": "too"}
    for name, text in theirs.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged, .* of another program"):
        opening(tmp_path).__enter__()
    assert {path.name: path.read_text() for path in tmp_path.glob("[!.]*")} == theirs


def test_where_nothing_is_finished_all_may_change(tmp_path: Path) -> None:
    with opening(tmp_path):
        pass
    changed = {**MANIFEST, "settings": {"a": 2}}
    with opening(tmp_path, changed) as output:
        output.write(0, [])
    assert json.loads((tmp_path / "manifest.json").read_text()) == changed
    with pytest.raises(ValueError, match="a was 2 and is 1"):
        opening(tmp_path).__enter__()


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with opening(tmp_path, file_format="parquet", with_text=True) as output:
        output.write(0, [row("a", text="äöü"), row(7, text=""), Failure("b", "b", "bad")])
        output.write(1, [])
    assert parquet.read_table(tmp_path / "part-00000000.parquet").to_pylist() == [
        row("a", text="äöü"),
        row("7", text=""),
    ]
    assert parquet.read_table(tmp_path / "part-00000001.parquet").num_rows == 0


def test_packed_lines(tmp_path: Path) -> None:
    import gzip

    with opening(tmp_path, file_format="jsonl.gz") as output:
        output.write(0, [row("a")])
    (path,) = tmp_path.glob("part-*")
    assert json.loads(gzip.decompress(path.read_bytes())) == row("a")
