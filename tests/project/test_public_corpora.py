"""The public corpora, as invented archives of the same form; and archives that mean harm."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from archives import archived_texts
from packing import write_tar, write_zip
from public_corpora import (
    Parts,
    read_cuad,
    read_litbank,
    read_rmu_echr,
    read_scirex,
    tagged_spans,
)
from splits import held_out

from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.report import Report


def spans(parts: Parts, part: str, folder: Path) -> list[list[tuple[str, str]]]:
    """Text and label of every span, as `spacy sener convert` understands the records."""
    path = folder / f"{part}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in parts[part]), encoding="utf8")
    report = Report()
    docs = list(read_docs(path, spacy.blank("en"), report=report))
    assert not report.problems
    return [[(span.text, span.label_) for span in doc.spans["sc"]] for doc in docs]


def test_litbank(tmp_path: Path) -> None:
    files = {}
    for number in range(10):
        stem = f"litbank-0/entities/brat/{number}_novel_brat"
        files[f"{stem}.txt"] = "“ Anna 's cottage\nburned .\n"
        files[f"{stem}.ann"] = "T1\tPER 2 6\tAnna\nT2\tFAC 2 17\tAnna 's cottage\nR1\tx\n"
        files[f"litbank-0/coref/brat/{number}_novel_brat.txt"] = "another layer"
    parts = read_litbank(write_tar(tmp_path / "archive.tar.gz", files))
    assert {part: len(records) for part, records in parts.items()} == {
        "train": 8,
        "dev": 1,
        "test": 1,
    }
    names = {record["id"] for records in parts.values() for record in records}
    assert names == {f"{number}_novel" for number in range(10)}
    for found in spans(parts, "train", tmp_path):
        assert sorted(found) == [("Anna", "PER"), ("Anna 's cottage", "FAC")]


def test_scirex(tmp_path: Path) -> None:
    paper = {"doc_id": "p", "words": ["A", "Deep", "Net", "."], "ner": [[1, 3, "Method"]]}
    files = {f"release_data/{part}.jsonl": json.dumps(paper) for part in ("train", "dev", "test")}
    parts = read_scirex(write_tar(tmp_path / "archive.tar.gz", files))
    assert sorted(parts) == ["dev", "test", "train"]
    assert spans(parts, "dev", tmp_path) == [[("Deep Net", "Method")]]


def contract(title: str, text: str) -> dict[str, Any]:
    answers = [{"text": "Kiln Ltd.", "answer_start": 3}]
    questions = [("Parties", [*answers, *answers]), ("Insured", answers), ("Cap", [])]
    qas = [{"id": f"{title}__{label}", "answers": found} for label, found in questions]
    return {"title": title, "paragraphs": [{"context": text, "qas": qas}]}


def test_cuad(tmp_path: Path) -> None:
    # Two contracts with the same text: they must not be parted.
    texts = {f"c__{number}": f"By Kiln Ltd. {number // 2}" for number in range(20)}
    contracts = [contract(title, text) for title, text in texts.items()]
    files = {
        "CUADv1.json": json.dumps({"data": contracts}),
        "test.json": json.dumps({"data": contracts[:4]}),
        "train_separate_questions.json": "{}",
    }
    parts = read_cuad(write_zip(tmp_path / "archive.zip", files))
    assert [record["id"] for record in parts["test"]] == ["c__0", "c__1", "c__2", "c__3"]
    assert len(parts["train"]) == 14
    assert len({record["text"] for record in parts["dev"]}) == 1
    assert len(parts["dev"]) == 2
    for found in spans(parts, "dev", tmp_path):
        assert sorted(found) == [("Kiln Ltd.", "Insured"), ("Kiln Ltd.", "Parties")]


def test_rmu_echr(tmp_path: Path) -> None:
    rows = [
        (["1.", "He", "said", '"', "no", '"'], ["O", "O", "B-Subsumtion", *["I-Subsumtion"] * 3]),
        # An argument that goes on in the next paragraph, and one at its heels.
        (
            ["twice", ".", "It's", "law"],
            ["I-Subsumtion", "B-X: Legitimer", "B-X - Legitimer", "I-X - Legitimer"],
        ),
    ]
    table = "".join(
        f'"{str(words).replace(chr(34), chr(34) * 2)}"\t{tags}\n' for words, tags in rows
    )
    names = ("train/argType", "val/argType", "test/argType", "val/agent", "argType")
    files = {f"repository-0/data/{name}/001-1.csv": "tokens\tlabels\n" + table for name in names}
    parts = read_rmu_echr(write_tar(tmp_path / "archive.tar.gz", files))
    assert {part: len(records) for part, records in parts.items()} == {
        "train": 1,
        "dev": 1,
        "test": 1,
    }
    assert [(entity[:2], entity[3]) for entity in parts["dev"][0]["entity"]] == [
        ([2, 7], "application"),
        ([7, 8], "legitimate_purpose"),
        ([8, 10], "legitimate_purpose"),
    ]
    assert spans(parts, "dev", tmp_path)[0][0] == ('said " no " twice', "application")


def test_a_label_of_rmu_echr_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="unknown label 'Neues'"):
        list(tagged_spans(["B-Neues", "I-Neues"]))


@pytest.mark.parametrize("name", ["../out.jsonl", "/out.jsonl", "a/../../out.jsonl", "..\\out"])
@pytest.mark.parametrize(
    ("write", "archive"), [(write_tar, "archive.tar.gz"), (write_zip, "archive.zip")]
)
def test_a_name_that_leads_out_of_the_archive_is_refused(
    tmp_path: Path, write: Callable[..., Path], archive: str, name: str
) -> None:
    path = write(tmp_path / archive, {"fine.jsonl": "{}", name: "{}"})
    with pytest.raises(ValueError, match="leads out of it"):
        list(archived_texts(path, "*"))


def test_a_link_is_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("train.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert list(archived_texts(tmp_path / "archive.tar.gz", "*")) == []


def test_what_is_held_out_does_not_depend_on_order_and_hardly_on_size() -> None:
    names = [f"document {number}" for number in range(100)]
    held = held_out(names, 0.2)
    assert len(held) == 20
    assert held == held_out([*reversed(names), *names], 0.2)
    assert held != held_out(names, 0.2, seed=1)
    assert len(held & held_out([*names, "one more"], 0.2)) >= 19


@pytest.mark.parametrize(("size", "share", "held"), [(2, 0.01, 1), (3, 0.99, 2), (5, 0.2, 1)])
def test_neither_part_is_ever_empty(size: int, share: float, held: int) -> None:
    assert len(held_out(map(str, range(size)), share)) == held


@pytest.mark.parametrize(("size", "share"), [(1, 0.5), (0, 0.5), (9, 0.0), (9, 1.0)])
def test_what_cannot_be_split(size: int, share: float) -> None:
    with pytest.raises(ValueError, match=r"two parts|the share"):
        held_out(map(str, range(size)), share)
