"""Checkpoint folders of GLiNER's token-level models, the multi-task one among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from transformers import PretrainedConfig

from ..nn.encoder import ArrowEncoder, EncoderSettings
from ..nn.gliner import GLiNER, GLiNERSettings, Pooling
from .files import State, check, read_json, read_safetensors, read_torch, rename
from .shapes import encoder_config, wanted

T = TypeVar("T")

CONFIG_FILE = "gliner_config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""The first that is there is read."""
TOKENIZER_FILE = "tokenizer.json"

RENAMED = (
    (r"token_rep_layer\.bert_layer\.model\.(.*)", r"encoder.model.\1"),
    (r"token_rep_layer\.projection\.(.*)", r"projection.\1"),
    (r"rnn\.lstm\.(.*)", r"lstm.\1"),
    (r"scorer\.proj_token\.(.*)", r"scores.word.\1"),
    (r"scorer\.proj_label\.(.*)", r"scores.label.\1"),
    (r"scorer\.out_mlp\.0\.(.*)", r"scores.pair.\1"),
    (r"scorer\.out_mlp\.3\.(.*)", r"scores.marks.\1"),
)
"""The authors' names, as patterns for the whole name, and ours."""

UNUSED = ("encoder.model.pooler.", "encoder.model.embeddings.position_ids")
"""What no result depends on: the layer over [CLS], and the numbers 0, 1, 2, ... in old files."""

SPLITTER = "whitespace"
"""The authors' name for how texts become words: in `words`."""

REFUSED = (
    ("labels_encoder", "an encoder of its own for labels"),
    ("labels_decoder", "a decoder that writes labels"),
    ("relations_layer", "a layer for relations"),
    ("fuse_layers", "a mixture of the encoder's layers"),
    ("post_fusion_schema", "attention between text and labels after the encoder"),
    ("represent_spans", "vectors of spans"),
    ("span_encoder_config", "an encoder of spans"),
    ("precomputed_prompts_mode", "labels fixed beforehand"),
)
"""Settings that must be off, and what they add to the network."""


@dataclass(frozen=True)
class GLiNERConfig:
    """What a checkpoint's config says."""

    encoder: PretrainedConfig
    settings: GLiNERSettings
    label_token: str
    """Stands before each label of the prompt."""
    end_token: str
    """Stands after the last one."""
    max_words: int
    """Longest text that the authors' code reads whole, in words."""


def load_gliner_checkpoint(folder: str | Path) -> GLiNER:
    """Read a checkpoint folder of GLiNER's token-level model, with the numerics of its authors.

    Nothing in the folder is run. Its files may be links, as they are in the hub's cache. Every
    weight must be there and be used, save those of the encoder's pooling layer, which has no part
    in the result.

    Returns the module in evaluation mode. Raises FileNotFoundError if the folder, its config or its
    weights are not there, and ValueError, which lists what is wrong, if a file is damaged, if the
    config is of another kind of model, or if a weight is left over, missing or of another shape.
    """
    folder = Path(folder)
    values = _read_values(folder)
    state, names = rename(_read(folder), RENAMED)
    config = _config(values, n_lstm_layers=_lstm_layers(state))
    _check_pieces(config, folder / TOKENIZER_FILE)
    state = {name: value for name, value in state.items() if not name.startswith(UNUSED)}
    check(state, _wanted(config, len(state)), names, against=f"its {CONFIG_FILE}")
    module = _network(config)
    module.load_state_dict(state)
    return module.eval()


def _wanted(config: GLiNERConfig, n_weights: int) -> State:
    n_layers = {
        "num_hidden_layers": config.encoder.num_hidden_layers,
        "num_rnn_layers": config.settings.n_lstm_layers,
    }
    return wanted(
        lambda: _network(config), n_layers=n_layers, n_weights=n_weights, what=CONFIG_FILE
    )


def _network(config: GLiNERConfig) -> GLiNER:
    encoder = EncoderSettings(attention="full", logn=False, lora=None)
    return GLiNER(ArrowEncoder(config.encoder, encoder), config.settings)


def read_gliner_config(folder: str | Path) -> GLiNERConfig:
    """Read and check the config in a checkpoint folder; errors as of `load_gliner_checkpoint`.

    Where an old config does not say how many layers the LSTM has, one is taken.
    """
    return _config(_read_values(Path(folder)), n_lstm_layers=1)


def _read(folder: Path) -> State:
    weights, pickled = (folder / name for name in WEIGHT_FILES)
    if weights.is_file():
        return read_safetensors(weights)
    if pickled.is_file():
        return read_torch(pickled)
    raise FileNotFoundError(f"The folder {folder} holds no weights: no {' or '.join(WEIGHT_FILES)}")


def _lstm_layers(state: State) -> int:
    return sum(name.startswith("lstm.weight_ih_l") for name in state) // 2  # two directions


def _read_values(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}: give the folder of a GLiNER checkpoint, with {CONFIG_FILE}, "
            "weights and tokenizer"
        )
    return read_json(path, CONFIG_FILE)


def _config(values: Mapping[str, Any], *, n_lstm_layers: int) -> GLiNERConfig:
    """n_lstm_layers: where the config does not say, as old ones."""
    _check_kind(values)
    if values.get("has_rnn") is False:  # of old configs, which the authors' code no longer reads
        n_lstm_layers = 0
    else:
        n_lstm_layers = _value(values, "num_rnn_layers", int, n_lstm_layers)
    encoder = _encoder_config(values)
    marker = _value(values, "class_token_index", int)
    if not 0 <= marker < encoder.vocab_size:
        raise ValueError(
            f"class_token_index in {CONFIG_FILE} is {marker}, but the encoder has pieces 0 to "
            f"{encoder.vocab_size - 1}"
        )
    try:
        settings = GLiNERSettings(
            hidden_size=_value(values, "hidden_size", int),
            marker=marker,
            # Any text: that it is a way of pooling is what the settings check themselves.
            pooling=cast(Pooling, _value(values, "subtoken_pooling", str, "first")),
            label_after_marker=not _value(values, "embed_ent_token", bool, True),
            n_lstm_layers=n_lstm_layers,
            dropout=float(_value(values, "dropout", (int, float), 0.4)),
        )
    except ValueError as error:
        raise ValueError(f"{CONFIG_FILE} asks for what there is not: {error}") from error
    return GLiNERConfig(
        encoder=encoder,
        settings=settings,
        label_token=_value(values, "ent_token", str, "<<ENT>>"),
        end_token=_value(values, "sep_token", str, "<<SEP>>"),
        max_words=_value(values, "max_len", int, 384),
    )


def _check_kind(values: Mapping[str, Any]) -> None:
    splitter = _value(values, "words_splitter_type", str, SPLITTER)
    if splitter != SPLITTER:
        raise ValueError(
            f"words_splitter_type in {CONFIG_FILE} is {splitter!r}, must be {SPLITTER!r}: marks "
            "are on words, and those of other splitters are not known"
        )
    mode = values.get("span_mode")
    if mode != "token_level":
        raise ValueError(
            f"span_mode in {CONFIG_FILE} is {mode!r}, must be 'token_level': models that score "
            "spans up to a width are of another kind"
        )
    for name, meaning in REFUSED:
        if values.get(name):
            raise ValueError(
                f"{name} in {CONFIG_FILE} is {values[name]!r}: models with {meaning} are not "
                "supported"
            )


def _encoder_config(values: Mapping[str, Any]) -> PretrainedConfig:
    encoder = values.get("encoder_config")
    if not isinstance(encoder, dict):
        raise ValueError(
            f"{CONFIG_FILE} holds no encoder_config, but {encoder!r}: put the config.json of the "
            f"encoder ({values.get('model_name')}) there, its vocab_size that of the weights"
        )
    return encoder_config(encoder, f"encoder_config in {CONFIG_FILE}")


def _value(
    values: Mapping[str, Any], name: str, kind: type[T] | tuple[type[T], ...], default: Any = None
) -> T:
    """A value of the config, which must be of a kind. Without a default it has to be there."""
    value = values.get(name)
    value = default if value is None else value
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(each.__name__ for each in kinds)
        raise ValueError(f"{name} in {CONFIG_FILE} is {value!r}, must be of type {expected}")
    return value


def _check_pieces(config: GLiNERConfig, path: Path) -> None:
    """The tokenizer's pieces must be the network's, and its marker of labels the same."""
    if not path.is_file():
        return
    values = read_json(path, TOKENIZER_FILE)
    try:
        pieces = {token["content"]: token["id"] for token in values.get("added_tokens") or []}
        vocab = (values.get("model") or {}).get("vocab")
        # A list numbers its pieces by place.
        ids = vocab.values() if isinstance(vocab, dict) else range(len(vocab or ()))
        highest = max([*pieces.values(), *ids], default=0)
        beyond = highest >= config.encoder.vocab_size
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no tokenizer's: {error!r}") from error
    if beyond:
        raise ValueError(
            f"{path} has a piece of number {highest}, but the encoder's vocab_size in "
            f"{CONFIG_FILE} is {config.encoder.vocab_size}"
        )
    found, wanted = pieces.get(config.label_token), config.settings.marker
    if found != wanted:
        raise ValueError(
            f"class_token_index in {CONFIG_FILE} is {wanted}, but {path} has {found} for "
            f"{config.label_token!r}"
        )
