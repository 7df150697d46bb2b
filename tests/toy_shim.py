"""A small torch module in a shim: parameters of every kind, and an optimizer for them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spacy_sener.optimizers import AdamW, build_adamw_v1
from spacy_sener.shim import TorchShim

Array = np.ndarray[Any, np.dtype[np.float64]]
RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.normal(size=(5, 4)).astype("f"))
HEAD_RATE, ENCODER_RATE, DECAY = 0.1, 0.02, 0.3


class Toy(nn.Module):
    """Parameters of no, one and two dimensions; some are frozen, one gets no gradient."""

    def __init__(self, width: int = 4, dropout: float = 0.0, base: int = 0) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, width)
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, 3)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.unused = nn.Parameter(torch.ones(2, 2))
        generator = torch.Generator().manual_seed(base)
        for p in self.frozen.parameters():
            p.data.normal_(generator=generator)
        self.n_calls = 0

    def stream(self, x: Tensor, *, n_parts: int) -> Iterator[Tensor]:
        yield from self(x).split(len(x) // n_parts)

    def forward(self, x: Tensor) -> Tensor:
        self.n_calls += 1
        hidden = self.dropout(torch.tanh(self.frozen(self.encoder(x))))
        return self.head(self.norm(hidden)) * self.scale


def build(spec: dict[str, Any]) -> Toy:
    return Toy(**spec)


def make_shim(**settings: Any) -> TorchShim:
    spec = {"width": 4, "dropout": settings.pop("dropout", 0.0)}
    shim = TorchShim(build, encoder_prefix="encoder.", **settings)
    torch.manual_seed(0)
    shim.set_module(build(spec), spec)
    return shim


def make_adamw(**settings: Any) -> AdamW:
    rates = {"head_learn_rate": HEAD_RATE, "encoder_learn_rate": ENCODER_RATE}
    steps = {"warmup_steps": 2, "total_steps": 6, "weight_decay": DECAY}
    return build_adamw_v1(**{**rates, **steps, **settings})


def weights(shim: TorchShim) -> dict[str, Array]:
    return {
        name: p.detach().numpy().astype(np.float64).copy()
        for name, p in shim.module.named_parameters()
    }


def gradients(shim: TorchShim) -> dict[str, Array]:
    return {
        name: p.grad.numpy().astype(np.float64).copy()
        for name, p in shim.module.named_parameters()
        if p.grad is not None
    }


def backprop(shim: TorchShim, x: Tensor = X, **settings: Any) -> None:
    output, callback = shim.begin_update([x], **settings)
    callback(torch.arange(output.numel(), dtype=output.dtype).view_as(output))
