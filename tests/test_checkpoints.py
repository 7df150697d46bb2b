"""The authors' checkpoints give the authors' answers, with our decoder's corrections."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import DebertaV2Config

from spacy_sener.checkpoints import load_sener_checkpoint
from spacy_sener.decoding import decode
from spacy_sener.nn.band import valid_cells
from spacy_sener.nn.scoring import span_loss, span_scores
from spacy_sener.nn.sener import SeNER
from spacy_sener.types import Candidates

CASES = ("case_01", "case_03", "case_05", "case_07", "case_10", "case_11")


@dataclass
class Case:
    """One golden case: what went in and what the authors' code answered."""

    path: Path
    about: dict[str, Any]
    arrays: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        return {
            "encoder_config": self.about["encoder"],
            "labels": [f"LABEL{i}" for i in range(self.about["head"]["num_ner_tag"])],
            "span_window": self.about["head"]["chunks_size"],
        }

    def load(self, **changes: Any) -> SeNER:
        return load_sener_checkpoint(self.path, **{**self.options, **changes})

    def text(self, i: int) -> tuple[Tensor, Tensor, Tensor]:
        """Input of one text of the batch alone, without padding."""
        n_pieces = self.about["pieces"][i]
        input_ids, index = (
            torch.tensor(self.arrays[name][i : i + 1, :n_pieces])
            for name in ("input_ids", "indexes")
        )
        return input_ids, torch.tensor([n_pieces]), index

    def scores(self, i: int) -> Tensor:
        """The authors' logits of that text alone, (1, words, 2 * window + 1, labels)."""
        name = f"solo_{i}_scores"
        scores = self.arrays[name if name in self.arrays else "scores"]
        return torch.tensor(scores if name in self.arrays else scores[i : i + 1])


def read_case(folder: Path, name: str) -> Case:
    about = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz") as arrays:
        return Case(folder / f"{name}.pth", about, dict(arrays))


def entities(logits: Tensor, n_tokens: int) -> list[list[int]]:
    """Nested spans over 0.5 as [start, end inclusive, label], decoded as the authors mean to."""
    valid = valid_cells(torch.tensor([n_tokens]), logits.shape[1], logits.shape[2] // 2)
    scores = span_scores(logits, None, valid, average="probabilities")[0]
    starts, distances, labels = (scores >= 0.5).nonzero().numpy().T
    values = scores[starts, distances, labels].numpy()
    candidates = Candidates(starts, starts + distances, labels, values)
    kept = decode(candidates, overlap="released", labels_per_span="one")
    return sorted(np.stack([kept.starts, kept.ends, kept.labels], 1).tolist())


@pytest.mark.parametrize("name", CASES)
def test_logits_and_entities_are_the_authors(golden: Path, name: str) -> None:
    case = read_case(golden, name)
    module = case.load()
    assert not module.training
    for i, n_tokens in enumerate(case.about["words"]):
        with torch.no_grad():
            logits = module(*case.text(i))
        valid = valid_cells(torch.tensor([n_tokens]), n_tokens, case.options["span_window"])
        assert logits.shape == case.scores(i)[:, :n_tokens].shape
        assert not logits[~valid].any()
        difference = (logits - case.scores(i)[:, :n_tokens])[valid].abs().max()
        assert difference < 2e-4
        known = case.about["entities_true_confidence_priority"][i]
        if n_tokens < max(case.about["words"]):
            # The list is of the text beside a longer one, whose length theirs depends on.
            known = entities(case.scores(i), n_tokens)
        assert entities(logits, n_tokens) == sorted(known)


def test_batch_mates_change_nothing(golden: Path) -> None:
    """In the authors' code they do: the length for LogN is the batch's."""
    case = read_case(golden, "case_07")
    module = case.load().double()
    with torch.no_grad():
        together = module(
            torch.tensor(case.arrays["input_ids"]),
            torch.tensor(case.arrays["bpe_len"]),
            torch.tensor(case.arrays["indexes"]),
        )
        for i, n_tokens in enumerate(case.about["words"]):
            alone = module(*case.text(i))
            torch.testing.assert_close(together[i, :n_tokens], alone[0])


def test_loss_and_gradients_are_the_authors(golden: Path) -> None:
    case = read_case(golden, "case_12_train")
    module = case.load()  # in evaluation mode: the case has no dropout
    logits = module(
        torch.tensor(case.arrays["input_ids"]),
        torch.tensor(case.arrays["bpe_len"]),
        torch.tensor(case.arrays["indexes"]),
    )
    gold = [(i, *span) for i, spans in enumerate(case.about["spans"]) for span in spans]
    short = [span for span in gold if span[2] - span[1] <= case.options["span_window"]]
    loss = span_loss(logits, torch.tensor(case.about["words"]), torch.tensor(short)) / 2
    assert loss.item() == pytest.approx(float(case.arrays["loss"]), rel=1e-6)

    loss.backward()
    expected = {
        our_name(name.removeprefix("grad/")): torch.tensor(value)
        for name, value in case.arrays.items()
        if name.startswith("grad/")
    }
    ours = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    assert ours.keys() == expected.keys()
    for name, grad in expected.items():
        error = (ours[name] - grad).norm() / grad.norm()
        assert error < 1e-4, (name, error.item())


def our_name(name: str) -> str:
    """The authors' name of a weight as ours, written out apart from the importer's patterns."""
    names = {
        "U": "table.biaffine.bilinear",
        "W": "table.biaffine.affine",
        "head_mlp.1": "table.biaffine.head",
        "tail_mlp.1": "table.biaffine.tail",
        "down_fc": "table.output",
        "pretrain_model": "encoder.model",
    }
    for k in (0, 1):
        theirs, block = f"cross_layers.{k}", f"table.blocks.{k}"
        names |= {
            f"{theirs}.pos_embed": f"{block}.triangle",
            f"{theirs}.h_qkv": f"{block}.rows.qkv",
            f"{theirs}.v_qkv": f"{block}.columns.qkv",
            f"{theirs}.dense": f"{block}.dense",
            f"{theirs}.LayerNorm": f"{block}.attention_norm",
            f"{theirs}.LayerNorm2": f"{block}.conv_norm",
            f"{theirs}.conv1.conv2d": f"{block}.conv1",
            f"{theirs}.conv2.conv2d": f"{block}.conv2",
        }
    name = name.removeprefix("base_model.model.")
    theirs = next(known for known in names if name == known or name.startswith(known + "."))
    return names[theirs] + name.removeprefix(theirs)


def test_what_the_authors_train_is_left_trainable(golden: Path) -> None:
    case = read_case(golden, "case_12_train")
    module = case.load()
    trainable = {name for name, p in module.named_parameters() if p.requires_grad}
    in_encoder = {name.split("self.")[1] for name in trainable if name.startswith("encoder.")}
    assert in_encoder == {
        f"{projection}.{weight}"
        for projection in ("query_proj", "value_proj")
        for weight in ("base_layer.bias", "lora_A.default.weight", "lora_B.default.weight")
    }


def test_the_config_may_be_of_any_form(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    values = {**case.about["encoder"], "model_type": "deberta-v2"}
    (tmp_path / "config.json").write_text(json.dumps(values))
    expected = case.load()(*case.text(0))
    for form in (values, DebertaV2Config(**values), tmp_path, str(tmp_path / "config.json")):
        assert torch.equal(case.load(encoder_config=form)(*case.text(0)), expected)


def test_a_broken_config_is_named(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    with pytest.raises(FileNotFoundError, match="config"):
        case.load(encoder_config=tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(ValueError, match=r"encoder_config.*config\.json"):
            case.load(encoder_config=tmp_path / "config.json")


def changed(case: Case, tmp_path: Path, *, drop: str = "", **new: Tensor) -> Case:
    """The case with a checkpoint that lacks weights, or has others."""
    state = torch.load(case.path, weights_only=True)
    state = {name: value for name, value in state.items() if not drop or drop not in name}
    torch.save({**state, **new}, tmp_path / "changed.pth")
    return Case(tmp_path / "changed.pth", case.about, case.arrays)


def test_every_weight_must_be_there_and_be_used(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    lacking = changed(case, tmp_path, drop="cross_layers.1.conv2", surplus=torch.zeros(1))
    with pytest.raises(ValueError, match=r"missing.*blocks\.1\.conv2.*not used: surplus"):
        lacking.load()
    lacking = changed(case, tmp_path, drop="key_proj.weight")
    with pytest.raises(ValueError, match=r"layer\.0.*key_proj\.weight.*layer\.1.*key_proj"):
        lacking.load()
    with pytest.raises(ValueError, match="no SeNER checkpoint"):
        changed(case, tmp_path, drop="mlp").load()


@pytest.mark.parametrize("positions", [torch.zeros(()), torch.zeros(512, 8), torch.ones(4, 3)])
def test_other_positions(golden: Path, tmp_path: Path, positions: torch.Tensor) -> None:
    case = read_case(golden, "case_01")
    names = torch.load(case.path, weights_only=True)
    name = next(name for name in names if name.endswith("embed_positions.weight"))
    other = changed(case, tmp_path, drop=name, **{name: positions})
    with pytest.raises(ValueError, match=r"embed_positions.*is not the authors' table of sines"):
        other.load()


def test_positions_in_half_precision(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    names = torch.load(case.path, weights_only=True)
    of_positions = [name for name in names if name.endswith("embed_positions.weight")]
    half = {name: names[name].bfloat16() for name in of_positions}
    read = changed(case, tmp_path, drop="embed_positions", **half).load()
    for ours, theirs in zip(read.table.blocks, case.load().table.blocks, strict=True):
        assert torch.equal(ours.positions, theirs.positions)


def test_shapes_must_fit(golden: Path) -> None:
    case = read_case(golden, "case_01")
    wider = {**case.about["encoder"], "vocab_size": 201}
    with pytest.raises(ValueError, match=r"word_embeddings.*\(200, 32\).*\(201, 32\)"):
        case.load(encoder_config=wider)
    with pytest.raises(ValueError, match="3 labels, but 2"):
        case.load(labels=["A", "B"])


def test_a_checkpoint_without_adapters_is_read(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    state = torch.load(case.path, weights_only=True)
    plain = {k.replace(".base_layer", ""): v for k, v in state.items() if ".lora_" not in k}
    torch.save(plain, tmp_path / "plain.pth")
    module = Case(tmp_path / "plain.pth", case.about, case.arrays).load()
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert module(*case.text(0)).isfinite().all()


def test_files_that_are_no_checkpoint(golden: Path, tmp_path: Path) -> None:
    case = read_case(golden, "case_01")
    whole = case.path.read_bytes()
    case.path = tmp_path / "there_is_none.pth"
    with pytest.raises(FileNotFoundError, match=r"there_is_none.*\.pth file"):
        case.load()
    case.path = tmp_path / "damaged.pth"
    for content in (b"", b"no weights", pickle.dumps(case), whole[:1000], whole[: len(whole) // 2]):
        case.path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged") as raised:
            case.load()
        assert "weights_only" not in str(raised.value)
    torch.save([torch.zeros(2)], case.path)
    with pytest.raises(ValueError, match="names and tensors"):
        case.load()
