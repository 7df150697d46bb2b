"""Encoders from the folders of pretrained models, whole, damaged, hostile and too short."""

import logging

import pytest
import torch
from safetensors.torch import load_file, save_file
from stock_encoders import NAMES, random_pieces, stock_encoder, tiny_config
from transformers import AutoConfig, AutoModel, GPT2Config

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings

PLAIN = EncoderSettings(piece_window=40, logn=False, lora=None)
POSITION_TABLES = [
    "bert",
    "roberta",
    "xlm-roberta",
    "electra",
    "electra-small",
    "deberta-v2",
    "deberta-biased",
]


@pytest.fixture
def folder(tmp_path, request):
    """A saved stock encoder of the family named by the test's parameter."""
    stock = stock_encoder(tiny_config(request.param))
    stock.save_pretrained(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.mark.parametrize(("folder", "name"), [(n, n) for n in NAMES], indirect=["folder"])
def test_from_pretrained_has_the_weights_and_says_nothing(folder, name, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        encoder = ArrowEncoder.from_pretrained(folder, PLAIN)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    stock = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    input_ids, piece_lengths = random_pieces([40], pad=stock.config.pad_token_id)
    with torch.inference_mode():
        ours, theirs = encoder(input_ids, piece_lengths), stock(input_ids).last_hidden_state
    assert not encoder.training
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("folder", ["bert", "modernbert"], indirect=True)
def test_half_precision_weights_become_float32(folder):
    stock = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    input_ids, piece_lengths = random_pieces([40], pad=stock.config.pad_token_id)
    for parameter in stock.parameters():
        parameter.data = parameter.data.half().float()
    expected = stock(input_ids).last_hidden_state.detach()
    stock.half().save_pretrained(folder)
    encoder = ArrowEncoder.from_pretrained(str(folder), PLAIN)
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    again = ArrowEncoder(encoder.config, PLAIN).eval()
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    again.load_state_dict(encoder.state_dict())
    with torch.inference_mode():
        for ours in (encoder, again):
            torch.testing.assert_close(ours(input_ids, piece_lengths), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_a_bin_file_of_plain_tensors_is_read(folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    encoder = ArrowEncoder.from_pretrained(folder, PLAIN)
    word_embeddings = encoder.model.embeddings.word_embeddings.weight
    assert torch.equal(word_embeddings, weights["embeddings.word_embeddings.weight"])


class Payload:
    """Pickles to a call of `print`."""

    def __reduce__(self):
        return print, ("code that came with the weights has run",)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_a_bin_file_with_code_is_refused(folder, capfd):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({**weights, "payload": Payload()}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"can't read the weights .*encoder"):
        ArrowEncoder.from_pretrained(folder, PLAIN)
    assert "has run" not in capfd.readouterr().out


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_missing_and_damaged_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config .*nowhere"):
        ArrowEncoder.from_pretrained(tmp_path / "nowhere", PLAIN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty.*looked for config\.json"):
        ArrowEncoder.from_pretrained(tmp_path / "empty", PLAIN)

    weights = load_file(folder / "model.safetensors")
    lost = weights.pop("encoder.layer.1.attention.self.key.bias")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lack 1 of .* 'encoder\.layer\.1\.attention\.self\.key"):
        ArrowEncoder.from_pretrained(folder, PLAIN)
    weights["encoder.layer.1.attention.self.key.bias"] = torch.cat([lost, lost])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"can't read the weights .*encoder"):
        ArrowEncoder.from_pretrained(folder, PLAIN)
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:500])
    with pytest.raises(ValueError, match=r"can't read the weights .*encoder"):
        ArrowEncoder.from_pretrained(folder, PLAIN)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"encoder.*looked for model\.safetensors"):
        ArrowEncoder.from_pretrained(folder, PLAIN)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"can't read the config .*encoder"):
        ArrowEncoder.from_pretrained(folder, PLAIN)


def test_a_family_that_is_not_supported_is_named(tmp_path):
    GPT2Config().save_pretrained(tmp_path)
    for build in (
        lambda: ArrowEncoder(GPT2Config(), PLAIN),
        lambda: ArrowEncoder.from_pretrained(tmp_path, PLAIN),
    ):
        with pytest.raises(ValueError, match=r"'gpt2'.*bert, deberta-v2, electra, modernbert"):
            build()


@pytest.mark.parametrize(("folder", "name"), [(n, n) for n in POSITION_TABLES], indirect=["folder"])
def test_position_tables_are_tiled(folder, name):
    short = ArrowEncoder.from_pretrained(folder, PLAIN)
    long = ArrowEncoder.from_pretrained(folder, PLAIN, max_pieces=150)
    first = 2 if "roberta" in name else 0
    old = short.model.embeddings.position_embeddings.weight
    new = long.model.embeddings.position_embeddings.weight
    assert long.config.max_position_embeddings == len(new) == 150 + first
    assert torch.equal(new[:first], old[:first])
    for p in (0, 61, 62, 63, 64, 130, 149):
        assert torch.equal(new[first + p], old[first + p % (64 - first)])

    input_ids, piece_lengths = random_pieces([62], pad=short.config.pad_token_id)
    with torch.inference_mode():
        assert torch.equal(short(input_ids, piece_lengths), long(input_ids, piece_lengths))
    input_ids, piece_lengths = random_pieces([150], pad=short.config.pad_token_id)
    assert long(input_ids, piece_lengths).isfinite().all()
    with pytest.raises(ValueError, match=r"150 pieces .* holds 6[24].*max_pieces=150"):
        short(input_ids, piece_lengths)

    again = ArrowEncoder(AutoConfig.for_model(**long.config.to_dict()), PLAIN).eval()
    again.load_state_dict(long.state_dict(), strict=True)
    with torch.inference_mode():
        assert torch.equal(again(input_ids, piece_lengths), long(input_ids, piece_lengths))
