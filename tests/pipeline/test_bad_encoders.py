"""Encoders that cannot be used, are damaged, or try to run code."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
import torch
from tiny_sener import (
    TEXT,
    blank,
    example,
    initialize,
    module_of,
    shorten,
)
from transformers import (
    AutoModel,
    GPT2Config,
    GPT2Model,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
)


def save_only(folder: Path, model: PreTrainedModel) -> Path:
    shutil.rmtree(folder)
    model.save_pretrained(folder)
    return folder


def gpt2(folder: Path) -> None:
    save_only(folder, GPT2Model(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1)))


def t5(folder: Path) -> None:
    save_only(folder, T5EncoderModel(T5Config(vocab_size=9, d_model=8, d_ff=8, num_layers=1)))


def without(pattern: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for file in folder.glob(pattern):
            file.unlink()

    return remove


def cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: shorten(folder / name, size)


BROKEN_ENCODERS: list[tuple[str, Callable[[Path], None], str]] = [
    ("gpt2", gpt2, r"model_type 'gpt2', which is not supported; choose one of bert, deberta-v2"),
    ("t5", t5, r"model_type 't5', which is not supported; choose one of bert, deberta-v2"),
    ("nothing", without("*"), r"the folder '.*encoder' holds no config"),
    ("no config", without("config.json"), r"the folder '.*encoder' holds no config"),
    ("no weights", without("*.safetensors"), r"the folder '.*encoder' holds no weights"),
    ("no tokenizer", without("token*"), r"tokenizer of the encoder '.*encoder' cannot be read"),
    ("config", cut("config.json", 20), r"can't read the config .*encoder'"),
    ("tokenizer", cut("tokenizer.json", 99), r"tokenizer of the encoder '.*encoder' cannot be"),
    ("empty weights", cut("model.safetensors", 0), r"can't read the weights .*encoder'"),
    ("half a header", cut("model.safetensors", 99), r"can't read the weights .*encoder'"),
    ("half of the weights", cut("model.safetensors", -9), r"can't read the weights .*encoder'"),
]


@pytest.mark.parametrize(
    ("damage", "message"),
    [case[1:] for case in BROKEN_ENCODERS],
    ids=[c[0] for c in BROKEN_ENCODERS],
)
def test_an_encoder_that_cannot_be_used(
    tiny_encoder: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        initialize(blank(), folder)


class Trap:
    """Unpickling one of these makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("save", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_pickled_weights_run_nothing(
    tiny_encoder: Path, tmp_path: Path, save: Callable[[object, Path], object]
) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    (folder / "model.safetensors").unlink()
    trap = tmp_path / "sprung"
    save({"embeddings.word_embeddings.weight": Trap(trap)}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="can't read the weights"):
        initialize(blank(), folder)
    assert not trap.exists()


def test_plain_pickled_weights_are_read(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    (folder / "model.safetensors").unlink()
    weights = AutoModel.from_pretrained(tiny_encoder).state_dict()
    torch.save(weights, folder / "pytorch_model.bin")
    loaded = module_of(initialize(blank(), folder)).state_dict()
    name = "embeddings.LayerNorm.bias"
    assert torch.equal(loaded[f"encoder.model.{name}"], weights[name])


@pytest.mark.parametrize("model_type", ["bert", "of-their-own"])
def test_code_beside_an_encoder_is_not_run(
    tiny_encoder: Path, tmp_path: Path, model_type: str
) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    trap = tmp_path / "sprung"
    (folder / "code.py").write_text(f"open({str(trap)!r}, 'w').close()\nConfig = Model = None\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": model_type, "trust_remote_code": True}
    config["auto_map"] = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    tokenizer["auto_map"] = {"AutoTokenizer": ["code.Model", "code.Model"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    if model_type == "bert":
        assert "sc" in initialize(blank(), folder)(TEXT).spans
    else:
        with pytest.raises(ValueError, match=r"encoder'"):
            initialize(blank(), folder)
    assert not trap.exists()


@pytest.mark.parametrize("factory", ["sener", "gliner_multitask"])
def test_what_could_not_be_initialized_has_learned_no_labels(
    factory: str, tiny_encoder: Path
) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config={"max_pieces": 512})
    pipe = nlp.get_pipe(factory)
    with pytest.raises((OSError, ValueError), match="nowhere"):
        pipe.initialize(lambda: [example(spans=[(0, 1, "TYPO")])], encoder="/nowhere")
    assert not pipe.labels
    pipe.initialize(lambda: [example()], encoder=str(tiny_encoder))
    assert pipe.labels == ("PERSON", "PLACE")
