"""A training of the project that was stopped goes on, if it is the same; and for which device."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import init_config
import pytest
import same_process
import spacy
import train
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from stopped_runs import ADAM, paths, save_config, unboxed
from typer.testing import CliRunner, Result


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for script in (init_config, train):
        monkeypatch.setattr(script, "run_command", same_process.run_command)
    write(tmp_path / "train.spacy", "Anna sings", "in the park", "we met Anna Keller in London")
    return tmp_path / "train.spacy"


def write(path: Path, *texts: str) -> None:
    nlp, docs = spacy.blank("en"), DocBin()
    for text in texts:
        doc = Doc(nlp.vocab, text.split(), tags=["A"] * len(text.split()))
        doc.spans["sc"] = [Span(doc, 0, 1, "FIRST")]
        docs.add(doc)
    docs.to_disk(path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train.app, [str(argument) for argument in arguments])


def test_a_training_that_was_stopped_goes_on(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "run", tmp_path / "run" / "out"
    config, files = save_config(folder, ADAM), paths(folder, corpus, tiny_encoder)
    command = [config, out, *files, "--paths.stop", folder / "stopped", "--vars.at", 4]
    result = run(*command)
    assert result.exit_code == 130, result.output

    def steps() -> list[int]:
        lines = (folder / "losses.jsonl").read_text().splitlines()
        return [json.loads(line)["step"] for line in lines]

    assert steps() == [0, 3]
    whole = corpus.read_bytes()
    write(corpus, "other documents")
    for other in (command, [*command, "--training.dropout", 0.3]):
        result = run(*other)
        assert result.exit_code == 1
        assert "has a run that is not done. Go on with it" in unboxed(result.output)
        corpus.write_bytes(whole)
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "Going on after step 4" in result.output
    assert steps() == [0, 3, 6]
    # What is done begins anew, as by `spacy train`.
    assert run(*command, "--training.max_steps", 1).exit_code == 0
    assert steps() == [0, 3, 6, 0]


def test_a_config_that_was_changed_by_hand_is_not_overwritten(
    corpus: Path, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.cfg"
    command = ["-1", str(path), "--corpus", str(corpus), "--encoder", str(tiny_encoder), "--force"]
    init_config.main(*command)
    init_config.main(*command)
    made = path.read_text("utf8")
    path.write_text(f"{made}# mine\n", encoding="utf8")
    with pytest.raises(SystemExit):
        init_config.main(*command)
    assert "--vars.train_options" in capsys.readouterr().out
    assert path.read_text("utf8") == f"{made}# mine\n"
    path.unlink()
    init_config.main(*command)
    assert path.read_text("utf8") == made


def test_a_config_is_not_taken_for_changed_after_ctrl_c(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """It comes when the config is written, and before the command has ended."""
    path = tmp_path / "config.cfg"
    options = ["--corpus", str(corpus), "--encoder", str(tiny_encoder), "--force"]
    command = [sys.executable, init_config.__file__, "-1", str(path), *options]
    with subprocess.Popen(command) as process:
        while not path.exists() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
    assert path.exists()
    init_config.main(*command[2:])


@pytest.mark.parametrize(("gpu_id", "allocator"), [("0", "pytorch"), ("-1", None)])
def test_settings_are_for_the_device(
    corpus: Path, tiny_encoder: Path, tmp_path: Path, gpu_id: str, allocator: str | None
) -> None:
    path = tmp_path / "new" / "config.cfg"
    options = ["--corpus", str(corpus), "--encoder", str(tiny_encoder), "--force"]
    init_config.main(gpu_id, str(path), *options)
    assert load_config(path)["system"]["gpu_allocator"] == allocator
