"""`python -m spacy sener convert`, through spaCy's own command line."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner, Result

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do

GOOD = {"id": "a", "text": "one two", "spans": [{"start": 0, "end": 3, "label": "number"}]}
ODD = {"id": "b", "text": "one two", "spans": [{"start": 1, "end": 3, "label": "number"}]}


def convert(tmp_path: Path, *lines: str, options: tuple[str, ...] = ()) -> Result:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(lines), encoding="utf8")
    return run("convert", source, tmp_path / "new" / "out.spacy", *options)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", *(str(argument) for argument in arguments)])


def test_writes_documents_and_reports(tmp_path: Path) -> None:
    result = convert(tmp_path, json.dumps(GOOD), json.dumps(ODD), options=("--spans-key", "x"))
    assert result.exit_code == 0, result.output
    assert "2 documents, 4 tokens" in result.output
    assert "1 x ends inside a token" in result.output
    assert "b (line 2)" in result.output
    docs = DocBin().from_disk(tmp_path / "new" / "out.spacy").get_docs(spacy.blank("en").vocab)
    assert [(doc.user_data["doc_id"], doc.spans["x"][0].text) for doc in docs] == [
        ("a", "one"),
        ("b", "one"),
    ]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ((), (), "has no documents"),
        (("{",), (), "line 1"),
        ((json.dumps(ODD),), ("--strict",), "1 x ends inside a token"),
        ((json.dumps(GOOD),), ("--format", "csv"), "format should be one of"),
        ((json.dumps(GOOD),), ("--format", "raw"), "the record has no 'raw'"),
        ((json.dumps(GOOD),), ("--lang", "english"), "--lang should be a code such as en"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    tmp_path: Path, lines: tuple[str, ...], options: tuple[str, ...], message: str
) -> None:
    result = convert(tmp_path, *lines, options=options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "new").exists()


def test_spans_under_another_key_of_a_docbin_are_exported_by_its_name(tmp_path: Path) -> None:
    doc = spacy.blank("en")("one two")
    doc.spans["mine"] = [doc.char_span(0, 3, "number")]
    source, exported = tmp_path / "mine.spacy", tmp_path / "mine.jsonl"
    DocBin(docs=[doc]).to_disk(source)
    result = run("convert", source, tmp_path / "out.spacy")
    assert "of a .spacy file --spans-key names it" in " ".join(result.output.split())
    assert run("export", source, exported, "--spans-key", "mine").exit_code == 0
    assert run("convert", exported, tmp_path / "out.spacy").exit_code == 0
    (again,) = DocBin().from_disk(tmp_path / "out.spacy").get_docs(doc.vocab)
    assert [(span.text, span.label_) for span in again.spans["sc"]] == [("one", "number")]


@pytest.mark.parametrize("command", ["convert", "export"])
def test_strict_is_of_spans_under_other_keys_too(tmp_path: Path, command: str) -> None:
    doc = spacy.blank("en")("one two")
    doc.spans["sc"], doc.spans["mine"] = [doc.char_span(0, 3, "a")], [doc.char_span(4, 7, "b")]
    source, report = tmp_path / "in.spacy", tmp_path / "report.jsonl"
    DocBin(docs=[doc]).to_disk(source)
    output = tmp_path / ("out.spacy" if command == "convert" else "out.jsonl")
    result = run(command, source, output, "--strict", "--report", report)
    assert result.exit_code == 1
    assert "1 x other spans key" in result.output
    assert json.loads(report.read_text())["item"] == {"key": "mine", "spans": 1}
    assert not output.exists()


def test_a_text_longer_than_spacy_parses(tmp_path: Path) -> None:
    record = {"text": "word " * 200_001, "spans": [[1_000_000, 1_000_004, "last"]]}
    result = convert(tmp_path, json.dumps(record), options=("--strict",))
    assert result.exit_code == 0, result.output
    assert "1 documents, 200001 tokens" in result.output


def test_labels_and_names_do_not_command_the_terminal(tmp_path: Path) -> None:
    record = {
        "id": "\x1b[2J",
        "text": "one",
        "spans": [
            {"start": 0, "end": 3, "label": "\x1b[31mré"},
            {"start": 1, "end": 3, "label": "é"},
        ],
    }
    result = convert(tmp_path, json.dumps(record))
    assert result.exit_code == 0, result.output
    assert "\\x1b[31mré" in result.output
    assert "\\x1b[2J (line 1)" in result.output
    assert "\x1b[2J" not in result.output


def test_output_is_a_spacy_file(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(GOOD), encoding="utf8")
    arguments = ["sener", "convert", str(source), str(tmp_path / "out.spacy.gz")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "OUT should end in .spacy" in result.output
    assert list(tmp_path.iterdir()) == [source]


def test_a_folder_of_another_format_than_those_of_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps(GOOD), encoding="utf8")
    arguments = ["sener", "convert", str(tmp_path / "in"), str(tmp_path / "out.spacy")]
    for options, message in (
        ([], "is a folder, of which those in the formats brat and uima are read"),
        (["--format", "jsonl"], "is a folder; jsonl reads one file at a time"),
    ):
        result = CliRunner().invoke(app, [*arguments, *options])
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


def test_problems_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    for options in ((), ("--strict",)):
        lines = convert(tmp_path, json.dumps(ODD), options=options).output.splitlines()
        [problem] = [i for i, line in enumerate(lines) if "1 x ends inside a token (kept" in line]
        assert "problems" not in lines[problem]
        assert lines[problem + 1].startswith("    b (line 1): {'start': 1")
