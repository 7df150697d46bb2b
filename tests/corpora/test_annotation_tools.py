"""Exports of annotation tools: who annotated what, and what is not a span of the text."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from corpora.documents import Labelled, read, spans_of

ADA = "Ada Brenk\nPhD"


def write(path: Path, value: Any) -> Path:
    lines = value if isinstance(value, str) else json.dumps(value)
    path.write_text(lines, encoding="utf8")
    return path


def region(start: Any, end: Any, *labels: str, **fields: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": list(labels)}
    return {"type": "labels", "value": value, **fields}


def annotation(*result: Any, **fields: Any) -> dict[str, Any]:
    return {"id": 1, "result": list(result), "was_cancelled": False, **fields}


def task(**fields: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"my_text": ADA, "meta": {}}, "annotations": [], **fields}


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_what_prodigy_did_not_accept_is_no_gold(tmp_path: Path, answer: str) -> None:
    accepted = {"text": "a", "_input_hash": 1, "answer": "accept"}
    rejected = {"text": ADA, "spans": [{"start": 0, "end": 3, "label": "x"}], "answer": answer}
    path = write(tmp_path / "a.jsonl", f"{json.dumps(accepted)}\n{json.dumps(rejected)}")
    [doc], report = read(path)
    assert (doc.text, spans_of(doc)) == ("a", [])
    assert report.problems == {"rejected": 1}
    assert report.examples["rejected"][0].startswith("a.jsonl:2 (line 2): {'text': 'Ada")


@pytest.mark.parametrize("answer", [None, "42", ["Ada"]])
def test_answers_that_are_not_prodigys_reject_nothing(tmp_path: Path, answer: Any) -> None:
    record = {"text": ADA, "spans": [{"start": 0, "end": 3, "label": "x"}], "answer": answer}
    [doc], report = read(write(tmp_path / "a.jsonl", record))
    assert spans_of(doc) == [Labelled(0, 3, "x")]
    assert not report.problems
    del record["spans"]
    with pytest.raises(ValueError, match="the record has no 'spans'"):
        read(write(tmp_path / "a.jsonl", record))


def test_relations_and_comments_are_counted(tmp_path: Path) -> None:
    record = {"id": 1, "text": "a", "label": [], "Comments": ["good"], "relations": [{}, {}]}
    [doc], report = read(write(tmp_path / "a.jsonl", record))
    assert doc.user_data["doc_id"] == 1
    assert not report.problems
    assert report.problem_lines() == ["2 x relations (not read)", "1 x comments (not read)"]


def test_label_studio_takes_the_ground_truth_or_the_first(tmp_path: Path) -> None:
    first, cancelled = annotation(region(0, 3, "x")), annotation(was_cancelled=True)
    truth = annotation(region(4, 9, "y", "z"), ground_truth=True)
    tasks = [
        task(annotations=[cancelled, first, truth]),
        task(id=8, annotations=[cancelled, first]),
    ]
    docs, report = read(write(tmp_path / "a.json", tasks))
    assert [spans_of(doc) for doc in docs] == [
        [Labelled(4, 9, "y"), Labelled(4, 9, "z")],
        [Labelled(0, 3, "x")],
    ]
    assert report.problems == {"second annotator": 1}


def test_label_studio_tasks_without_annotations_are_no_gold(tmp_path: Path) -> None:
    tasks = [task(), task(annotations=[annotation(was_cancelled=True)]), task(predictions=[3])]
    docs, report = read(write(tmp_path / "a.json", tasks))
    assert docs == []
    assert report.problems == {"not annotated": 2, "rejected": 1}


def test_label_studio_predictions_with_scores(tmp_path: Path) -> None:
    prediction = {"result": [region(0, 3, "x", score=0.25), region(4, 9, "y")], "score": 0.5}
    tasks = [
        task(predictions=[prediction]),
        task(id=8, annotations=[annotation(region(0, 9, "z"))], predictions=[prediction]),
    ]
    docs, report = read(write(tmp_path / "a.json", tasks))
    assert [spans_of(doc) for doc in docs] == [
        [Labelled(0, 3, "x", 0.25), Labelled(4, 9, "y", 0.5)],
        [Labelled(0, 9, "z")],
    ]
    assert report.problems == {"predicted": 1}
    assert report.unread == {"predictions": 1}


def test_label_studio_tasks_in_files_of_their_own(tmp_path: Path) -> None:
    one = {"id": 348, "data": {"text": ADA}, "completions": [annotation(region(0, 3, "x"))]}
    path = write(tmp_path / "348.json", json.dumps(one, indent=2))
    assert [spans_of(doc) for doc in read(path)[0]] == [[Labelled(0, 3, "x")]]
    path = write(tmp_path / "tasks.jsonl", f"{json.dumps(one)}\n{json.dumps(one)}\n")
    assert [spans_of(doc) for doc in read(path)[0]] == [[Labelled(0, 3, "x")]] * 2


def test_label_studio_tasks_with_lists_of_two_versions(tmp_path: Path) -> None:
    both = task(annotations=[annotation(region(0, 3, "x"))])
    both["completions"] = [annotation(region(4, 9, "y"))]
    [doc], report = read(write(tmp_path / "a.json", [both]))
    assert spans_of(doc) == [Labelled(0, 3, "x")]
    assert report.problems == {"second annotator": 1}


def test_label_studio_regions_that_are_no_spans_of_the_text(tmp_path: Path) -> None:
    html = {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[1]", "startOffset": 1}}
    result = [
        html,
        {"type": "choices", "value": {"choices": ["good"]}},
        {"type": "relation", "from_id": "a", "to_id": "b"},
        region("/p[1]/text()[1]", "/p[1]/text()[1]", "x"),
        region(0, 3),
        "x",
        region(0, 3, "kept"),
    ]
    [doc], report = read(write(tmp_path / "a.json", [task(annotations=[annotation(*result)])]))
    assert spans_of(doc) == [Labelled(0, 3, "kept")]
    assert report.problems == {"not in characters": 1, "malformed": 2, "unlabelled": 1}
    assert report.unread == {"choices": 1, "relation": 1}


def test_label_studio_units_are_decided_by_the_listed_texts(tmp_path: Path) -> None:
    text = "😀 Ada Brenk"
    tasks = []
    for shift in (0, 1):
        named = region(2 + shift, 5 + shift, "given")
        named["value"]["text"] = "Ada"
        unnamed = region(6 + shift, 11 + shift, "family")
        tasks.append(
            {"id": shift, "data": {"text": text}, "annotations": [annotation(named, unnamed)]}
        )
    docs, report = read(write(tmp_path / "a.json", tasks))
    assert [spans_of(doc) for doc in docs] == [
        [Labelled(2, 5, "given"), Labelled(6, 11, "family")]
    ] * 2
    assert not report.problems


def on(name: str, text: str, start: int, listed: str, label: str) -> dict[str, Any]:
    """A region of the object `name`, whose text is listed as it stands in `text`."""
    one = region(start, start + len(listed), label, to_name=name)
    assert text[start:].startswith(listed)
    one["value"]["text"] = listed
    return one


@pytest.mark.parametrize("names", [("text", "title"), ("body", "title"), ("body", "head")])
def test_label_studio_regions_of_another_text_are_left_out(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    """Objects are named after their strings, or not."""
    title = "Ada Brenk wins"
    regions = [on(names[1], title, 0, "Ada Brenk", "winner"), on(names[1], title, 10, "wins", "x")]
    body = [on(names[0], ADA, 0, "Ada", "given"), on(names[0], ADA, 4, "Brenk", "family")]
    data = {"title": title, "text": ADA}
    tasks = [task(data=data, annotations=[annotation(*regions, *body)])]
    [doc], report = read(write(tmp_path / "a.json", tasks))
    assert spans_of(doc) == [Labelled(0, 3, "given"), Labelled(4, 9, "family")]
    assert report.problems == {"of another text": 2}


def test_label_studio_objects_may_have_the_name_of_another_string(tmp_path: Path) -> None:
    data = {"title": "Who", "text": ADA}
    tasks = [task(data=data, annotations=[annotation(on("title", ADA, 4, "Brenk", "x"))])]
    [doc], report = read(write(tmp_path / "a.json", tasks))
    assert spans_of(doc) == [Labelled(4, 9, "x")]
    assert not report.problems


@pytest.mark.parametrize("listed", [True, False])
def test_label_studio_objects_may_be_one_text(tmp_path: Path, listed: bool) -> None:
    """Also where offsets count UTF-16 units, so that the listed texts do not stand there."""
    text = f"😀 {ADA}"
    regions = [on("one", f"  {ADA}", 3, "da", "x"), on("two", f"  {ADA}", 2, "A", "y")]
    for each in regions:
        each["value"] |= {key: each["value"][key] + 1 for key in ("start", "end")}
        if not listed:
            del each["value"]["text"]
    data = {"text": text, "url": "https://x"}
    tasks = [task(data=data, annotations=[annotation(*regions)])]
    [doc], report = read(write(tmp_path / "a.json", tasks))
    assert {span.label for span in spans_of(doc)} == {"x", "y"}
    assert "of another text" not in report.problems


def test_label_studio_texts_of_any_name_among_other_strings(tmp_path: Path) -> None:
    """Also of tasks without a region, as the whole file tells."""
    data = {"url": "https://x", "body": ADA, "date": "2024-01-01"}
    empty, full = annotation(), annotation(on("text", ADA, 4, "Brenk", "x"))
    tasks = [task(data=data, annotations=[empty]), task(id=8, data=data, annotations=[full])]
    docs, report = read(write(tmp_path / "a.json", tasks))
    assert [spans_of(doc) for doc in docs] == [[], [Labelled(4, 9, "x")]]
    assert not report.problems
    listed = [{"start": 4, "end": 9, "text": "Brenk", "labels": ["x"]}]
    record = {"id": 1, "annotation_id": 3, "sentiment": "good", "body": ADA, "ner": listed}
    [doc], _ = read(write(tmp_path / "min.json", [record]))
    assert spans_of(doc) == [Labelled(4, 9, "x")]
    with pytest.raises(ValueError, match=r"strings are \['url', 'body', 'date'\]. Rename the one"):
        read(write(tmp_path / "a.json", tasks[:1]))
    # A task without the text that the others have is none of another text.
    for lacking in ({"body": None, "url": "a"}, {"body": None, "url": "a", "date": "b"}):
        with pytest.raises(ValueError, match="or leave the task out"):
            read(write(tmp_path / "a.json", [*tasks, task(data=lacking)]))


def test_label_studio_controls_may_have_the_name_of_a_text(tmp_path: Path) -> None:
    listed = [{"start": 4, "end": 9, "text": "Brenk", "labels": ["x"]}]
    record = {"id": 1, "annotation_id": 3, "body": ADA, "text": listed}
    [doc], _ = read(write(tmp_path / "a.json", [record]))
    assert spans_of(doc) == [Labelled(4, 9, "x")]


def brat(folder: Path, text: str, *lines: str, suffix: str = ".ann") -> Path:
    (folder / "a.txt").write_bytes(text.encode())
    (folder / f"a{suffix}").write_bytes("\r\n".join(lines).encode())
    return folder


def test_brat_pieces_notes_and_wrong_lines(tmp_path: Path) -> None:
    lines = [
        "T1\tfull name 0 3;4 9\tAda Brenk",
        "T2\tname 0 3;10 13\tAda PhD",
        "T3\tname 4 9;0 3\tBrenk Ada",
        "T4\tdegree 10 13\tMSc",
        "T5\tdegree 10 99\tPhD",
        "T6\tdegree 13 10\tPhD",
        "T7\tdegree ten\tPhD",
        "T8\tdegree 10 13",
        "",
        "going on from nowhere",
        "R1\tof Arg1:T1 Arg2:T2",
        "*\tEquiv T1 T2",
        "E1\tname:T1",
        "A1\tSure T1",
        "N1\tReference T1 Wikipedia:1\tAda",
        "#1\tAnnotatorNotes T1\twell",
    ]
    [doc], report = read(brat(tmp_path, ADA, *lines))
    assert doc.user_data["doc_id"] == "a"
    assert spans_of(doc) == [Labelled(0, 9, "full name"), Labelled(10, 13, "degree")]
    assert report.problems == {
        "discontinuous": 2,
        "other text": 1,
        "out of range": 1,
        "empty": 1,
        "malformed": 2,
    }
    assert report.examples["malformed"][1] == "a (a.ann, line 10): 'going on from nowhere'"
    assert "'line': 4" in report.examples["other text"][0]
    assert report.unread == {
        "relations": 2,
        "events": 1,
        "attributes": 1,
        "normalizations": 1,
        "notes": 1,
    }


def test_brat_ids_that_come_twice_are_reported(tmp_path: Path) -> None:
    lines = "T1\tname 0 9\tAda Brenk", "T1\tdegree 10 13\tPhD"
    [doc], report = read(brat(tmp_path, ADA, *lines))
    assert [span.label_ for span in doc.spans["sc"]] == ["name", "degree"]
    assert report.problems == {"id of another": 1}


def test_brat_files_of_bionlp_belong_together(tmp_path: Path) -> None:
    brat(tmp_path, ADA, "T1\tname 0 9\tAda Brenk", suffix=".a1")
    [doc], report = read(brat(tmp_path, ADA, "T2\tdegree 10 13\tPhD", suffix=".a2"))
    assert spans_of(doc) == [Labelled(0, 9, "name"), Labelled(10, 13, "degree")]
    assert not report.problems


def test_brat_texts_alone_are_reported_and_annotations_alone_an_error(tmp_path: Path) -> None:
    brat(tmp_path, ADA, "T1\tname 0 9\tAda Brenk")
    (tmp_path / "b.txt").write_text("alone")
    docs, report = read(tmp_path)
    assert [doc.text for doc in docs] == [ADA, "alone"]
    assert report.problems == {"no annotation file": 1}
    assert [doc.text for doc in read(tmp_path / "a.txt")[0]] == [ADA]
    (tmp_path / "c.ann").write_text("")
    with pytest.raises(ValueError, match=r"there is no text c\.txt"):
        read(tmp_path)


def test_squad_paragraphs_labels_and_wrong_answers(tmp_path: Path) -> None:
    answers = [{"text": "Ada", "answer_start": 0}, {"text": "Ada", "answer_start": 4}]
    questions = [
        {"id": "5", "question": "Who?", "answers": answers, "is_impossible": False},
        {"id": "A__B__Parties", "question": "?", "answers": [{"text": "PhD", "answer_start": 10}]},
        {"id": "A__B", "answers": [5, {"text": "Ada"}], "plausible_answers": answers},
        {"answers": [answers[0]]},
    ]
    paragraphs = [{"context": ADA, "qas": questions}, {"context": "", "qas": []}]
    data = {"data": [{"title": "A", "paragraphs": paragraphs}]}
    docs, report = read(write(tmp_path / "a.json", data))
    assert [doc.user_data["doc_id"] for doc in docs] == ["A#1", "A#2"]
    assert spans_of(docs[0]) == [Labelled(0, 3, "Who?"), Labelled(10, 13, "B__Parties")]
    assert report.problems == {"other text": 1, "malformed": 2, "unlabelled": 1}
    assert report.unread == {"plausible answers": 2}


def test_squad_answers_that_are_numbered_have_one_label(tmp_path: Path) -> None:
    numbered = [
        ("A__Party_0", 'Find "Party".', 0, "Ada"),
        ("A__Party_1", 'Find "Party".', 4, "Brenk"),
        ("b__Title_12", 'What is related to "Title"? Details: a degree', 10, "PhD"),
        ("A__Version_2", "Version", 4, "Brenk"),  # whose number is its own
    ]
    questions = [
        {"id": name, "question": question, "answers": [{"text": text, "answer_start": start}]}
        for name, question, start, text in numbered
    ]
    data = {"data": [{"title": "A", "paragraphs": [{"context": ADA, "qas": questions}]}]}
    [doc], report = read(write(tmp_path / "a.json", data))
    labels = sorted(span.label_ for span in doc.spans["sc"])
    assert labels == ["Party", "Party", "Title", "Version_2"]
    assert not report.problems


@pytest.mark.parametrize("wrong", [5, True, {"result": []}, "x"])
def test_what_is_beside_annotations_may_be_of_any_type(tmp_path: Path, wrong: Any) -> None:
    docs, report = read(write(tmp_path / "a.json", [task(predictions=wrong)]))
    assert (docs, report.problems) == ([], {"not annotated": 1})
    question = {"id": "5", "question": "Who?", "answers": [], "plausible_answers": wrong}
    paragraph = {"context": ADA, "qas": [question]}
    data = {"data": [{"title": "A", "paragraphs": [paragraph]}]}
    [doc], report = read(write(tmp_path / "b.json", data))
    counted = {"plausible answers": len(wrong)} if isinstance(wrong, dict) else {}
    assert (doc.text, report.unread) == (ADA, counted)


def test_label_studio_regions_without_labels_are_counted(tmp_path: Path) -> None:
    regions = [{"start": 0, "end": 3, "labels": ["x"]}, {"start": 4, "end": 9, "text": "Brenk"}]
    record = {"id": 1, "my_text": ADA, "annotation_id": 3, "ner": regions}
    [doc], report = read(write(tmp_path / "a.json", [record]))
    assert spans_of(doc) == [Labelled(0, 3, "x")]
    assert report.unread == {"entries of 'ner' without labels": 1}


def test_brat_pieces_of_negative_offsets_are_not_joined(tmp_path: Path) -> None:
    docs, report = read(brat(tmp_path, ADA, "T1\tname 0 -4;4 9\tAda Brenk", "T2\tname -1 9\tx"))
    assert spans_of(docs[0]) == []
    assert report.problems == {"discontinuous": 1, "out of range": 1}


def test_brat_annotations_over_line_breaks_of_two_characters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Ada\r\nBrenk\r\nPhD")
    (tmp_path / "a.ann").write_bytes(b"T1\tname 0 10\tAda\r Brenk\nT2\tdegree 12 15\tPhD\r\n")
    [doc], report = read(tmp_path)
    assert spans_of(doc) == [Labelled(0, 10, "name"), Labelled(12, 15, "degree")]
    assert not report.problems


@pytest.mark.parametrize("before", [0, 1])
def test_brat_offsets_may_count_a_byte_order_mark(tmp_path: Path, before: int) -> None:
    brat(
        tmp_path,
        f"\ufeff{ADA}",
        f"T1\tname {before} {before + 3};{before + 4} {before + 9}\tAda Brenk",
        f"T2\tdegree {before + 10} {before + 13}",
        "T3\tdegree 99 100\tPhD",
    )
    [doc], report = read(tmp_path)
    assert doc.text == ADA
    assert spans_of(doc) == [Labelled(0, 9, "name"), Labelled(10, 13, "degree")]
    assert report.problems == {"out of range": 1}


def test_brat_folders_have_files_of_macos(tmp_path: Path) -> None:
    for name in ("._a.txt", "._a.ann"):
        (tmp_path / name).write_bytes(b"\x00\x05\x16\x07\xff")
    [doc], report = read(brat(tmp_path, ADA, "T1\tname 0 9\tAda Brenk"))
    assert spans_of(doc) == [Labelled(0, 9, "name")]
    assert not report.problems


def test_brat_files_twice_and_a_text_that_is_not_there(tmp_path: Path) -> None:
    brat(tmp_path, ADA, "T1\tname 0 9\tAda Brenk")
    (tmp_path / "other.ann").write_text("")
    (tmp_path / "other.ann.gz").write_bytes(gzip.compress(b""))
    assert len(read(tmp_path / "a.txt")[0]) == 1
    with pytest.raises(ValueError, match=r"other\.ann and other\.ann\.gz are one file twice"):
        read(tmp_path)
    (tmp_path / "b.a1").write_text("")
    with pytest.raises(ValueError, match=r"there is no text b\.txt beside b\.a1"):
        read(tmp_path / "b.a1")
