"""What commands print: text of strangers, in any encoding, and errors of several lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from evaluation.evaluated import make_example, report_on
from spacy.cli._util import app
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do
from spacy_sener.cli.messages import fail

ESCAPE = "\x1b[31mred"
ESCAPED = r"\x1b[31mred"


def save(path: Path, label: str) -> Path:
    """A document of 800 tokens, with a span that no window reaches."""
    doc = spacy.blank("en").make_doc("one two " * 400)
    doc.spans["sc"] = [Span(doc, 0, 700, label)]
    DocBin(docs=[doc]).to_disk(path)
    return path


def sener(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sener", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_the_labels_of_a_corpus_do_not_command_the_terminal(tmp_path: Path) -> None:
    corpus, config = save(tmp_path / "corpus.spacy", ESCAPE), tmp_path / "my.cfg"
    judged = sener("debug-data", corpus)
    assert f"{ESCAPED} 1 - 700" in judged, "in the table"
    assert f"cannot be found ({ESCAPED} 100.0 %)" in judged
    chosen = sener("init-config", config, "--corpus", corpus, "--gpu")
    assert ESCAPED in chosen
    assert ESCAPED in config.read_text(encoding="utf8")
    assert ESCAPE not in judged + chosen + config.read_text(encoding="utf8")


def test_the_names_of_reports_do_not_command_the_terminal(tmp_path: Path) -> None:
    made = report_on([make_example([(0, 1, "A")], [(0, 1, "A")])])
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    for count, path in enumerate(paths):
        path.write_text(json.dumps({**made, "name": ESCAPE, "documents": {"count": count}}))
    shown = sener("compare", *paths, "-o", tmp_path / "table.md")
    assert f"({ESCAPED}: 0 documents" in shown
    assert ESCAPE not in shown


def test_where_the_encoding_has_not_all_characters(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 3, "label": "名前"}, {"start": 5, "end": 7, "label": "é"}]
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"text": "one two", "spans": spans}))
    command = [sys.executable, "-m", "spacy", "sener", "convert", source, tmp_path / "out.spacy"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    output = done.stdout.decode("cp1252")
    assert done.returncode == 0, output + done.stderr.decode()
    assert r"\u540d\u524d" in output, "in the table"
    assert r"'label': '\xe9'" in output, "in a message"
    assert "Wrote 1 documents" in output


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (ValueError("first\n    second\n\nthird"), ["✘ first", "    second", "⚠ third"]),
        (ValueError(f"{ESCAPE}\n{ESCAPE}"), [f"✘ {ESCAPED}", f"⚠ {ESCAPED}"]),
        (OSError(), ["✘ OSError()"]),
        ("a message", ["✘ a message"]),
    ],
)
def test_the_lines_of_an_error(
    error: object, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        fail(error)
    assert ended.value.code == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line.partition("m")[2].removesuffix("\x1b[0m") or line for line in shown] == lines
