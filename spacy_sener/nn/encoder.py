"""A pretrained Hugging Face encoder with its self-attention replaced by arrow attention."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from .arrow_attention import ArrowSelfAttention, attention_pattern
from .lora import LoRA, add_lora


@dataclass(frozen=True)
class EncoderSettings:
    """How an encoder attends and what of it is trained."""

    attention: Literal["arrow", "sliding", "full"] = "arrow"
    piece_window: int = 128
    logn: bool = True
    logn_multiple: int = 1
    lora: LoRA | None = LoRA()
    dropout: float | None = None


class ArrowEncoder(nn.Module):
    """(rough: BERT only, to be completed)"""

    def __init__(
        self, config: PretrainedConfig, settings: EncoderSettings, *, max_pieces: int | None = None
    ):
        super().__init__()
        config = copy.deepcopy(config)
        model = AutoModel.from_config(config, attn_implementation="eager", add_pooling_layer=False)
        self._install(model, settings)

    def _install(self, model: nn.Module, settings: EncoderSettings) -> None:
        self.settings = settings
        self.config = model.config
        self.hidden_size: int = model.config.hidden_size
        self.model = model
        for layer in model.encoder.layer:
            layer.attention.self = ArrowSelfAttention(layer.attention.self)
        if settings.lora is not None:
            add_lora(model, settings.lora, ["query", "value"])

    @classmethod
    def from_pretrained(
        cls, source: str | Path, settings: EncoderSettings, *, max_pieces: int | None = None
    ) -> "ArrowEncoder":
        config = AutoConfig.from_pretrained(source)
        model = AutoModel.from_pretrained(
            source, config=config, attn_implementation="eager", add_pooling_layer=False
        )
        encoder = cls.__new__(cls)
        nn.Module.__init__(encoder)
        encoder._install(model, settings)
        return encoder.eval()

    def forward(self, input_ids: Tensor, piece_lengths: Tensor) -> Tensor:
        pattern = attention_pattern(
            piece_lengths,
            input_ids.shape[1],
            attention=self.settings.attention,
            window=self.settings.piece_window,
            logn=self.settings.logn,
            logn_multiple=self.settings.logn_multiple,
        )
        hidden = self.model.embeddings(input_ids, token_type_ids=torch.zeros_like(input_ids))
        for layer in self.model.encoder.layer:
            context = layer.attention.self(hidden, pattern)
            hidden = layer.attention.output(context, hidden)
            hidden = layer.output(layer.intermediate(hidden), hidden)
        return hidden
