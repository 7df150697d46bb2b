"""Low-rank adaptation of an encoder's attention projections, through peft."""

from collections.abc import Sequence
from dataclasses import dataclass

from peft import LoraConfig, inject_adapter_in_model
from torch import nn


@dataclass(frozen=True)
class LoRA:
    """W x + b becomes W x + b + (alpha / rank) B A x, with W frozen and A, B and b trained."""

    rank: int = 8
    alpha: int = 16

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"LoRA's 'rank' must be at least 1, got {self.rank}")


def add_lora(model: nn.Module, lora: LoRA, targets: Sequence[str]) -> None:
    """Adapt the linear layers named `targets`, in place, and freeze all else.

    B starts at zero, so that the output stays what it was. The biases of the adapted layers are
    trained with them ("lora_only", as the authors do).
    """
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=list(targets), bias="lora_only"
    )
    inject_adapter_in_model(config, model)
