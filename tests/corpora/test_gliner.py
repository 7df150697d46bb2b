"""GLiNER's training data: every task of it, what may be wrong with it, and there and back."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from corpora.documents import NLP, read, word_lists
from corpora.written import ENCODINGS, write_encoded
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

from spacy_sener.corpora.export import write_gliner, write_jsonl
from spacy_sener.corpora.segments import cut

NER = {
    "tokenized_text": ["Bill", "Gates", "founded", "Microsoft", "in", "New Mexico", "."],
    "ner": [[0, 1, "person"], [3, 3, "company"], [5, 5, "place"], [3, 3, "organisation"]],
    "ner_labels": ["person", "company", "date", "place", "organisation"],
}
QUESTION = {
    "tokenized_text": ["Who", "founded", "Microsoft", "?", "Bill", "Gates", "did", "."],
    "ner": [[4, 5, "answer"]],
}
RELATION = {
    "tokenized_text": ["Extract", "relations", ":", "Gates", "founded", "Microsoft", "."],
    "ner": [[5, 5, "Gates <> founded"]],
    "ner_negatives": ["Gates <> born in", "Gates <> founded"],
}
SUMMARY = {
    "tokenized_text": ["Summarize", "the", "text", ":", "It", "rained", ".", "We", "left", "."],
    "ner": [[4, 6, "summary"], [7, 9, "summary"]],
    "label": ["summary"],
}
OPEN = {
    "tokenized_text": ["Find", "praise", ":", "A", "fine", "book", "."],
    "ner": [[3, 5, "match"]],
    "ner_labels": {"match": "what is praised"},
    "doc_id": "book",
}
EMPTY = {"tokenized_text": ["Nothing", "."], "ner": [], "ner_labels": []}
TASKS = [NER, QUESTION, RELATION, SUMMARY, OPEN, EMPTY]
ASKED = [
    NER["ner_labels"],
    None,
    ["Gates <> founded", "Gates <> born in"],
    ["summary"],
    {"match": "what is praised"},
    None,
]


def write(path: Path, records: list[Any], *, as_list: bool = False) -> Path:
    lines = "\n".join(map(json.dumps, records))
    path.write_text(json.dumps(records, indent=1) if as_list else lines, encoding="utf8")
    return path


def found(doc: Doc) -> list[list[Any]]:
    return [[span.start, span.end - 1, span.label_] for span in doc.spans["sc"]]


@pytest.mark.parametrize("as_list", [False, True])
def test_every_task(tmp_path: Path, as_list: bool) -> None:
    docs, report = read(write(tmp_path / "a.json", TASKS, as_list=as_list))
    assert [[token.text for token in doc] for doc in docs] == [
        record["tokenized_text"] for record in TASKS
    ]
    assert [found(doc) for doc in docs] == [record["ner"] for record in TASKS]
    assert [doc._.gliner_labels for doc in docs] == ASKED
    assert docs[4].user_data["doc_id"] == "book"
    assert docs[5].user_data["doc_id"] == "a.json:6"
    assert all(doc.has_unknown_spaces for doc in docs)
    assert not report.problems
    assert not report.unread


def test_a_text_with_heads_in_its_labels_is_asked_for_its_own(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"tokenized_text": ["Ada", "knew", "Mary"], "ner": [[2, 2, "Ada <> knew"]]},
        {"tokenized_text": ["Ada"], "ner": [[0, 0, "person"]]},
    ]
    docs, _ = read(write(tmp_path / "a.json", records, as_list=True))
    assert [doc._.gliner_labels for doc in docs] == [["Ada <> knew"], None]


def test_labels_asked_for_are_in_a_spacy_file_and_in_training(tmp_path: Path) -> None:
    docs, _ = read(write(tmp_path / "a.jsonl", TASKS))
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    examples = list(Corpus(tmp_path / "a.spacy")(spacy.blank("en")))
    # What is stored as a list comes back as a tuple.
    asked = [eg.reference._.gliner_labels for eg in examples]
    assert [list(one) if isinstance(one, tuple) else one for one in asked] == ASKED
    assert [[token.text for token in eg.predicted] for eg in examples] == [
        record["tokenized_text"] for record in TASKS
    ]


def test_segments_are_asked_for_what_their_document_is(tmp_path: Path) -> None:
    [doc], _ = read(write(tmp_path / "a.jsonl", [SUMMARY]))
    pieces = list(cut(doc, 4))
    assert len(pieces) == 3
    assert all(piece._.gliner_labels == ["summary"] for piece in pieces)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in TASKS)
    docs, _ = read(write_encoded(tmp_path / "a.jsonl", text, encoding))
    assert [found(doc) for doc in docs] == [record["ner"] for record in TASKS]


def test_what_is_wrong_with_spans_is_reported(tmp_path: Path) -> None:
    wrong = {
        "tokenized_text": ["one", "", " ", "two words", "five"],
        "ner": [
            [0, 5, "x"],
            [-1, 0, "x"],
            [3, 1, "x"],
            [0, 0],
            [0, 0, "x", 0.5],
            ["0", 0, "x"],
            [0, True, "x"],
            [0, 0.0, "x"],
            "one",
            None,
            [0, 0, 7],
            [0, 0, " "],
            [1, 2, "x"],
            [3, 4, "x"],
            [3, 4, "x"],
            [0, 2, "y"],
        ],
    }
    [doc], report = read(write(tmp_path / "a.jsonl", [wrong]))
    assert [token.text for token in doc] == ["one", " ", " ", "two words", "five"]
    assert found(doc) == [[3, 4, "x"], [0, 0, "y"]]
    assert report.problems == {
        "empty word": 1,
        "out of range": 2,
        "empty": 1,
        "malformed": 7,
        "unlabelled": 2,
        "only whitespace": 1,
        "duplicate": 1,
        "whitespace at an end": 1,
    }
    assert "'ner': [0, 5, 'x']" in report.examples["out of range"][0]


def test_what_is_wrong_with_labels_asked_for_is_reported(tmp_path: Path) -> None:
    words = {"tokenized_text": ["one", "two"], "ner": [[0, 0, "b"], [1, 1, "c"]]}
    records = [
        {**words, "ner_labels": ["a", 7, " ", "b", "a", None]},
        {**words, "ner_labels": {"a": "first", "b": 2, "c": ""}},
        {**words, "ner_labels": ["c"], "ner_negatives": ["z"]},
    ]
    docs, report = read(write(tmp_path / "a.jsonl", records))
    assert [doc._.gliner_labels for doc in docs] == [
        ["a", "b", "c"],
        {"a": "first", "b": "b", "c": "c"},
        ["c", "b", "z"],
    ]
    assert report.problems == {"unusable label": 5, "not asked for": 4}
    assert [found(doc) for doc in docs] == [words["ner"]] * 3


def test_relations_of_other_models_are_counted(tmp_path: Path) -> None:
    _, report = read(write(tmp_path / "a.jsonl", [{**NER, "relations": [[0, 1, "founded"]]}]))
    assert report.unread == {"relations": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"tokenized_text": ["a"], "ner": [[0', r"a\.jsonl, line [23]: Expecting"),
        ('{"tokenized_text": ["a"]}', "record 2, line 2: the record has no 'ner'"),
        ('{"ner": []}', "line 2: the record has no 'tokenized_text'"),
        ('{"tokenized_text": "a b", "ner": []}', "'tokenized_text' should be a list of words"),
        ('{"tokenized_text": ["a", null], "ner": []}', "but not all of its items are strings"),
        ('{"tokenized_text": ["a"], "ner": {"a": 1}}', "'ner' should be a list"),
        ('{"tokenized_text": ["a"], "ner": [], "ner_labels": "a"}', "'ner_labels' should be a li"),
        ('{"tokenized_text": ["a"], "ner": [], "ner_negatives": 1}', "'ner_negatives' should be"),
        ('["a"]', "line 2: expected a JSON object, but found list"),
        ('{"tokenized_text": ["\\ud800"], "ner": []}', "line 2: .*surrogates not"),
        ('{"tokenized_text": ["a"], "ner": [], "id": [1]}', "a document's name should be"),
    ],
)
def test_broken_records_are_errors_that_name_them(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(NER)}\n{body}\n", encoding="utf8")
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("name", ["out.json", "out.jsonl", "out.jsonl.gz"])
def test_there_and_back(tmp_path: Path, name: str) -> None:
    docs, _ = read(write(tmp_path / "a.jsonl", TASKS))
    assert not +write_gliner(tmp_path / name, docs, spans_key="sc")
    again, report = read(tmp_path / name)
    assert [found(doc) for doc in again] == [record["ner"] for record in TASKS]
    assert [doc._.gliner_labels for doc in again] == ASKED
    assert [doc.user_data for doc in again] == [doc.user_data for doc in docs]
    assert not report.problems


def test_a_list_of_no_documents(tmp_path: Path) -> None:
    write_gliner(tmp_path / "a.json", [], spans_key="sc")
    assert json.loads((tmp_path / "a.json").read_text()) == []


def test_the_packages_own_lines_keep_the_labels_asked_for(tmp_path: Path) -> None:
    docs, _ = read(write(tmp_path / "a.jsonl", TASKS))
    text = NLP.make_doc("Ada Brenk")
    text.spans["sc"] = [Span(text, 0, 2, "name")]
    text._.gliner_labels = ["name", "place"]
    write_jsonl(tmp_path / "b.jsonl", [*docs, text], spans_key="sc")
    again, report = read(tmp_path / "b.jsonl")
    assert [doc._.gliner_labels for doc in again] == [*ASKED, ["name", "place"]]
    assert not report.problems


def test_a_text_becomes_words_that_are_its_tokens(tmp_path: Path) -> None:
    doc = NLP.make_doc("Ada  Brenk\n\nwon 3.5 points.")
    doc.spans["sc"] = [
        Span(doc, 0, 3, "name"),
        Span(doc, 3, 4, "blank"),
        Span(doc, 3, 7, "fact"),
    ]
    doc.spans["sc"].attrs["scores"] = np.array([0.5, 0.5, np.nan])
    doc._.gliner_labels = ["name", "date"]
    left_out = write_gliner(tmp_path / "a.jsonl", [doc], spans_key="sc")
    assert left_out == Counter({"scores": 2, "spans of whitespace only": 1})
    assert json.loads((tmp_path / "a.jsonl").read_text()) == {
        "tokenized_text": ["Ada", "Brenk", "won", "3.5", "points", "."],
        "ner": [[0, 1, "name"], [2, 4, "fact"]],
        "ner_labels": ["name", "date", "fact"],
    }


ASKED_LABELS = st.lists(st.text("abc <>", min_size=1, max_size=3).filter(str.strip), unique=True)


@settings(max_examples=60)
@given(drawn=st.lists(st.tuples(word_lists(), ASKED_LABELS), min_size=1, max_size=3))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, drawn: list[Any]) -> None:
    records = []
    for (words, spans), labels in drawn:
        kept = [place for place, word in enumerate(words) if word.strip()]
        ner = [[kept.index(one.start), kept.index(one.end - 1), one.label] for one in spans]
        asked = list(dict.fromkeys([*labels, *(label for *_, label in ner)])) if labels else []
        record = {"tokenized_text": [words[place] for place in kept], "ner": ner}
        records.append({**record, "ner_labels": asked} if asked else record)
    folder = tmp_path_factory.mktemp("gliner")
    docs, report = read(write(folder / "a.jsonl", records))
    assert not report.problems
    assert not +write_gliner(folder / "b.json", docs, spans_key="sc")
    again = json.loads((folder / "b.json").read_text(encoding="utf8"))
    assert [{key: value for key, value in one.items() if key != "doc_id"} for one in again] == (
        records
    )
