"""Low-rank adaptation of an encoder's attention projections, through peft."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn


@dataclass(frozen=True)
class LoRA:
    """W x + b becomes W x + b + (alpha / rank) B A x, with W frozen and A, B and b trained."""

    rank: int = 8
    alpha: int = 16

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"LoRA's 'rank' must be at least 1, got {self.rank}")
        if self.alpha <= 0:
            raise ValueError(
                f"LoRA's 'alpha' must be above 0, got {self.alpha}, by which all is multiplied"
            )


def add_lora(model: nn.Module, lora: LoRA, targets: Sequence[str]) -> None:
    """Adapt the linear layers named `targets`, in place, and freeze all else.

    B starts at zero, so that the output stays what it was. The biases of the adapted layers are
    trained with them ("lora_only", as the authors do).
    """
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=list(targets), bias="lora_only"
    )
    inject_adapter_in_model(config, model)


def merged(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The same for inference: W + (alpha / rank) B A in place of W, linear layers in `dtype`.

    All other parameters and modules are shared with `module`, which stays as it is. To be used
    and dropped: it doesn't follow when weights change.
    """
    if isinstance(module, LoraLinear):
        weight = module.base_layer.weight
        if not module.merged and not module.disable_adapters:
            for adapter in module.active_adapters:
                weight = weight + module.get_delta_weight(adapter)
        return _linear(weight, module.base_layer.bias, dtype)
    if isinstance(module, nn.Linear):
        return _linear(module.weight, module.bias, dtype)
    twin = copy.copy(module)
    twin._modules = {
        name: None if child is None else merged(child, dtype)
        for name, child in module._modules.items()
    }
    return twin


def _linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return linear
