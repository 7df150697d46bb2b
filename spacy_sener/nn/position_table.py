"""Tables of absolute positions, made longer than what the encoder was pretrained with."""

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from .families import first_position


def has_position_table(config: PretrainedConfig) -> bool:
    """Whether pieces get a vector of their absolute position: not in DeBERTa-v3 and ModernBERT."""
    if config.model_type == "deberta-v2":
        return config.position_biased_input
    return config.model_type != "modernbert"


def position_capacity(config: PretrainedConfig) -> int | None:
    """Most pieces that the position table has room for; None if there is no table."""
    if not has_position_table(config):
        return None
    return config.max_position_embeddings - first_position(config)


def enlarge_config(config: PretrainedConfig, max_pieces: int | None) -> None:
    """Make room for `max_pieces`, in place; nothing is done where there is room.

    DeBERTa's relative positions end at `max_position_embeddings` unless the config says where:
    it is made to say so first.
    """
    capacity = position_capacity(config)
    if max_pieces is None or capacity is None or capacity >= max_pieces:
        return
    if config.model_type == "deberta-v2" and config.max_relative_positions < 1:
        config.max_relative_positions = config.max_position_embeddings
    config.max_position_embeddings = max_pieces + first_position(config)


def tile_positions(model: PreTrainedModel, max_pieces: int | None) -> None:
    """Give the model and its config room for `max_pieces`, in place.

    The table is copied end to end, as Longformer did: position p gets the vector of p modulo the
    old capacity. RoBERTa's rows for padding stay in front, once.
    """
    config = model.config
    old_rows = config.max_position_embeddings
    enlarge_config(config, max_pieces)
    if config.max_position_embeddings == old_rows:
        return
    old = model.embeddings.position_embeddings
    table = tiled(old.weight.detach(), first_position(config), config.max_position_embeddings)
    n_rows, width = table.shape
    new = nn.Embedding(n_rows, width, padding_idx=old.padding_idx, _weight=table)
    model.embeddings.position_embeddings = new


def tiled(table: Tensor, first: int, n_rows: int) -> Tensor:
    """Rows from `first` on, repeated until there are `n_rows`: (rows, width) -> (n_rows, width)."""
    body = table[first:]
    copies = -(-(n_rows - first) // len(body))
    return torch.cat([table[:first], body.repeat(copies, 1)])[:n_rows]
