"""`python -m spacy sener export`, and back with `convert`."""

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner, Result

import spacy_sener.cli
import spacy_sener.cli.convert
import spacy_sener.cli.export  # noqa: F401 - the import adds the command


def sener(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", *map(str, arguments)])


def write_docs(path: Path) -> Path:
    nlp = spacy.blank("en")
    text = nlp("Ada 😀 Brenk, PhD")
    text.spans["found"] = [Span(text, 0, 3, "name"), Span(text, 4, 5, "degree")]
    text.spans["found"].attrs["scores"] = np.array([0.75, float("nan")])
    words = Doc(nlp.vocab, words=["one", " ", "two"])
    words.spans["found"] = [Span(words, 0, 3, "all"), Span(words, 0, 1, "one")]
    for doc, name in ((text, 7), (words, "w")):
        doc.user_data["doc_id"] = name
    DocBin(docs=[text, words], store_user_data=True).to_disk(path)
    return path


def read_docs(path: Path) -> list[tuple[object, ...]]:
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return [
        (
            [token.text for token in doc],
            doc.user_data["doc_id"],
            doc.has_unknown_spaces,
            [(span.start, span.end, span.label_) for span in doc.spans["found"]],
            str(doc.spans["found"].attrs.get("scores")),
        )
        for doc in docs
    ]


@pytest.mark.parametrize(
    ("name", "unpack"),
    [("out.jsonl", bytes), ("out.jsonl.gz", gzip.decompress), ("out.jsonl.xz", lzma.decompress)],
)
def test_there_and_back(tmp_path: Path, name: str, unpack: Callable[[bytes], bytes]) -> None:
    source, exported = write_docs(tmp_path / "in.spacy"), tmp_path / "new" / name
    result = sener("export", source, exported, "--spans-key", "found", "--strict")
    assert result.exit_code == 0, result.output
    assert "2 documents, 8 tokens" in result.output
    assert [json.loads(line) for line in unpack(exported.read_bytes()).splitlines()] == [
        {
            "doc_id": 7,
            "text": "Ada 😀 Brenk, PhD",
            "spans": [
                {"start": 0, "end": 11, "label": "name", "score": 0.75},
                {"start": 13, "end": 16, "label": "degree"},
            ],
        },
        {
            "doc_id": "w",
            "text": ["one", " ", "two"],
            "entity": [[0, 3, ["one", " ", "two"], "all"], [0, 1, ["one"], "one"]],
        },
    ]
    result = sener("convert", exported, tmp_path / "again.spacy", "--spans-key", "found")
    assert result.exit_code == 0, result.output
    assert read_docs(tmp_path / "again.spacy") == read_docs(source)


@pytest.mark.parametrize("name", ["out.json", "out.jsonl"])
def test_for_gliners_trainer_and_back(tmp_path: Path, name: str) -> None:
    source, exported = write_docs(tmp_path / "in.spacy"), tmp_path / name
    result = sener("export", source, exported, "--spans-key", "found", "--to", "gliner")
    assert result.exit_code == 0, result.output
    assert "1 x scores (not written" in " ".join(result.output.split())
    text = exported.read_text(encoding="utf8")
    records = json.loads(text) if name == "out.json" else list(map(json.loads, text.splitlines()))
    assert records == [
        {
            "doc_id": 7,
            "tokenized_text": ["Ada", "😀", "Brenk", ",", "PhD"],
            "ner": [[0, 2, "name"], [4, 4, "degree"]],
        },
        {"doc_id": "w", "tokenized_text": ["one", "two"], "ner": [[0, 1, "all"], [0, 0, "one"]]},
    ]
    result = sener("convert", exported, tmp_path / "again.spacy", "--format", "gliner", "--strict")
    assert result.exit_code == 0, result.output
    assert "2 documents, 7 tokens" in result.output


def test_a_list_and_back(tmp_path: Path) -> None:
    source, exported = write_docs(tmp_path / "in.spacy"), tmp_path / "out.json"
    result = sener("export", source, exported, "--spans-key", "found")
    assert result.exit_code == 0, result.output
    assert [record["doc_id"] for record in json.loads(exported.read_bytes())] == [7, "w"]
    result = sener("convert", exported, tmp_path / "again.spacy", "--spans-key", "found")
    assert result.exit_code == 0, result.output
    assert read_docs(tmp_path / "again.spacy") == read_docs(source)


def test_unknown_target(tmp_path: Path) -> None:
    result = sener("export", write_docs(tmp_path / "in.spacy"), tmp_path / "out", "--to", "csv")
    assert result.exit_code == 1
    assert "--to should be one of" in result.output


@pytest.mark.parametrize("name", ["out.spacy", "out.spacy.gz", "out"])
def test_the_name_says_what_is_written(tmp_path: Path, name: str) -> None:
    result = sener("export", write_docs(tmp_path / "in.spacy"), tmp_path / name)
    assert result.exit_code == 1
    assert "OUT should end in .jsonl or .json (or .gz, .xz)" in " ".join(result.output.split())
    assert not (tmp_path / name).exists()


def test_export_reads_what_convert_reads(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ada Brenk")
    (tmp_path / "a.ann").write_text("T1\tname 0 9\tAda Brenk\n")
    result = sener("export", tmp_path, tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "doc_id": "a",
        "text": "Ada Brenk",
        "spans": [{"start": 0, "end": 9, "label": "name"}],
    }


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        ('{"text": "one", "spans": []}\n{', (), "line 2"),
        ('{"text": "one", "spans": [[0, 0, "x"]]}', ("--strict",), "1 x empty"),
        ("", (), "has no documents"),
        ('{"text": "one", "spans": []}', ("--lang", "zz9"), "Can't import language"),
    ],
)
def test_what_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, body: str, options: tuple[str, ...], message: str
) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(body)
    output.write_text("old")
    result = sener("export", source, output, *options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@pytest.mark.parametrize("depth", [200, 400, 600, 800])
def test_an_item_of_any_depth_is_reported(tmp_path: Path, depth: int) -> None:
    items = "[" * depth + "]" * depth
    (tmp_path / "in.jsonl").write_text(f'{{"text": "one", "spans": [{items}]}}')
    report = tmp_path / "report.jsonl"
    result = sener("convert", tmp_path / "in.jsonl", tmp_path / "out.spacy", "--report", report)
    assert result.exit_code == 0, result.output
    assert "1 x malformed" in result.output
    assert json.loads(report.read_text())["problem"] == "malformed"


@pytest.mark.parametrize(("command", "name"), [("export", "out.jsonl"), ("convert", "out.spacy")])
def test_every_problem_goes_to_the_report_even_if_strict_fails(
    tmp_path: Path, command: str, name: str
) -> None:
    items = [[number, number, "\ud800"] for number in range(5)]
    record = {"id": "d", "text": "one two", "spans": [*items, {"start": 0, "end": 2, "label": "x"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(record))
    report, output = tmp_path / "report.jsonl", tmp_path / name
    result = sener(command, tmp_path / "in.jsonl", output, "--strict", "--report", report)
    assert result.exit_code == 1
    assert not output.exists()
    problems = [json.loads(line) for line in report.read_text().splitlines()]
    assert [problem["problem"] for problem in problems] == ["empty"] * 5 + ["ends inside a token"]
    assert problems[4] == {
        "problem": "empty",
        "done": "left out: the end is not after the start",
        "where": "d (line 1)",
        "item": items[4],
    }


@pytest.mark.parametrize("command", ["export", "convert"])
@pytest.mark.parametrize(
    ("output", "report"),
    [("in.jsonl", "report"), ("out.spacy", "sub/../in.jsonl"), ("out.spacy", "out.spacy")],
)
def test_what_is_read_is_not_written_over(
    tmp_path: Path, command: str, output: str, report: str
) -> None:
    body = '{"text": "one", "spans": [[0, 3, "x"], [0, 3, "x"]]}'
    (tmp_path / "in.jsonl").write_text(body)
    (tmp_path / "sub").mkdir()
    paths = (tmp_path / "in.jsonl", tmp_path / output, "--report", tmp_path / report)
    result = sener(command, *paths)
    assert result.exit_code == 1
    assert "should be different files" in " ".join(result.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "sub"]
    assert (tmp_path / "in.jsonl").read_text() == body


def test_a_folder_gets_no_file_that_would_be_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ada Brenk")
    (tmp_path / "a.ann").write_text("T1\tname 0 9\tAda Brenk\n")
    result = sener("export", tmp_path, tmp_path / "out.jsonl", "--report", tmp_path / "b.txt")
    assert result.exit_code == 1
    assert "one of the annotated files" in " ".join(result.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ann", "a.txt"]


@pytest.mark.parametrize("name", ["a.txt", "a.a1", "a.txt.gz", "TypeSystem.xml"])
def test_files_that_are_read_with_another_are_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("Ada Brenk")
    (tmp_path / "a.ann").write_text("T1\tname 0 9\tAda Brenk\n")
    paths = (tmp_path / "a.ann", tmp_path / "out.spacy")
    result = sener("convert", *paths, "--report", tmp_path / name)
    assert result.exit_code == 1
    assert "one of the annotated files that are read with" in " ".join(result.output.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ann", "a.txt"]
    assert (tmp_path / "a.txt").read_text() == "Ada Brenk"
    result = sener("convert", *paths, "--report", tmp_path / "b.txt", "--strict")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("command", "name"), [("export", "out.jsonl"), ("convert", "out.spacy")])
def test_a_folder_as_output_is_an_error(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "one", "spans": []}')
    (tmp_path / name).mkdir()
    result = sener(command, tmp_path / "in.jsonl", tmp_path / name)
    assert result.exit_code == 1
    assert "is a folder: name a file to write" in " ".join(result.output.split())
