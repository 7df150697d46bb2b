"""What differs between the families of encoders: where attention sits and how layers are run.

The encoders' own `forward` is not used: it builds N x N masks and positions. Here the embeddings
and the parts of each layer are called one by one, which are alike in transformers 4 and 5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from .arrow_attention import ArrowSelfAttention, Attend
from .attention_pattern import AttentionPattern
from .disentangled_arrow_attention import DisentangledArrowSelfAttention
from .layers import Rows, by_rows, run_layer
from .rotary_arrow_attention import RotaryArrowSelfAttention


@dataclass(frozen=True)
class Inputs:
    """One batch, as the families need it."""

    input_ids: Tensor
    """(batch, pieces)."""
    mask: Tensor
    """(batch, pieces) int64, 1 at real pieces."""
    pattern: AttentionPattern
    """What the settings ask for."""
    local_pattern: AttentionPattern | None
    """Of layers that are local by themselves; None if the model has none."""
    recompute: bool = False
    """Whether layers keep only their input for the backward pass."""


@dataclass(frozen=True)
class Family:
    """How to treat the encoders of one model_type."""

    install: Callable[[PreTrainedModel], None]
    """Replace the self-attention modules in place."""
    encode: Callable[[PreTrainedModel, Inputs], Tensor]
    """The last hidden states, (batch, pieces, hidden_size)."""
    lora_targets: tuple[str, ...]
    """Linear layers that LoRA adapts."""
    dropouts: tuple[str, ...] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    """The config's dropout rates."""
    has_pooler: bool = False
    """Whether the stock model has a pooling layer, which we never build."""
    pads_positions: bool = False
    """Whether the first rows of the position table, up to the padding piece's, are set aside."""


def install_bert(model: PreTrainedModel) -> None:
    """BERT, RoBERTa, XLM-R and ELECTRA."""
    if getattr(model.config, "position_embedding_type", "absolute") != "absolute":
        raise ValueError(
            f"the encoder's position_embedding_type is '{model.config.position_embedding_type}'; "
            "arrow attention for this family needs 'absolute'"
        )
    for layer in model.encoder.layer:
        layer.attention.self = ArrowSelfAttention(layer.attention.self)


def encode_bert(model: PreTrainedModel, inputs: Inputs) -> Tensor:
    """BERT, RoBERTa, XLM-R and ELECTRA."""
    hidden_states = model.embeddings(
        input_ids=inputs.input_ids,
        position_ids=position_ids(model.config, inputs.mask),
        token_type_ids=torch.zeros_like(inputs.input_ids),
    )
    if hasattr(model, "embeddings_project"):  # ELECTRA's small models
        hidden_states = model.embeddings_project(hidden_states)

    def prepare(layer: Any, hidden_states: Tensor) -> Rows:
        return _bert_rows(layer, layer.attention.self(hidden_states, inputs.pattern))

    for layer in model.encoder.layer:
        hidden_states = run_layer(layer, prepare, hidden_states, recompute=inputs.recompute)
    return hidden_states


def _bert_rows(layer: Any, attend: Attend) -> Rows:
    """A layer of BERT or DeBERTa."""

    def rows(hidden_states: Tensor, start: int) -> Tensor:
        attended = layer.attention.output(attend(hidden_states, start), hidden_states)
        return by_rows(lambda x: layer.output(layer.intermediate(x), x), attended)

    return rows


def install_deberta(model: PreTrainedModel) -> None:
    """DeBERTa-v2 and -v3."""
    for layer in model.encoder.layer:
        layer.attention.self = DisentangledArrowSelfAttention(layer.attention.self)


def encode_deberta(model: PreTrainedModel, inputs: Inputs) -> Tensor:
    """DeBERTa-v2 and -v3."""
    embeddings = model.embeddings(
        input_ids=inputs.input_ids,
        position_ids=position_ids(model.config, inputs.mask),
        token_type_ids=torch.zeros_like(inputs.input_ids),
        mask=inputs.mask,
    )

    def prepare(layer: Any, hidden_states: Tensor) -> Rows:
        table = model.encoder.get_rel_embedding()
        return _bert_rows(layer, layer.attention.self(hidden_states, inputs.pattern, table))

    conv = model.encoder.conv
    hidden_states = embeddings if conv is None else embeddings.clone()
    for i, layer in enumerate(model.encoder.layer):
        hidden_states = run_layer(layer, prepare, hidden_states, recompute=inputs.recompute)
        if i == 0 and conv is not None:
            hidden_states = conv(embeddings, hidden_states, inputs.mask)
    return hidden_states


def install_modernbert(model: PreTrainedModel) -> None:
    """ModernBERT. The rotary tables of transformers 4 stay with their layers."""
    for layer in model.layers:
        rotary = getattr(layer.attn, "rotary_emb", None)
        num_heads = model.config.num_attention_heads
        layer.attn = RotaryArrowSelfAttention(layer.attn, num_heads=num_heads)
        if rotary is not None:
            layer.attn.rotary_emb = rotary


def encode_modernbert(model: PreTrainedModel, inputs: Inputs) -> Tensor:
    """ModernBERT."""
    assert inputs.local_pattern is not None
    hidden_states = model.embeddings(input_ids=inputs.input_ids)
    rotations: dict[bool, tuple[Tensor, Tensor]] = {}
    for i, layer in enumerate(model.layers):
        local = is_local_layer(model.config, i)
        if local not in rotations:
            rotations[local] = _rotation(model, layer, hidden_states, local=local)
        pattern = inputs.local_pattern if local else inputs.pattern
        hidden_states = run_layer(
            layer,
            partial(_modernbert_rows, pattern=pattern, rotation=rotations[local]),
            hidden_states,
            recompute=inputs.recompute,
        )
    return model.final_norm(hidden_states)


def _modernbert_rows(
    layer: Any, hidden_states: Tensor, *, pattern: AttentionPattern, rotation: tuple[Tensor, Tensor]
) -> Rows:
    """A layer of ModernBERT: queries, keys and values come from one product, of all rows."""
    context = layer.attn(layer.attn_norm(hidden_states), pattern, rotation)

    def rows(hidden_states: Tensor, start: int) -> Tensor:
        attended = hidden_states + context[:, start : start + hidden_states.shape[1]]
        return by_rows(lambda x: x + layer.mlp(layer.mlp_norm(x)), attended)

    return rows


def _rotation(
    model: PreTrainedModel, layer: Any, hidden_states: Tensor, *, local: bool
) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (1, pieces, head_dim), from the model's own rotary module."""
    position = torch.arange(hidden_states.shape[1], device=hidden_states.device)[None]
    if hasattr(model, "rotary_emb"):  # transformers 5: one module for all layers
        kind = "sliding_attention" if local else "full_attention"
        return model.rotary_emb(hidden_states, position, kind)
    return layer.attn.rotary_emb(hidden_states, position_ids=position)


def is_local_layer(config: PretrainedConfig, layer: int) -> bool:
    """Whether this layer of a ModernBERT attends within `local_attention // 2` pieces."""
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:  # transformers 5
        return kinds[layer] == "sliding_attention"
    return layer % config.global_attn_every_n_layers != 0


def position_ids(config: PretrainedConfig, mask: Tensor) -> Tensor:
    """(batch, pieces) rows of the position table: 0, 1, 2, ...; RoBERTa's after the padding's."""
    offset = first_position(config)
    position = torch.arange(mask.shape[1], device=mask.device) + offset
    return torch.where(mask.bool(), position, max(offset - 1, 0))


def first_position(config: PretrainedConfig) -> int:
    """Row of the position table for the first piece."""
    family = FAMILIES[config.model_type]
    return config.pad_token_id + 1 if family.pads_positions else 0


_BERT = Family(install_bert, encode_bert, lora_targets=("query", "value"), has_pooler=True)
_ROBERTA = Family(
    install_bert,
    encode_bert,
    lora_targets=("query", "value"),
    has_pooler=True,
    pads_positions=True,
)

FAMILIES = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "electra": Family(install_bert, encode_bert, lora_targets=("query", "value")),
    "deberta-v2": Family(
        install_deberta, encode_deberta, lora_targets=("query_proj", "value_proj")
    ),
    # Queries, keys and values come from one matrix here: LoRA adapts them together.
    "modernbert": Family(
        install_modernbert,
        encode_modernbert,
        lora_targets=("Wqkv",),
        dropouts=("embedding_dropout", "attention_dropout", "mlp_dropout"),
    ),
}


def family_of(config: PretrainedConfig) -> Family:
    """The family of a config's model_type; ValueError if there is none."""
    if config.model_type not in FAMILIES:
        raise ValueError(
            f"the encoder has model_type '{config.model_type}', which is not supported; "
            f"choose one of {', '.join(sorted(FAMILIES))} (DeBERTa-v3 is 'deberta-v2')"
        )
    return FAMILIES[config.model_type]
