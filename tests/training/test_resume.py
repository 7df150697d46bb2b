"""A run of training that is stopped and goes on is the run that was never stopped."""

import json
import random
import signal
from pathlib import Path

import pytest
import spacy
from full_disk import largest_file
from spacy.cli._util import app as spacy_app
from spacy.cli._util import parse_config_overrides
from spacy.tokens import Doc, DocBin, Span
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from stopped_runs import ADAM, ADAMW, SMALLER, paths, run, save_config, unboxed, weights
from thinc.api import fix_random_seed
from typer.testing import CliRunner

from spacy_sener.cli.train import _run
from spacy_sener.sums import write_sums
from spacy_sener.training.loop import output_folder
from spacy_sener.training.progress import TENSORS, VALUES, Progress, Saved


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp, docs = spacy.blank("en"), DocBin()
    for words in ("Anna sings", "in the park", "Berlin", "we met Anna Keller in London", "go home"):
        doc = Doc(nlp.vocab, words.split(), tags=["A", *["B"] * (len(words.split()) - 1)])
        doc.spans["sc"] = [Span(doc, 0, 1, "FIRST"), Span(doc, len(doc) - 1, len(doc), "LAST")]
        docs.add(doc)
    path = tmp_path_factory.mktemp("corpus") / "train.spacy"
    docs.to_disk(path)
    return path


# Between two evaluations, and right after one; in a run that takes its seed from the config, and in
# one that begins wherever the process is.
@pytest.mark.parametrize(
    ("optimizer", "step", "seed"), [(ADAMW, 4, 3), (ADAM, 3, "null")], ids=["AdamW", "Adam"]
)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    corpus: Path, tiny_encoder: Path, tmp_path: Path, optimizer: str, step: int, seed: object
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        save_config(folder, optimizer)
    files = [
        [*paths(folder, corpus, tiny_encoder), "--system.seed", seed] for folder in (whole, parts)
    ]
    # The whole run is spaCy's own.
    fix_random_seed(7)
    command = ["train", whole / "config.cfg", "--output", whole / "out", *files[0]]
    result = CliRunner().invoke(spacy_app, [str(argument) for argument in command])
    assert result.exit_code == 0, result.output

    stop = ["--paths.stop", parts / "stopped", "--vars.at", step]
    fix_random_seed(7)
    result = run("train", parts / "config.cfg", "--output", parts / "out", *files[1], *stop)
    assert result.exit_code == 128 + signal.SIGINT, result.output
    assert f"resume {parts / 'out'}" in " ".join(result.output.split())
    assert (parts / "out" / "model-last" / "training").is_dir()
    assert not (parts / "out" / "model-best" / "training").exists()
    # It is a pipeline like any other, and is not overwritten by mistake.
    assert "sc" in spacy.load(parts / "out" / "model-last")("Anna sings").spans
    again = run("train", parts / "config.cfg", "--output", parts / "out", *files[1])
    assert again.exit_code == 1
    assert "not done" in again.output

    fix_random_seed(8)
    result = run("resume", parts / "out")
    assert result.exit_code == 0, result.output
    assert f"after step {step}" in result.output
    told = [(folder / "losses.jsonl").read_text().splitlines() for folder in (whole, parts)]
    assert [json.loads(line)["step"] for line in told[0]] == [0, 3, 6]
    assert told[0] == told[1]
    saved = [json.loads(line)["saved"] for line in told[1]]
    assert [{"tag_acc", "sener_loss"} <= each.keys() for each in saved] == [True] * 3
    assert weights(whole) == weights(parts)
    assert not (parts / "out" / "model-last" / "training").exists()
    done = run("resume", parts / "out")
    assert done.exit_code == 1
    shown = " ".join(done.output.split())
    assert "the run is done" in shown
    assert f'[components.sener] source = "{parts / "out" / "model-best"}"' in shown


@pytest.mark.parametrize("optimizer", [ADAMW, ADAM], ids=["AdamW", "Adam"])
def test_a_run_goes_on_with_what_is_trained_though_it_saves_something_else(
    corpus: Path, tiny_encoder: Path, tmp_path: Path, optimizer: str
) -> None:
    for name in ("whole", "parts"):
        out, config = tmp_path / name / "out", save_config(tmp_path / name, optimizer + SMALLER)
        stop = ["--paths.stop", tmp_path / "stopped", "--vars.at", 4] if name == "parts" else []
        files = [*paths(out.parent, corpus, tiny_encoder), *stop]
        result = run("train", config, "--output", out, *files)
    assert result.exit_code == 128 + signal.SIGINT, result.output
    assert spacy.load(out / "model-last").pipe_names == ["sener"]
    result = run("resume", out)
    assert result.exit_code == 0, result.output
    whole, parts = ((tmp_path / name / "out") for name in ("whole", "parts"))
    for model in ("model-best", "model-last"):
        files_of = [(each / model / "sener" / "model").read_bytes() for each in (whole, parts)]
        assert files_of[0] == files_of[1]
    assert not (parts / "model-last" / "training").exists()


def test_a_best_model_that_could_not_be_written_is_written_after_all(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        config, files = save_config(folder, ADAM), paths(folder, corpus, tiny_encoder)
        in_the_way = folder / "out" / ".part-model-best"
        fault = ["--paths.in_the_way", in_the_way, "--vars.at", 4] if folder == parts else []
        result = run("train", config, "--output", folder / "out", *files, *fault)
        assert result.exit_code == int(folder == parts), result.output
    assert "Training stopped" in result.output
    assert in_the_way.is_file()
    in_the_way.unlink()
    result = run("resume", parts / "out", "--vars.at", 99)
    assert result.exit_code == 0, result.output
    assert "after step 3" in result.output
    assert weights(whole) == weights(parts)


def test_what_a_folder_and_a_run_cannot_be_used_for(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    config, out = save_config(tmp_path / "run", ADAM), tmp_path / "run" / "out"
    with output_folder(out):
        for command in (["train", config, "--output", out], ["resume", out]):
            result = run(*command, *paths(out, corpus, tiny_encoder))
            assert result.exit_code == 1
            assert "another run is writing" in " ".join(result.output.split())
    result = run("resume", out, "--training.eval_frequency", 2)
    assert result.exit_code == 2
    assert "training.eval_frequency cannot change" in " ".join(result.output.split())
    for command in (["train", config, "--output", out], ["resume", out]):
        result = run(*command, "--training.max_step", 2)
        assert result.exit_code == 2
        assert "[training] has no max_step, but max_steps" in unboxed(result.output)
    missing, no_config = tmp_path / "typo", tmp_path / "some.spacy"
    result = run("resume", missing)
    assert result.exit_code == 2
    assert "does not exist" in unboxed(result.output)
    assert not missing.exists()
    no_config.write_bytes(b"x\x9c\xeb")
    for path, problem in ((config, "Corpus path can't be None"), (no_config, "is no config")):
        result = run("train", path, "--output", tmp_path / "new", "--paths.losses", tmp_path / "l")
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert problem in unboxed(result.output)


def test_a_run_does_not_go_on_with_what_does_not_fit_it(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """It says why, and is left as it was."""
    folder, out = tmp_path / "run", tmp_path / "run" / "out"
    config, files = save_config(folder, ADAM), paths(folder, corpus, tiny_encoder)
    stop = ["--paths.stop", folder / "stopped", "--vars.at", 4]
    assert run("train", config, "--output", out, *files, *stop).exit_code == 130
    name, averages = "training.optimizer.@optimizers", "training.optimizer.use_averages"
    for option, value, problem in (
        ("training.max_steps", 2, "corpus, end before step 4, after which the run was stopped"),
        ("training.max_epochs", 1, "corpus, end before step 4"),
        ("vars.evaluations", 2, "--training.eval_frequency cannot change: it was 3, and is 2"),
        (averages, "true", f"--{averages} cannot change: it was False, and is True"),
        (name, "RAdam.v1", f"--{name} cannot change: it was Adam.v1, and is RAdam.v1"),
        (name, "spacy-sener.AdamW.v1", "Config error for"),
    ):
        before = weights(out.parent)
        result = run("resume", out, f"--{option}", value)
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit)
        assert problem in unboxed(result.output)
        assert weights(out.parent) == before
    assert run("resume", out, "--training.max_steps", 4).exit_code == 0  # nothing is left to do


def test_a_disk_that_is_full_stops_a_run_that_goes_on_later(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    config, files = save_config(folder, ADAMW), paths(folder, corpus, tiny_encoder)
    stop = ["--paths.stop", folder / "stopped", "--vars.at", 4]
    assert run("train", config, "--output", folder / "out", *files, *stop).exit_code == 130
    state = folder / "out" / "model-last" / "training" / "optimizer.safetensors"
    with largest_file(state.stat().st_size - 1):
        result = run("resume", folder / "out")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    shown = unboxed(result.output)
    assert "Training stopped" in shown
    assert f"resume {folder / 'out'}" in shown
    assert "after step 4" in run("resume", folder / "out").output


def test_a_scorer_may_give_what_json_has_not(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    config, files = save_config(folder, ADAM), paths(folder, corpus, tiny_encoder)
    scorer = ["--components.tagger.scorer.@scorers", "tests.odd.v1"]
    stop = ["--paths.stop", folder / "stopped", "--vars.at", 4]
    result = run("train", config, "--output", folder / "out", *files, *scorer, *stop)
    assert result.exit_code == 130, result.output
    progress = Saved.from_disk(folder / "out" / "model-last" / "training").progress
    scores = progress.evaluations[0][1]
    assert scores["confusion"] == {"('A', 'B')": [0.0, 1.0]}
    assert (scores["labels"], scores["best"], scores["at"]) == (["A"], 0.5, "a")
    assert run("resume", folder / "out").exit_code == 0


def test_steps_in_which_nothing_would_be_learned_are_warned_of(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    """In the whole of a run, and in what is added to one; not where the rates fall more slowly."""
    folder, out = tmp_path / "run", tmp_path / "run" / "out"
    config, files = save_config(folder, ADAMW), paths(folder, corpus, tiny_encoder)
    steps, total = "--training.max_steps", "--training.optimizer.total_steps"
    stop = ["--paths.stop", folder / "stopped", "--vars.at", 1]
    with pytest.warns(match=r"training\.max_steps is 10, and training\.optimizer\.total_steps 9:"):
        assert run("train", config, "--output", out, *files, *stop, steps, 10).exit_code == 130
    again = ["--paths.stop", folder / "again", "--vars.at", 2]
    with pytest.warns(match=r"training\.max_steps is 11, and training\.optimizer\.total_steps 9:"):
        assert run("resume", out, *again, steps, 11).exit_code == 130
    once_more = ["--paths.stop", folder / "once more", "--vars.at", 3]
    assert run("resume", out, *once_more, steps, 12, total, 12).exit_code == 130


def test_a_run_that_only_patience_ends_is_warned_of(
    corpus: Path, tiny_encoder: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder = tmp_path / "run"
    config, files = save_config(folder, ADAMW), paths(folder, corpus, tiny_encoder)
    for epochs, n_warnings in ((1, 0), (0, 1)):
        limits = ["--training.max_steps", 0, "--training.max_epochs", epochs]
        stop = ["--paths.stop", folder / f"stopped {epochs}", "--vars.at", 1]
        to = folder / f"out {epochs}"
        assert run("train", config, "--output", to, *files, *stop, *limits).exit_code == 130
        shown = [str(each.message) for each in recwarn if "total_steps" in str(each.message)]
        assert len(shown) == n_warnings, shown
    assert "max_steps is 0, for no limit, and training.optimizer.total_steps 9" in shown[0]


def test_a_gpu_may_keep_its_own_allocator(corpus: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """What `train --gpu-id 0` comes to once the GPU is taken, with `gpu_allocator = null`."""
    path = save_config(tmp_path / "run", ADAMW)
    files = map(str, paths(tmp_path / "run", corpus, tiny_encoder))
    config = load_config(path, parse_config_overrides([*files, "--training.max_steps", "1"]))
    assert config.interpolate()["training"]["gpu_allocator"] is None
    (tmp_path / "out").mkdir()
    _run(init_nlp(config), tmp_path / "out", 0, None)
    assert (tmp_path / "out" / "model-last").is_dir()


def test_documents_that_are_evaluated_may_be_of_any_length(
    corpus: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "run", tmp_path / "run" / "out"
    words = ["Anna", "sings", " " * 1_000_000]
    long = Doc(spacy.blank("en").vocab, words, [True, True, False])
    long.spans["sc"] = [Span(long, 0, 1, "PERSON")]
    DocBin(docs=[long]).to_disk(tmp_path / "long.spacy")
    dev = ["--corpora.dev.path", tmp_path / "long.spacy"]
    config, files = save_config(folder, ADAM), paths(folder, corpus, tiny_encoder)
    stop = ["--paths.stop", folder / "stopped", "--vars.at", 4]
    result = run("train", config, "--output", out, *files, *stop, *dev)
    assert result.exit_code == 130, result.output
    assert run("resume", out).exit_code == 0
    evaluated = [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]
    assert [line["step"] for line in evaluated] == [0, 3, 6]


def shuffled(progress: Progress, *, draws: bool) -> list[list[int]]:
    """The examples of six epochs; with `draws` somebody draws in every other one."""
    progress.read_anew()
    examples, orders = list(range(9)), []
    batches = progress.shuffling_anew(iter)
    for epoch in range(6):
        random.shuffle(examples)
        orders.append([])
        for example in batches(examples):
            orders[-1].append(example)
            if draws and epoch % 2:
                random.random()
    return orders


def test_epochs_that_were_done_have_the_same_order_and_take_little() -> None:
    progress = Progress()
    expected = shuffled(progress, draws=True)
    assert [end is None for end in progress.epochs] == [True, False] * 3
    state = json.dumps(vars(progress))
    assert len(json.dumps(progress.epochs)) < 3 * 3500
    random.seed(99)
    assert shuffled(Progress(**json.loads(state)), draws=False) == expected


def test_a_state_that_is_damaged(corpus: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run" / "out"
    config, files = save_config(out.parent, ADAM), paths(out.parent, corpus, tiny_encoder)
    stop = ["--paths.stop", tmp_path / "stopped", "--vars.at", 4]
    assert run("train", config, "--output", out, *files, *stop).exit_code == 130
    state = out / "model-last" / "training"
    whole = (state / VALUES).read_text()
    for content, with_sums, problem in (
        (whole.replace('"step": 4', '"step": 3'), False, "its checksum is not that in"),
        ("[" * 100_000, True, "its JSON is nested too deep"),
        (whole[:-1], True, "cannot be read: Expecting"),
        (whole.replace('"version": 1', '"version": 2'), True, "of a later spacy-sener"),
    ):
        (state / VALUES).write_text(content)
        if with_sums:
            write_sums(state, (VALUES, TENSORS))
        result = run("resume", out)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert problem in unboxed(result.output)
