"""Checkpoint folders of gliner: what is wrong with one is said, and nothing in it is run."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig

from spacy_sener.checkpoints import load_gliner_checkpoint, read_gliner_config
from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.gliner import GLiNER, GLiNERSettings

State = dict[str, Tensor]
POOLER = "token_rep_layer.bert_layer.model.pooler.dense.weight"


CONFIG = {
    "span_mode": "token_level",
    "model_name": "tiny-bert",
    "hidden_size": 32,
    "class_token_index": 307,
    "num_rnn_layers": 1,
    "encoder_config": {
        "model_type": "bert",
        "vocab_size": 309,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    },
}
THEIR_NAMES = {
    "encoder.model.": "token_rep_layer.bert_layer.model.",
    "lstm.": "rnn.lstm.",
    "scores.word.": "scorer.proj_token.",
    "scores.label.": "scorer.proj_label.",
    "scores.pair.": "scorer.out_mlp.0.",
    "scores.marks.": "scorer.out_mlp.3.",
}


def their_name(name: str) -> str:
    """Of a weight of ours, written out apart from the importer's patterns."""
    ours = next(prefix for prefix in THEIR_NAMES if name.startswith(prefix))
    return THEIR_NAMES[ours] + name.removeprefix(ours)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint as their package saves it, but for the texts of the tokenizer."""
    folder = tmp_path / "gliner"
    folder.mkdir()
    encoder = ArrowEncoder(BertConfig(**CONFIG["encoder_config"]), EncoderSettings(lora=None))
    module = GLiNER(encoder, GLiNERSettings(hidden_size=32, marker=307))
    state = {their_name(name): value for name, value in module.state_dict().items()}
    save_file({**state, POOLER: torch.zeros(32, 32)}, folder / "model.safetensors")
    (folder / "gliner_config.json").write_text(json.dumps(CONFIG))
    markers = [{"content": "<<ENT>>", "id": 307}, {"content": "<<SEP>>", "id": 308}]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": markers}))
    return folder


def change_config(folder: Path, **values: Any) -> None:
    """None takes a value out."""
    path = folder / "gliner_config.json"
    changed = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in changed.items() if v is not None}))


def change_weights(folder: Path, change: Callable[[State], Any]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


def test_config_says_how_to_prompt(golden_gliner: Path) -> None:
    config = read_gliner_config(golden_gliner / "tiny_b")
    assert (config.label_token, config.end_token) == ("<<ENT>>", "<<SEP>>")
    assert config.max_words == 96
    settings = config.settings
    assert (settings.hidden_size, settings.n_lstm_layers, settings.marker) == (24, 2, 307)
    assert (settings.pooling, settings.label_after_marker) == ("mean", True)
    assert config.encoder.vocab_size == 309


def test_everything_may_be_trained_further(folder: Path) -> None:
    module = load_gliner_checkpoint(str(folder))
    assert not module.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in module.parameters())


def test_folders_that_lack_a_file(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere/gliner_config\.json: give the folder"):
        load_gliner_checkpoint(folder / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors or pytorch_model\.bin"):
        load_gliner_checkpoint(folder)
    (folder / "gliner_config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no .*gliner_config\.json"):
        load_gliner_checkpoint(folder)


def test_safetensors_go_first_and_pickles_will_do(folder: Path) -> None:
    inputs = [torch.tensor([[2, 307, 5, 308, 6, 3]]), torch.ones(1, 6).long()]
    inputs += [torch.tensor([[0, 0, 0, 0, 1, 0]]), torch.tensor([1])]
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    expected = load_gliner_checkpoint(folder)(*inputs)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert torch.equal(load_gliner_checkpoint(folder)(*inputs), expected)


def test_damaged_files(folder: Path) -> None:
    weights, config = folder / "model.safetensors", folder / "gliner_config.json"
    whole = weights.read_bytes()
    for content in (b"", b"no weights", whole[:1000], whole[:-1]):
        weights.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
            load_gliner_checkpoint(folder)
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(whole)
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is damaged"):
        load_gliner_checkpoint(folder)
    for text in ("{", "[]", "[" * 100_000):
        config.write_text(text)
        with pytest.raises(ValueError, match=r"gliner_config\.json.*JSON"):
            load_gliner_checkpoint(folder)


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.path,)


def test_a_pickle_runs_no_code(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    payload = {"scorer.proj_token.weight": Payload(tmp_path / "was_run")}
    torch.save(payload, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="damaged, or not a file of torch weights"):
        load_gliner_checkpoint(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(payload))
    with pytest.raises(ValueError, match="damaged, or not a file of torch weights"):
        load_gliner_checkpoint(folder)
    assert not (tmp_path / "was_run").exists()


def test_every_weight_must_be_there_and_be_used(folder: Path) -> None:
    def change(state: State) -> None:
        del state["scorer.proj_label.bias"]
        del state["token_rep_layer.bert_layer.model.encoder.layer.1.output.dense.weight"]
        state["cross_fuser.\x1bweight"] = torch.zeros(2)  # what a terminal would obey

    change_weights(folder, change)
    with pytest.raises(
        ValueError, match=r"missing.*layer\.1\.output\.dense\.weight, scores\.label"
    ) as error:
        load_gliner_checkpoint(folder)
    assert "not used: cross_fuser.\\x1bweight" in str(error.value)
    assert "another shape" not in str(error.value)


def test_shapes_must_fit(folder: Path) -> None:
    change_config(folder, hidden_size=24)  # wants a projection, and a smaller rest
    with pytest.raises(
        ValueError,
        match=r"missing.*projection\.weight.*scorer\.proj_token\.weight "
        r"is \(64, 32\), must be \(48, 24\)",
    ):
        load_gliner_checkpoint(folder)


HUGE: list[dict[str, Any]] = [
    {"hidden_size": 10**6},
    {"num_rnn_layers": 10**6},
    *(
        {"encoder_config": {**CONFIG["encoder_config"], **values}}
        for values in (
            {"hidden_size": 10**6},
            {"vocab_size": 10**9},
            {"max_position_embeddings": 10**9},
            {"num_hidden_layers": 10**6},
        )
    ),
]


@pytest.mark.parametrize("values", HUGE)
def test_a_config_takes_no_more_memory_than_the_weights(
    folder: Path, values: dict[str, Any]
) -> None:
    change_config(folder, **values)  # to terabytes
    with pytest.raises(
        ValueError,
        match=r"does not fit|but there are only|must be at most 100|must be a number from 1 to",
    ):
        load_gliner_checkpoint(folder)


@pytest.mark.parametrize("values", [{"hidden_size": -4}, {"num_attention_heads": 0}])
def test_impossible_encoders(folder: Path, values: dict[str, Any]) -> None:
    change_config(folder, encoder_config={**CONFIG["encoder_config"], **values})
    with pytest.raises(ValueError, match="asks for what there is not"):
        load_gliner_checkpoint(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"added_tokens": [{"content": "x", "id": 10**9}]}, "a piece of number 1000000000"),
        ({"model": {"vocab": {"x": 309}}}, "a piece of number 309, but .* is 309"),
        ({"model": {"vocab": [["x", 0.0]] * 400}}, "a piece of number 399"),
        ({"added_tokens": [1]}, "is no tokenizer's"),
        ({"model": {"vocab": {"x": "1"}}}, "is no tokenizer's"),
    ],
)
def test_pieces_that_the_network_does_not_have(
    folder: Path, content: dict[str, Any], message: str
) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_gliner_checkpoint(folder)


def test_the_pooling_layer_may_lack(folder: Path) -> None:
    change_weights(folder, lambda state: state.pop(POOLER))
    load_gliner_checkpoint(folder)


def test_tensors_that_share_memory_are_saved_once(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    name, other = "rnn.lstm.bias_ih_l0", "rnn.lstm.bias_hh_l0"
    del state[name]
    save_file(state, folder / "model.safetensors", metadata={name: other, "format": "pt"})
    module = load_gliner_checkpoint(folder)
    assert torch.equal(module.lstm.bias_ih_l0, module.lstm.bias_hh_l0)


def without_lstm(state: State) -> None:
    for name in [name for name in state if name.startswith("rnn.")]:
        del state[name]


@pytest.mark.parametrize(
    "values",
    [{"num_rnn_layers": 0}, {"num_rnn_layers": None}, {"num_rnn_layers": None, "has_rnn": False}],
)
def test_the_lstm_is_left_out_where_there_is_none(folder: Path, values: dict[str, Any]) -> None:
    change_config(folder, **values)
    change_weights(folder, without_lstm)
    assert load_gliner_checkpoint(folder).lstm is None


def test_an_lstm_that_the_config_does_not_count(folder: Path) -> None:
    change_config(folder, num_rnn_layers=None)
    assert load_gliner_checkpoint(folder).lstm.num_layers == 1
    change_config(folder, num_rnn_layers=2)
    with pytest.raises(ValueError, match=r"missing.*lstm\.bias_hh_l1.*lstm\.weight_ih_l1_reverse"):
        load_gliner_checkpoint(folder)
    change_config(folder, num_rnn_layers=0)
    with pytest.raises(ValueError, match=r"not used: rnn\.lstm\.bias_hh_l0"):
        load_gliner_checkpoint(folder)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"span_mode": "markerV0"}, "span_mode .* is 'markerV0', must be 'token_level'"),
        ({"span_mode": None}, "span_mode .* is None"),
        ({"labels_encoder": "bert"}, "labels_encoder .* is 'bert': models with an encoder of its"),
        ({"fuse_layers": True}, "fuse_layers .* is True"),
        ({"post_fusion_schema": "l2l"}, "post_fusion_schema .* is 'l2l'"),
        ({"represent_spans": True}, "represent_spans"),
        ({"encoder_config": None}, r"no encoder_config, but None.*\(tiny-bert\)"),
        ({"encoder_config": {"model_type": "gpt2"}}, "'gpt2', which is not supported"),
        ({"encoder_config": {"model_type": "unheard"}}, "encoder_config .* unheard"),
        ({"hidden_size": None}, "hidden_size .* is None, must be of type int"),
        ({"hidden_size": "32"}, "hidden_size .* is '32', must be of type int"),
        ({"hidden_size": True}, "hidden_size .* is True, must be of type int"),
        ({"dropout": "much"}, "dropout .* is 'much', must be of type int or float"),
        ({"dropout": 1}, r"'dropout' must be in \[0, 1\)"),
        ({"subtoken_pooling": "sum"}, "'pooling' must be one of"),
        ({"embed_ent_token": "yes"}, "embed_ent_token .* is 'yes', must be of type bool"),
        ({"class_token_index": None}, "class_token_index .* is None"),
        ({"class_token_index": -1}, "class_token_index .* is -1, .* pieces 0 to 308"),
        ({"class_token_index": 309}, "class_token_index .* is 309, .* pieces 0 to 308"),
        ({"class_token_index": 306}, r"class_token_index .* is 306, .*json has 307 for '<<ENT>>'"),
        ({"ent_token": "<<LABEL>>"}, r"json has None for '<<LABEL>>'"),
        ({"words_splitter_type": "jieba"}, "words_splitter_type .* is 'jieba', must be 'white"),
    ],
)
def test_configs_of_other_models(folder: Path, values: dict[str, Any], problem: str) -> None:
    change_config(folder, **values)
    with pytest.raises(ValueError, match=problem):
        load_gliner_checkpoint(folder)


def test_old_names_in_a_config_mean_nothing(folder: Path) -> None:
    change_config(folder, model_type="gliner", lr_encoder="1e-5", max_width=100, has_rnn=True)
    load_gliner_checkpoint(folder)
