"""A published checkpoint becomes a pipeline folder that answers as the authors' code does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from spacy_sener.cli import app

CASES = ("case_01", "case_03", "case_05", "case_11")


def save_encoder(folder: Path, config: dict[str, Any]) -> Path:
    """Config and tokenizer of a golden case: the word "17-4" has the pieces 17 and 4."""
    vocab = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3}
    vocab |= {str(i): i for i in range(len(vocab), config["vocab_size"])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[MASK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("-", behavior="removed")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "deberta-v2", **config}))
    return folder


def words_of(arrays: Any) -> list[str]:
    """The words of a case, which a word's piece ids spell."""
    ids, index = arrays["input_ids"][0], arrays["indexes"][0]
    return ["-".join(str(i) for i in ids[index == n]) for n in range(1, index.max() + 1)]


def import_case(golden: Path, name: str, folder: Path) -> tuple[dict[str, Any], Any]:
    """Run the command on a golden case; the case and the command's result."""
    about = json.loads((golden / f"{name}.json").read_text())
    encoder = save_encoder(folder / "encoder", about["encoder"])
    labels = ",".join(f"L{i}" for i in range(about["head"]["num_ner_tag"]))
    arguments = ["import-checkpoint", str(golden / f"{name}.pth"), str(folder / "out")]
    options = ["--encoder", str(encoder), "--labels", labels]
    window = ["--span-window", str(about["head"]["chunks_size"])]
    return about, CliRunner().invoke(app, [*arguments, *options, *window])


@pytest.mark.parametrize("name", CASES)
def test_the_pipeline_finds_the_authors_spans(golden: Path, tmp_path: Path, name: str) -> None:
    about, result = import_case(golden, name, tmp_path)
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "out")
    doc = nlp(Doc(nlp.vocab, words_of(np.load(golden / f"{name}.npz"))))
    found = [[span.start, span.end - 1, int(span.label_[1:])] for span in doc.spans["sc"]]
    assert sorted(found) == about["entities_true_confidence_priority"][0]
    assert str(tmp_path) not in (tmp_path / "out" / "config.cfg").read_text()


def test_an_imported_pipeline_trains_on(golden: Path, tmp_path: Path) -> None:
    import_case(golden, "case_01", tmp_path)
    nlp = spacy.load(tmp_path / "out")
    model = nlp.config["components"]["sener"]["model"]
    assert [model[name] for name in ("token_dropout", "span_dropout", "masking")] == [
        0.4,
        0.2,
        0.15,
    ]
    words = words_of(np.load(golden / "case_01.npz"))
    reference = Doc(nlp.vocab, words)
    reference.spans["sc"] = [Span(reference, 0, 2, "L1"), Span(reference, 3, 5, "L1")]
    example = Example(Doc(nlp.vocab, words), reference)
    optimizer = nlp.resume_training()
    fix_random_seed(0)  # its dropouts are those of the paper
    history = [nlp.update([example], sgd=optimizer)["sener"] for _ in range(30)]
    assert sum(history[-5:]) < 0.9 * sum(history[:5])


def test_an_encoder_that_ends_somewhere_reads_windows_that_fit(
    golden: Path, tmp_path: Path
) -> None:
    """The checkpoint of a case, over an encoder that has a vector for each of 64 positions, too."""
    about = json.loads((golden / "case_01.json").read_text())
    config = {**about["encoder"], "position_biased_input": True, "max_position_embeddings": 64}
    encoder = save_encoder(tmp_path / "encoder", {**config, "max_relative_positions": 512})
    weights = torch.load(golden / "case_01.pth", weights_only=True)
    of_positions = "module.base_model.model.pretrain_model.embeddings.position_embeddings.weight"
    weights[of_positions] = torch.zeros(64, config["hidden_size"])
    torch.save(weights, tmp_path / "case.pth")
    arguments = ["import-checkpoint", str(tmp_path / "case.pth"), str(tmp_path / "out")]
    options = ["--encoder", str(encoder), "--labels", "a,b,c", "--span-window", "16"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "out")
    assert nlp.config["components"]["sener"]["max_pieces"] == 64
    assert len(nlp("17 " * 200)) == 200


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("a,b", "3 labels, but 2 are given"),
        ("a,b,a", "These labels are given twice: ['a']"),
        ("a,,b", "One of the labels is empty: ['a', '', 'b']"),
    ],
)
def test_labels_that_do_not_fit_are_named(
    golden: Path, tmp_path: Path, labels: str, message: str
) -> None:
    about = json.loads((golden / "case_01.json").read_text())
    encoder = save_encoder(tmp_path / "encoder", about["encoder"])
    arguments = ["import-checkpoint", str(golden / "case_01.pth"), str(tmp_path / "out")]
    options = ["--encoder", str(encoder), "--labels", labels, "--span-window", "16"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", [["import-checkpoint", "--encoder", "e", "--labels", "a"], ["import-gliner"]]
)
def test_a_language_is_looked_for_first(tmp_path: Path, command: list[str]) -> None:
    paths = [str(tmp_path / name) for name in ("no_checkpoint", "out")]
    result = CliRunner().invoke(app, [*command, *paths, "--lang", "english"])
    assert result.exit_code == 1
    assert "--lang should be a code such as en" in " ".join(result.output.split())
