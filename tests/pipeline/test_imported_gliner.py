"""A checkpoint of GLiNER becomes a pipeline folder that answers as GLiNER does."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from full_disk import largest_file
from golden_gliner import read_case
from safetensors.torch import load_file, save_file
from spacy.language import Language
from spacy.util import fix_random_seed
from tiny_gliner import answers, component, gold, module_of
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from typer.testing import CliRunner

from spacy_sener.cli import app
from spacy_sener.optimizers import build_adamw_v1
from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner
from spacy_sener.prompts import make_prompt

LABELS = ["person", "organization", "date"]


@pytest.fixture(scope="module")
def about(golden_gliner: Path) -> dict[str, Any]:
    return read_case(golden_gliner, "c02_nested").about


@pytest.fixture
def checkpoint(golden_gliner: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(golden_gliner / "tiny_a", tmp_path / "checkpoint"))


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["import-gliner", *map(str, arguments)])


def assert_golden(nlp: Language, about: dict[str, Any]) -> None:
    (text,), (entities,) = about["texts"], about["entities"]
    doc = nlp(text)
    scores = doc.spans["sc"].attrs["scores"]
    found = {
        (span.start_char, span.end_char, span.label_): score
        for span, score in zip(doc.spans["sc"], scores, strict=True)
    }
    expected = {(e["start"], e["end"], e["label"]): e["score"] for e in entities}
    assert found == pytest.approx(expected, abs=1e-5)


def test_words_get_no_space_that_the_checkpoint_was_trained_without(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    definition = json.loads(path.read_text(encoding="utf8"))
    special, size = list(definition["model"]["vocab"])[:5], len(definition["model"]["vocab"])
    pieces = [*special, *sorted(ByteLevel.alphabet())]
    pieces += [f"none{i}" for i in range(len(pieces), size)]  # those of a prompt keep their numbers
    byte_level = Tokenizer(BPE({piece: i for i, piece in enumerate(pieces)}, []))
    byte_level.pre_tokenizer = ByteLevel(add_prefix_space=False)
    changed = json.loads(byte_level.to_str())
    for name in ("model", "pre_tokenizer", "normalizer"):
        definition[name] = changed[name]
    path.write_text(json.dumps(definition), encoding="utf8")
    nlp = pipeline_from_gliner(checkpoint)
    batch = component(nlp).model.predict([(nlp.make_doc("a man"), make_prompt(["a"]))])
    (window,) = batch.layout.windows
    words = window.piece_ids[window.piece_words > 0]
    assert [byte_level.id_to_token(int(i)) for i in words] == ["a", "m", "a", "n"]


def test_the_folder_is_whole_without_the_checkpoint(
    checkpoint: Path, tmp_path: Path, about: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    result = run(checkpoint, out, "--labels", ",".join(LABELS))
    assert result.exit_code == 0, result.output
    shutil.rmtree(checkpoint)
    assert str(tmp_path) not in (out / "config.cfg").read_text()
    nlp = spacy.load(out)
    assert nlp.config["components"]["gliner_multitask"]["model"]["label_after_marker"] is False
    assert component(nlp).labels == tuple(LABELS)
    assert_golden(nlp, about)


def test_without_labels_each_document_names_its_own(
    checkpoint: Path, tmp_path: Path, about: dict[str, Any]
) -> None:
    assert run(checkpoint, tmp_path / "out").exit_code == 0
    nlp = spacy.load(tmp_path / "out")
    doc = nlp.make_doc(about["texts"][0])
    with pytest.raises(ValueError, match="no labels"):
        nlp(doc)
    doc._.gliner_labels = LABELS
    assert len(answers(nlp(doc))) == len(about["entities"][0])


def test_options_of_the_command(checkpoint: Path, tmp_path: Path) -> None:
    options = ["--attention", "arrow", "--piece-window", "16", "--max-pieces", "500"]
    assert run(checkpoint, tmp_path / "out", *options, "--lang", "de").exit_code == 0
    nlp = spacy.load(tmp_path / "out")
    encoder = module_of(nlp).encoder
    assert nlp.lang == "de"
    assert (encoder.settings.attention, encoder.settings.piece_window) == ("arrow", 16)
    assert component(nlp).model.attrs["max_pieces"] == 500
    assert encoder.config.max_position_embeddings == 500  # made longer than the checkpoint's
    result = run(checkpoint, tmp_path / "other", "--attention", "wide")
    assert result.exit_code == 1
    assert "--attention must be one of" in result.output.replace("\n", " ")


def test_windows_of_no_size_are_refused(checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="max_pieces must be at least 16, not 0"):
        pipeline_from_gliner(checkpoint, max_pieces=0)


def test_arrows_that_reach_everywhere_are_full_attention(
    checkpoint: Path, about: dict[str, Any]
) -> None:
    nlp = pipeline_from_gliner(checkpoint, labels=LABELS, attention="arrow", piece_window=256)
    assert component(nlp).model.attrs["max_pieces"] == 8192
    assert_golden(nlp, about)


def test_what_is_wrong_with_a_checkpoint_is_said(checkpoint: Path, tmp_path: Path) -> None:
    def fails(message: str) -> None:
        result = run(checkpoint, tmp_path / "out")
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())
        assert not (tmp_path / "out").exists()

    weights = load_file(checkpoint / "model.safetensors")
    name, ours = "scorer.out_mlp.3.bias", "scores.marks.bias"
    save_file({k: v for k, v in weights.items() if k != name}, checkpoint / "model.safetensors")
    fails(ours)
    (checkpoint / "tokenizer.json").unlink()
    save_file(weights, checkpoint / "model.safetensors")
    fails("tokenizer")
    shutil.rmtree(checkpoint)
    fails("there is no such folder")


def train(nlp: Language, about: dict[str, Any], steps: int) -> list[float]:
    example = gold(nlp, about["texts"][0], [("Bill Gates", "person"), ("BASIC", "date")])
    fix_random_seed(0)
    optimizer = build_adamw_v1(
        head_learn_rate=0.003, encoder_learn_rate=0.003, warmup_steps=0, total_steps=0
    )
    return [nlp.update([example], sgd=optimizer)["gliner_multitask"] for _ in range(steps)]


@pytest.mark.parametrize("lora", [None, {"rank": 2, "alpha": 4}])
def test_a_checkpoint_is_where_training_starts(
    checkpoint: Path, tmp_path: Path, about: dict[str, Any], lora: dict[str, int] | None
) -> None:
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-sener.GLiNER.v1",
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "attention": "full",
            "logn": False,
            "lora": lora,
        },
    }
    config = {"model": model, "labels": LABELS, "max_pieces": 256}
    nlp.add_pipe("gliner_multitask", config=config)
    settings = {"gliner_multitask": {"checkpoint": str(checkpoint)}}
    nlp.config["initialize"]["components"] = settings
    nlp.initialize()
    assert_golden(nlp, about)
    history = train(nlp, about, 30)
    assert sum(history[-5:]) < 0.7 * sum(history[:5])
    nlp.to_disk(tmp_path / "out")
    shutil.rmtree(checkpoint)
    text = about["texts"][0]
    assert answers(spacy.load(tmp_path / "out")(text)) == answers(nlp(text))


def test_a_disk_that_is_full_leaves_no_folder(checkpoint: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with largest_file(10_000):
        result = run(checkpoint, tmp_path / "out")
    assert result.exit_code == 1
    assert "File too large" in " ".join(result.output.split())
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_there_is_not_written_over(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    result = run(checkpoint, out)
    assert result.exit_code == 1
    assert "is there already" in " ".join(result.output.split())
    assert [file.name for file in out.iterdir()] == ["notes.txt"]
