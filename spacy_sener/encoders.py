"""An encoder and its tokenizer as plain data, from which a saved pipeline builds them again."""

import torch
from transformers import AutoConfig, PretrainedConfig

from .nn.encoder import ArrowEncoder, EncoderSettings
from .nn.pretrained import load_config
from .pieces import PieceTokenizer
from .shim import BASE, Spec
from .sources import resolve_source

MAX_LAYERS = 1000
"""Far more than any encoder has: the number of a hostile file must not keep us busy for ever."""


def encoder_spec(source: str, max_pieces: int) -> Spec:
    """What `build_encoder` needs to load pretrained weights.

    source: a hub name, a folder or "package:NAME". max_pieces: of the longest window.
    Raises FileNotFoundError and ValueError if there is no such encoder, it is damaged or of a
    family that is not supported.
    """
    folder = resolve_source(source)
    load_config(folder)  # what an encoder of another family lacks in its tokenizer is no matter
    tokenizer = PieceTokenizer.from_pretrained(folder)
    return {BASE: source, "max_pieces": max_pieces, "tokenizer": tokenizer.to_dict()}


def own_spec(spec: Spec, encoder: ArrowEncoder) -> Spec:
    """`spec` for an encoder that is saved with all its weights: its shape in place of its source.

    Nothing in it names a file or folder of the machine that trained.
    """
    config = encoder.config.to_dict()
    config.pop("_name_or_path", None)
    return {**{key: value for key, value in spec.items() if key != BASE}, "encoder": config}


def build_encoder(spec: Spec, settings: EncoderSettings) -> ArrowEncoder:
    """The encoder: with its pretrained weights if `spec` names a base, else with random ones.

    On torch's device "meta" it has only a shape. Raises ValueError for more layers than any has.
    """
    if BASE not in spec:
        return _random(AutoConfig.for_model(**spec["encoder"]), settings)
    source, max_pieces = resolve_source(spec[BASE]), spec["max_pieces"]
    if torch.get_default_device().type == "meta":
        return _random(load_config(source), settings, max_pieces)
    return ArrowEncoder.from_pretrained(source, settings, max_pieces=max_pieces)


def _random(
    config: PretrainedConfig, settings: EncoderSettings, max_pieces: int | None = None
) -> ArrowEncoder:
    if config.num_hidden_layers > MAX_LAYERS:
        raise ValueError(f"num_hidden_layers of the encoder is {config.num_hidden_layers}.")
    return ArrowEncoder(config, settings, max_pieces=max_pieces)
