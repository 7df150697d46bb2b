"""Tiny Hugging Face encoders of every family, with random weights that are not the usual zeros."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
DEBERTA = {**SMALL, "relative_attention": True, "type_vocab_size": 0, "layer_norm_eps": 1e-7}
OPTIONS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", **SMALL},
    "roberta": {"model_type": "roberta", **SMALL, "pad_token_id": 1},
    "xlm-roberta": {"model_type": "xlm-roberta", **SMALL, "pad_token_id": 1},
    "electra": {"model_type": "electra", **SMALL, "embedding_size": 16},
    "electra-small": {"model_type": "electra", **SMALL, "embedding_size": 8},
    "deberta-v2": {  # like microsoft/deberta-v2-xlarge: its own position projections and a conv
        "model_type": "deberta-v2",
        **DEBERTA,
        "pos_att_type": ["c2p", "p2c"],
        "share_att_key": False,
        "max_relative_positions": 16,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
        "position_biased_input": True,
        "type_vocab_size": 2,
    },
    "deberta-v3": {  # like microsoft/deberta-v3-base: buckets, shared projections, normed table
        "model_type": "deberta-v2",
        **DEBERTA,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "max_relative_positions": -1,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "deberta-c2p": {
        "model_type": "deberta-v2",
        **DEBERTA,
        "pos_att_type": ["c2p"],
        "share_att_key": False,
        "position_buckets": 8,
        "position_biased_input": False,
    },
    "deberta-p2c": {
        "model_type": "deberta-v2",
        **DEBERTA,
        "pos_att_type": ["p2c"],
        "share_att_key": False,
        "max_relative_positions": 16,
        "position_biased_input": False,
    },
    "deberta-absolute": {
        "model_type": "deberta-v2",
        **DEBERTA,
        "relative_attention": False,
        "pos_att_type": [],
        "position_biased_input": True,
    },
    "deberta-biased": {  # absolute positions, and relative ones that end where the table does
        "model_type": "deberta-v2",
        **DEBERTA,
        "pos_att_type": ["c2p", "p2c"],
        "share_att_key": True,
        "max_relative_positions": -1,
        "position_buckets": 8,
        "position_biased_input": True,
    },
    "modernbert": {
        "model_type": "modernbert",
        **SMALL,
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
}
NAMES = sorted(OPTIONS)


def tiny_config(name: str, **changes: Any) -> PretrainedConfig:
    """The config of one of `NAMES`."""
    return AutoConfig.for_model(**{**OPTIONS[name], **changes})


def stock_encoder(config: PretrainedConfig, *, seed: int = 0) -> PreTrainedModel:
    """The Hugging Face model, in eval mode; every parameter random, also biases and norms."""
    has_pooler = config.model_type in ("bert", "roberta", "xlm-roberta")
    options = {"add_pooling_layer": False} if has_pooler else {}
    model = AutoModel.from_config(config, attn_implementation="eager", **options).eval()
    randomize(model, seed=seed)
    return model


def randomize(module: nn.Module, *, seed: int) -> None:
    """Give every parameter random values, such that signals neither die out nor explode."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        norm = "norm" in name.lower() and name.endswith("weight")
        parameter.data = 1 + 0.1 * noise if norm else 0.3 * noise


def random_pieces(lengths: list[int], *, pad: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """input_ids (batch, pieces) without the padding piece but in padding; and the lengths."""
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(4, 50, (len(lengths), max(lengths)), generator=generator)
    piece_lengths = torch.tensor(lengths)
    real = torch.arange(max(lengths)) < piece_lengths[:, None]
    return input_ids.masked_fill(~real, pad), piece_lengths
