"""The command `self-train` from end to end, and what it refuses."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from self_trained import (
    DATA,
    NAMES,
    TEXTS,
    gold_examples,
    make_gliner_pipeline,
    save_gold,
    save_half_trained,
)
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner, Result

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do
from spacy_sener.corpora.files import folder_written_whole
from spacy_sener.self_training import evaluate

FAST_OPTIONS = ("--threshold", "0.5", "--steps", "20", "--learn-rate", "3e-3")
FAST_OPTIONS += ("--encoder-learn-rate", "6e-4")
# spaCy's command line, also where what started the tests ignores Ctrl-C.
INTERRUPTIBLE = """
import signal
from spacy.cli import setup_cli
signal.signal(signal.SIGINT, signal.default_int_handler)
setup_cli()
"""


@pytest.fixture(scope="session")
def half_trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_half_trained(tiny_encoder, tmp_path_factory.mktemp("half_trained") / "pipeline")


def write_texts(folder: Path) -> Path:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "self-train", *map(str, arguments)])


def shown(result: Result) -> str:
    return " ".join(result.output.split())


def test_the_command_from_end_to_end(half_trained: Path, tmp_path: Path) -> None:
    gold = save_gold(tmp_path / "gold.spacy", DATA)
    output, report = tmp_path / "new" / "out", tmp_path / "figures.json"
    files = (half_trained, write_texts(tmp_path), output, "--gold", gold, "--report", report)
    result = command(*files, *FAST_OPTIONS)
    assert result.exit_code == 0, result.output
    done = json.loads(report.read_text())
    assert done["component"] == "sener"
    assert done["texts"] == len(TEXTS) == done["examples"] + done["left_out"]
    assert done["left_out"] > 0
    assert sum(done["spans_per_label"].values()) == done["spans"] > 0
    assert len(done["losses"]) == done["steps"] == 20
    assert np.mean(done["losses"][-5:]) < np.mean(done["losses"][:5])
    assert done["before"]["f"] < done["after"]["f"]
    table = dict(line.split(maxsplit=1) for line in result.output.splitlines() if "After" in line)
    assert table["After"].split() == [f"{100 * done['after'][name]:.2f}" for name in "prf"]
    assert f"{done['left_out']} text(s) or segments left out" in shown(result)

    nlp = spacy.load(output)
    assert nlp.pipe_names == ["sentencizer", "sener"]
    assert evaluate(nlp, "sener", gold_examples(nlp, DATA)) == pytest.approx(done["after"])
    figures = {f"spans_sc_{name}": value for name, value in done["after"].items()}
    assert nlp.meta["performance"] == pytest.approx({"speed": 5.0, **figures})
    # What was changed for the run only is as it was.
    before, after = (spacy.load(path).get_pipe("sener").cfg for path in (half_trained, output))
    assert before == after
    assert [path.name for path in output.parent.iterdir()] == ["out"]


def test_without_gold(half_trained: Path, tmp_path: Path) -> None:
    result = command(half_trained, write_texts(tmp_path), tmp_path / "out", "--steps", 1)
    assert result.exit_code == 0, result.output
    assert "Before" not in result.output
    assert spacy.load(tmp_path / "out").meta["performance"] == {"speed": 5.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--threshold", "0.9999"),
            "no span with a score of 0.9999 or more in 28 text(s): the best",
        ),
        (("--threshold", "2"), "threshold must lie in [0, 1], not 2.0"),
        (("--steps", "0"), "steps must be 1 or more, not 0"),
        (("--learn-rate", "0"), "learn_rate must be above 0"),
        (("--component", "ner"), "'ner' is no component that can be self-trained"),
        (("--component", "sentencizer"), "'sentencizer' is no component that can be self-trained"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    half_trained: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = command(half_trained, write_texts(tmp_path), tmp_path / "out", *options)
    assert result.exit_code == 1
    assert message in shown(result)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_wrong_paths(half_trained: Path, tmp_path: Path) -> None:
    source, output = write_texts(tmp_path), tmp_path / "out"
    assert "Can't find model" in shown(command(tmp_path / "none", source, output))
    (tmp_path / "blank.spacy").write_bytes(DocBin().to_bytes())
    assert "has no texts" in shown(command(half_trained, tmp_path / "blank.spacy", output))
    assert not output.exists()
    assert "is there already" in shown(command(half_trained, source, half_trained))
    gold = DocBin(docs=[spacy.blank("en")("no annotation")])
    gold.to_disk(tmp_path / "gold.spacy")
    result = command(half_trained, source, output, "--gold", tmp_path / "gold.spacy")
    assert result.exit_code == 1
    assert "no annotation in doc.spans['sc']" in shown(result)
    assert "Annotating" not in result.output, "it is said before the work"
    result = command(half_trained, source, output, "--gold", source)
    assert result.exit_code == 1
    assert "is no .spacy file" in shown(result)
    (tmp_path / "bad.spacy").write_bytes(b"garbage")
    result = command(half_trained, source, output, "--gold", tmp_path / "bad.spacy")
    assert result.exit_code == 1
    assert "bad.spacy:notawhole.spacyfile" in "".join(result.output.split())
    result = command(half_trained, source, output, "--report", tmp_path)
    assert result.exit_code == 1
    assert "is a folder: name a file to write" in shown(result)
    assert not output.exists()


def test_what_is_read_is_not_written_over(half_trained: Path, tmp_path: Path) -> None:
    texts, gold = tmp_path / "texts", save_gold(tmp_path / "gold.spacy", DATA)
    texts.mkdir()
    before = write_texts(texts).read_bytes(), gold.read_bytes()
    files = (half_trained, texts, tmp_path / "out", "--gold", gold)
    for report in (gold, texts / "texts.jsonl", texts / "new.txt"):
        result = command(*files, "--report", report)
        assert result.exit_code == 1
        assert "would be read as part of" in shown(result)
    assert ((texts / "texts.jsonl").read_bytes(), gold.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "gold.spacy",
        "texts",
        "texts.jsonl",
    ]


def test_texts_are_looked_for_before_the_gold_documents_are_read(
    half_trained: Path, tmp_path: Path
) -> None:
    gold = tmp_path / "gold.spacy"
    gold.write_bytes(b"garbage")
    (tmp_path / "empty").mkdir()
    result = command(half_trained, tmp_path / "empty", tmp_path / "out", "--gold", gold)
    assert result.exit_code == 1
    assert "has no files that end in one of" in shown(result)


def test_an_interruption_leaves_nothing(half_trained: Path, tmp_path: Path) -> None:
    files = (half_trained, write_texts(tmp_path), tmp_path / "out")
    program = [sys.executable, "-c", INTERRUPTIBLE, "sener", "self-train", *map(str, files)]
    options = ["--threshold", "0.5", "--steps", "1000000"]
    with subprocess.Popen([*program, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "/1000000" not in said and (char := process.stderr.read(1)):  # of the bar
            said += char
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    assert "/1000000" in said
    assert process.returncode != 0
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "out"

    def half_written() -> None:
        with folder_written_whole(path) as part:
            part.mkdir()
            (part / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_written()
    assert list((tmp_path / "sub").iterdir()) == []
    (tmp_path / "sub" / ".part-out").mkdir()
    (tmp_path / "sub" / ".part-out" / "of a killed process").write_text("")
    with folder_written_whole(path) as part:
        part.mkdir()
        (part / "whole").write_text("")
    assert [file.name for file in path.iterdir()] == ["whole"]
    assert list((tmp_path / "sub").iterdir()) == [path]
    with pytest.raises(FileExistsError, match="is there already"), folder_written_whole(path):
        pass
    assert [file.name for file in path.iterdir()] == ["whole"]


def test_the_folder_can_be_moved_and_trained_on(half_trained: Path, tmp_path: Path) -> None:
    source, first, second = write_texts(tmp_path), tmp_path / "first", tmp_path / "second"
    for model, output in ((half_trained, first), (first, second)):
        result = command(model, source, output, "--steps", 2, "--threshold", 0.5)
        assert result.exit_code == 0, result.output
        if output == first:
            shutil.move(first, tmp_path / "moved")
            shutil.move(tmp_path / "moved", first)
    assert spacy.load(second).pipe_names == ["sentencizer", "sener"]


# The other component


def test_gliner_multitask(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = make_gliner_pipeline(tiny_encoder, steps=15)
    nlp.to_disk(tmp_path / "model")
    gold = save_gold(tmp_path / "gold.spacy", NAMES)
    lines = [{"text": text} for text in TEXTS[:-1]]
    lines.append({"text": TEXTS[0], "gliner_labels": {"named": "name"}})
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    files = (tmp_path / "model", tmp_path / "texts.jsonl", tmp_path / "out")
    options = ("--threshold", 0.5, "--steps", 20, "--learn-rate", 3e-3, "--label-smoothing", 0.1)
    report = tmp_path / "figures.json"
    result = command(*files, *options, "--gold", gold, "--report", report)
    assert result.exit_code == 0, result.output
    done = json.loads(report.read_text())
    assert done["component"] == "gliner_multitask"
    assert np.mean(done["losses"][-5:]) < np.mean(done["losses"][:5])
    assert set(done["spans_per_label"]) == {"name", "named"}
    assert done["after"]["f"] > 0.8
    trained = spacy.load(tmp_path / "out")
    assert evaluate(trained, "gliner_multitask", gold_examples(trained, NAMES)) == done["after"]
    assert trained.get_pipe("gliner_multitask").cfg == nlp.get_pipe("gliner_multitask").cfg
