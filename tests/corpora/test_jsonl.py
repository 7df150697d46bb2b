"""Files of JSON lines: what becomes of every annotation, and of what is wrong with a file."""

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.util import registry

from spacy_sener.corpora.corpus import create_jsonl_corpus
from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.report import Report

OFFSETS = {
    "id": "ada",
    "text": "Ada Brenk\nPhD, Ostwick (1999)",
    "spans": [
        {"start": 0, "end": 9, "label": "name"},
        {"start": 10, "end": 29, "label": "education"},
        {"start": 10, "end": 13, "label": "degree"},
    ],
}
WORDS = {
    "doc_id": "ada",
    "text": ["Ada", "\x07", "Brenk", " ", "PhD"],
    "entity": [[0, 3, ["Ada", "\x07", "Brenk"], "name"], [4, 5, ["PhD"], "degree"]],
}
RAW = {"doc_id": 7, "raw": "Ada Brenk, PhD", "raw_entity": [[0, 9, "name"], [11, 14, "degree"]]}


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf8")
    return path


def read(nlp: Language, path: Path, record_format: str = "auto") -> tuple[list[Doc], Report]:
    report = Report()
    docs = read_docs(path, nlp, spans_key="sc", record_format=record_format, report=report)
    return list(docs), report


def spans(doc: Doc) -> list[tuple[str, str]]:
    return [(span.text, span.label_) for span in doc.spans["sc"]]


def offsets_record(text: str, *items: Any) -> dict[str, Any]:
    return {"id": "d", "text": text, "spans": list(items)}


def test_offsets_become_spans_and_the_text_stays(nlp: Language, tmp_path: Path) -> None:
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", OFFSETS))
    assert doc.text == OFFSETS["text"]
    assert doc.user_data["doc_id"] == "ada"
    assert spans(doc) == [
        ("Ada Brenk", "name"),
        ("PhD, Ostwick (1999)", "education"),
        ("PhD", "degree"),
    ]
    assert (report.docs, report.tokens, report.spans) == (1, len(doc), 3)
    assert not report.problems


def test_words_stay_the_tokens(nlp: Language, tmp_path: Path) -> None:
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", WORDS))
    assert [token.text for token in doc] == WORDS["text"]
    assert spans(doc) == [("Ada \x07 Brenk", "name"), ("PhD", "degree")]
    assert doc.has_unknown_spaces
    assert not report.problems


def test_empty_words_keep_their_place(nlp: Language, tmp_path: Path) -> None:
    record = {"text": ["a", "", "b"], "entity": [[2, 3, ["b"], "x"]]}
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", record))
    assert [(span.start, span.end, span.text) for span in doc.spans["sc"]] == [(2, 3, "b")]
    assert report.problems == {"empty word": 1}


def test_raw_reads_the_untouched_text(nlp: Language, tmp_path: Path) -> None:
    [doc], _ = read(nlp, write(tmp_path / "a.jsonl", RAW), "raw")
    assert spans(doc) == [("Ada Brenk", "name"), ("PhD", "degree")]
    assert doc.user_data["doc_id"] == 7


def test_auto_tells_records_of_one_file_apart(nlp: Language, tmp_path: Path) -> None:
    docs, _ = read(nlp, write(tmp_path / "a.jsonl", OFFSETS, WORDS))
    assert [doc.has_unknown_spaces for doc in docs] == [False, True]


@pytest.mark.parametrize("name", ["plain", "bom", "crlf", "gz"])
def test_encodings_of_a_file(nlp: Language, tmp_path: Path, name: str) -> None:
    record = json.dumps({"text": "Señor Ström", "spans": []}, ensure_ascii=False)
    body = {
        "plain": f"{record}\n\n{record}".encode(),
        "bom": f"{record}\n{record}\n".encode("utf-8-sig"),
        "crlf": f"{record}\r\n\r\n{record}\r\n".encode(),
        "gz": gzip.compress(f"{record}\n{record}\n".encode()),
    }[name]
    path = tmp_path / ("a.jsonl.gz" if name == "gz" else "a.jsonl")
    path.write_bytes(body)
    docs, _ = read(nlp, path)
    assert [doc.text for doc in docs] == ["Señor Ström"] * 2


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"start": 0, "end": 3}, "unlabelled"),
        ({"start": 0, "end": 3, "label": " "}, "unlabelled"),
        ({"start": 0, "end": 3, "label": 5}, "unlabelled"),
        ({"start": 0.0, "end": 3, "label": "x"}, "malformed"),
        ({"start": True, "end": 3, "label": "x"}, "malformed"),
        ("0 3 x", "malformed"),
        (None, "malformed"),
        ({"start": 3, "end": 3, "label": "x"}, "empty"),
        ({"start": 4, "end": 3, "label": "x"}, "empty"),
        ({"start": -1, "end": 3, "label": "x"}, "out of range"),
        ({"start": 0, "end": 99, "label": "x"}, "out of range"),
        ({"start": 7, "end": 8, "label": "x"}, "only whitespace"),
    ],
)
def test_what_cannot_be_a_span_is_left_out_and_reported(
    nlp: Language, tmp_path: Path, item: Any, problem: str
) -> None:
    record = offsets_record("one two three", item, {"start": 0, "end": 3, "label": "y"})
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", record))
    assert spans(doc) == [("one", "y")]
    assert report.problems == {problem: 1}
    [example] = report.examples[problem]
    assert example == f"d (line 1): {item!r}"


def test_widened_trimmed_and_repeated_spans_are_reported(nlp: Language, tmp_path: Path) -> None:
    items = [
        {"start": 1, "end": 7, "label": "widened"},
        {"start": 3, "end": 8, "label": "trimmed"},
        {"start": 4, "end": 7, "label": "trimmed"},
        [0, 3, "list"],
    ]
    record = offsets_record("one two three", *items)
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", record))
    assert spans(doc) == [("one two", "widened"), ("two", "trimmed"), ("one", "list")]
    assert report.problems == {
        "ends inside a token": 1,
        "whitespace at an end": 1,
        "duplicate": 1,
    }


def test_words_that_disagree_with_their_place_are_reported(nlp: Language, tmp_path: Path) -> None:
    record = {"text": ["a", "b", " "], "entity": [[0, 1, ["b"], "x"], [1, 3, ["b", " "], "y"]]}
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", record))
    assert spans(doc) == [("a", "x"), ("b", "y")]
    assert report.problems == {"other words": 1, "whitespace at an end": 1}


def test_same_tokens_with_two_labels_are_both_kept(nlp: Language, tmp_path: Path) -> None:
    record = offsets_record("one two", [0, 3, "x"], [0, 3, "y"])
    [doc], report = read(nlp, write(tmp_path / "a.jsonl", record))
    assert spans(doc) == [("one", "x"), ("one", "y")]
    assert not report.problems


def test_report_shows_the_first_few_and_the_number_of_the_rest(
    nlp: Language, tmp_path: Path
) -> None:
    record = offsets_record("one two", *([start, start, "x"] for start in range(6)))
    _, report = read(nlp, write(tmp_path / "a.jsonl", record))
    summary = report.problem_summary("a.jsonl")
    assert "6 x empty (left out" in summary
    assert "d (line 1): [2, 2, 'x']" in summary
    assert "[3, 3, 'x']" not in summary
    assert "and 3 more" in summary


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x"', "line 2: Expecting"),
        ("[1, 2]", "line 2: expected a JSON object, but found list"),
        ('{"text": "x"}', "line 2: the record has no 'spans'; its keys are"),
        ('{"text": 3, "spans": []}', "line 2: 'text' should be a string, but is int"),
        ('{"text": "x", "spans": {}}', "line 2: 'spans' should be a list, but is dict"),
        ('{"text": ["x"], "spans": []}', "line 2: the record has no 'entity'"),
        ('{"text": ["x", 1], "entity": []}', "line 2: 'text' should be a list of words"),
    ],
)
def test_a_broken_line_is_an_error_that_names_it(
    nlp: Language, tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(OFFSETS)}\n{line}\n", encoding="utf8")
    with pytest.raises(ValueError, match=message):
        read(nlp, path)


def test_other_encodings_and_missing_files_are_errors(nlp: Language, tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes('{"text": "é", "spans": []}'.encode("latin-1"))
    with pytest.raises(ValueError, match="not UTF-8"):
        read(nlp, tmp_path / "latin.jsonl")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.jsonl"):
        read(nlp, tmp_path / "none.jsonl")


def test_binary_round_trip_keeps_spans_words_and_ids(nlp: Language, tmp_path: Path) -> None:
    docs, _ = read(nlp, write(tmp_path / "a.jsonl", OFFSETS, WORDS))
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab))
    assert [spans(doc) for doc in again] == [spans(doc) for doc in docs]
    assert [[token.text for token in doc] for doc in again] == [
        [token.text for token in doc] for doc in docs
    ]
    assert [doc.user_data["doc_id"] for doc in again] == ["ada", "ada"]
    assert [doc.has_unknown_spaces for doc in again] == [False, True]


def test_reader_is_registered_and_gives_examples_again_and_again(
    nlp: Language, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", OFFSETS, {**WORDS, "doc_id": "words"})
    config = {"corpus": {"@readers": "spacy-sener.JsonlCorpus.v1", "path": str(path)}}
    corpus = registry.resolve(config)["corpus"]
    for _ in range(2):
        examples = list(corpus(nlp))
        assert [len(example.reference.spans["sc"]) for example in examples] == [3, 2]
        assert not any(example.predicted.spans for example in examples)
        # Words are trained on as they are, not tokenised again.
        assert [token.text for token in examples[1].predicted] == WORDS["text"]


def test_reader_warns_once_and_strict_refuses(nlp: Language, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", offsets_record("one two", [0, 0, "x"]))
    corpus = create_jsonl_corpus(path)
    with pytest.warns(UserWarning, match="1 x empty"):
        list(corpus(nlp))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(corpus(nlp))
    with pytest.raises(ValueError, match="1 x empty"):
        list(create_jsonl_corpus(path, strict=True)(nlp))


def test_reader_names_what_it_needs(nlp: Language, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a path"):
        create_jsonl_corpus(None)
    with pytest.raises(ValueError, match="has no documents"):
        list(create_jsonl_corpus(write(tmp_path / "empty.jsonl"))(nlp))
    with pytest.raises(ValueError, match="format should be one of"):
        list(create_jsonl_corpus(tmp_path / "a.jsonl", format="csv")(nlp))


@pytest.mark.parametrize(
    ("record", "kept", "key"),
    [
        ({"text": "one two", "spans": [], "entities": [[0, 3, "x"]]}, [], "entities"),
        ({"text": "one two", "spans": [[4, 7, "y"]], "label": [[0, 3, "x"]]}, ["y"], "label"),
        ({"text": ["one"], "entity": [[0, 1, "y"]], "spans": [[0, 1, "x"]]}, ["y"], "spans"),
    ],
)
def test_annotations_under_a_second_key_are_reported(
    tmp_path: Path, record: dict[str, Any], kept: list[str], key: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))
    problems: list[Any] = []
    report = Report(on_problem=lambda *problem: problems.append(problem))
    [doc] = read_docs(path, spacy.blank("en"), report=report)
    assert [span.label_ for span in doc.spans["sc"]] == kept
    assert report.problems == {"other spans key": 1}
    assert problems[0][2:] == ("a.jsonl:1 (line 1)", {"key": key, "spans": record[key]})


def test_forms_named_leave_out_what_was_rejected(tmp_path: Path) -> None:
    record = {"text": "one", "spans": [[0, 3, "x"]], "answer": "reject"}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))
    report = Report()
    docs = read_docs(path, spacy.blank("en"), report=report, record_format="offsets")
    assert (list(docs), report.problems) == ([], {"rejected": 1})
