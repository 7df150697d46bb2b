"""Annotated files as two parts; those of an import before it stay where one fails."""

from pathlib import Path
from typing import Any

import import_own
import pytest
import spacy
import srsly
from generate import generate
from spacy.tokens import DocBin


def write(path: Path, size: int, split: str = "own") -> Path:
    srsly.write_jsonl(path, generate(split, size, seed=2))
    return path


def texts(path: Path) -> list[str]:
    return [doc.text for doc in DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab)]


def test_a_share_of_the_texts_is_held_out(tmp_path: Path) -> None:
    output = tmp_path / "corpus" / "own"
    import_own.main(str(write(tmp_path / "a.jsonl", 5)), "", output)
    train, dev = (texts(output / f"{part}.spacy") for part in ("train", "dev"))
    assert (len(train), len(dev)) == (4, 1)
    assert {*train, *dev} == {record["text"] for record in generate("own", 5, seed=2)}
    assert sorted(path.name for path in output.iterdir()) == ["dev.spacy", "train.spacy"]
    (doc,) = DocBin().from_disk(output / "dev.spacy").get_docs(spacy.blank("en").vocab)
    assert len(doc.spans["sc"]) > 3
    assert doc.user_data["doc_id"].startswith("own-")


def test_texts_of_the_development_file_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, dev = write(tmp_path / "a.jsonl", 3), write(tmp_path / "b.jsonl", 2)
    import_own.main(str(train), str(dev), tmp_path / "own")
    assert [len(texts(tmp_path / "own" / f"{part}.spacy")) for part in ("train", "dev")] == [1, 2]
    assert "2 documents of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "dev", "options", "message"),
    [
        (1, None, {}, "two parts need two different documents"),
        (3, None, {"share": 2.0}, "should lie between 0 and 1"),
        (3, None, {"package_name": "cv blocks"}, "own_name is 'cv blocks': a package needs a name"),
        (3, "missing.jsonl", {}, "there is no file"),
        (3, "b.jsonl", {}, "nothing is left"),
    ],
)
def test_an_import_that_fails_leaves_the_parts_before_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    size: int,
    dev: str | None,
    options: dict[str, Any],
    message: str,
) -> None:
    output = tmp_path / "own"
    import_own.main(str(write(tmp_path / "good.jsonl", 4, "good")), "", output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    write(tmp_path / "b.jsonl", 3)
    source = write(tmp_path / "a.jsonl", size)
    with pytest.raises(SystemExit) as end:
        import_own.main(str(source), str(tmp_path / dev) if dev else "", output, **options)
    assert end.value.code == 1
    assert message in " ".join(capsys.readouterr().out.split())
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
