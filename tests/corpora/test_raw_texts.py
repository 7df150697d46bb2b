"""Texts without annotations, from every kind of file."""

import gzip
import json
from pathlib import Path

import pytest
from corpora.documents import NLP
from spacy.tokens import Doc, DocBin, Span

from spacy_sener.corpora.raw_texts import read_texts


def write_all(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "b.txt").write_text("Ada\r\n Brenk ", encoding="utf8", newline="")
    (folder / "sub" / "c.txt.gz").write_bytes(gzip.compress("Émile".encode()))
    (folder / "notes.md").write_text("not read")
    lines = [
        {"text": "one two", "id": 7, "spans": [[0, 3, "x"]], "gliner_labels": ["number"]},
        {"text": ["three", "New York", ""]},
        {"data": "of doccano", "label": [[0, 2, "x"]]},
    ]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    text = NLP("four five")
    words = Doc(NLP.vocab, words=["six", "."])
    for doc in (text, words):
        doc.spans["sc"] = [Span(doc, 0, 1, "number")]
        doc.ents = [Span(doc, 0, 1, "number")]
    text._.gliner_labels = ["number", "name"]
    DocBin(docs=[text, words], store_user_data=True).to_disk(folder / "d.spacy")


def test_a_folder_of_all_kinds(tmp_path: Path) -> None:
    write_all(tmp_path)
    docs = list(read_texts(tmp_path, NLP))
    assert [doc.text for doc in docs] == [
        "one two",
        "three New York   ",
        "of doccano",
        "Ada\r\n Brenk ",
        "four five",
        "six . ",
        "Émile",
    ]
    assert [token.text for token in docs[1]] == ["three", "New York", " "]
    assert not any(doc.ents or any(doc.spans.values()) for doc in docs)
    assert [list(doc._.gliner_labels or []) for doc in docs] == [
        ["number"],
        [],
        [],
        [],
        ["number", "name"],
        [],
        [],
    ]
    assert [doc.user_data["doc_id"] for doc in docs] == [
        7,
        "a.jsonl:2",
        "a.jsonl:3",
        "b.txt",
        "d.spacy:1",
        "d.spacy:2",
        "c.txt.gz",
    ]


def test_one_file(tmp_path: Path) -> None:
    write_all(tmp_path)
    assert [doc.text for doc in read_texts(tmp_path / "sub" / "c.txt.gz", NLP)] == ["Émile"]


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.csv", "x", r"a\.csv should end in one of \.txt, \.jsonl, \.spacy"),
        ("a.jsonl", "", r"a\.jsonl has no texts"),
        ("a.jsonl", '{"text": "x"}\n{"body": "y"}', "line 2: the record has no 'text'"),
        ("a.jsonl", '{"text": ["x", 1]}', "line 1: 'text' should be a string, or a list of words"),
        ("a.jsonl", '{"text": "\\ud800"}', "line 1: .*surrogates not"),
        ("a.jsonl", "{", "line 1"),
        ("a.spacy", "x", "not a whole"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, body: str, message: str) -> None:
    (tmp_path / name).write_text(body)
    with pytest.raises(ValueError, match=message):
        list(read_texts(tmp_path / name, NLP))


def test_a_text_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n\xff")
    with pytest.raises(ValueError, match=r"a\.txt, line 2: not UTF-8"):
        list(read_texts(tmp_path, NLP))


def test_names_are_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no files that end in one of"):
        read_texts(tmp_path, NLP)
    with pytest.raises(ValueError, match="should end in one of"):
        read_texts(tmp_path / "a.csv", NLP)
