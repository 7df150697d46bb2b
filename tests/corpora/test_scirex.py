"""SciREX's JSON lines."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from corpora.written import ENCODINGS, Written, documents, write_encoded
from hypothesis import given

from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.records import WordsRecord
from spacy_sener.corpora.report import Report
from spacy_sener.corpora.scirex import read_scirex

PAPER: dict[str, Any] = {
    "doc_id": "p1",
    "words": ["We", "train", "Senet", "on", "Brenk", "-", "9", "."],
    "sentences": [[0, 8]],
    "sections": [[0, 8]],
    "ner": [[2, 3, "Method"], [4, 7, "Material"]],
    "coref": {"Senet": [[2, 3]], "Brenk_-_9": [[4, 7]]},
    "n_ary_relations": [{"Method": "Senet", "Material": "Brenk_-_9", "score": ""}],
    "method_subrelations": {"Senet": [[[0, 5], "Senet"]]},
}


def read(path: Path) -> tuple[list[Any], Report]:
    report = Report()
    return list(read_scirex(path, report)), report


def line(document: Written) -> str:
    fields = {"doc_id": "d", "words": document.words, "ner": sorted(document.spans)}
    return json.dumps(fields, ensure_ascii=False) + "\n"


@given(document=documents())
def test_round_trip(tmp_path_factory: Any, document: Written) -> None:
    path = tmp_path_factory.mktemp("scirex") / "a.jsonl"
    path.write_text(line(document), encoding="utf8", newline="")
    [record], _ = read(path)
    assert record.words == document.words
    assert {tuple(item) for item in record.items} == document.spans


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_of_a_file(tmp_path: Path, encoding: str) -> None:
    text = json.dumps(PAPER) + "\n" + json.dumps(PAPER) + "\n"
    records, report = read(write_encoded(tmp_path / "a.jsonl", text, encoding))
    expected = WordsRecord("p1", "line 1", PAPER["words"], PAPER["ner"])
    assert records[0] == expected
    assert report.unread == {
        "coreference clusters": 4,
        "n-ary relations": 2,
        "methods within methods": 2,
    }
    assert not report.problems


def test_documents_have_these_spans_and_the_rest_is_reported(tmp_path: Path) -> None:
    wrong = [[0, 99, "Task"], [5, 4, "Task"], [0, 1], [0, 1, ""]]
    paper = {**PAPER, "ner": [*PAPER["ner"], *wrong]}
    (tmp_path / "a.jsonl").write_text(json.dumps(paper), encoding="utf8")
    report = Report()
    nlp = spacy.blank("en")
    [doc] = read_docs(tmp_path / "a.jsonl", nlp, record_format="scirex", report=report)
    assert [(span.text, span.label_) for span in doc.spans["sc"]] == [
        ("Senet", "Method"),
        ("Brenk - 9", "Material"),
    ]
    assert report.problems == {"out of range": 1, "empty": 1, "malformed": 1, "unlabelled": 1}
    assert "2 x coreference clusters (not read)" in report.problem_lines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"words": ["a"], "ner": [[0, 1', "line 2: Expecting"),
        ('{"words": ["a"]}', "line 2: the record has no 'ner'"),
        ('{"words": "a b", "ner": []}', "line 2: 'words' should be a list"),
        ('{"words": ["a", null], "ner": []}', "line 2: 'words' should be a list of words"),
    ],
)
def test_broken_lines_are_errors_that_name_them(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(PAPER)}\n{text}\n", encoding="utf8")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.jsonl")
