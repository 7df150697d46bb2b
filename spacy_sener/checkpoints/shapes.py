"""The networks that configs describe, before any of their memory is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, PretrainedConfig

from ..nn.families import family_of
from .files import State

SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
)
BUILDING_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What torch and transformers raise for sizes and settings that there are not."""


def encoder_config(values: Mapping[str, Any], what: str) -> PretrainedConfig:
    """The config that has these values, `deberta-v2` where they name no `model_type`.

    Raises ValueError, which calls it `what`, for one of no use.
    """
    try:
        config = AutoConfig.for_model(**{"model_type": "deberta-v2", **values})
        family_of(config)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{what} is of no use: {error}") from error
    for name in SIZES:
        size = getattr(config, name, None)
        if type(size) is not int or size < 1:
            raise ValueError(
                f"{what} asks for what there is not: {name} is {size!r}, must be a whole number "
                "from 1"
            )
    return config


def wanted(
    build: Callable[[], nn.Module], *, n_layers: Mapping[str, int], n_weights: int, what: str
) -> State:
    """Names and shapes of the weights of the module that is built, whatever sizes it asks for.

    n_layers: how many of each kind `what` asks for. n_weights: how many there are. Raises
    ValueError, which names `what`, for more layers than weights and for what cannot be built.
    """
    for name, number in n_layers.items():
        if number > n_weights:
            raise ValueError(
                f"{name} in {what} is {number}, but there are only {n_weights} weights"
            )
    try:
        with torch.device("meta"):
            return build().state_dict()
    except BUILDING_ERRORS as error:
        raise ValueError(f"{what} asks for what there is not: {error}") from error
