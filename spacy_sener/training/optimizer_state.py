"""What optimizers know of each weight, as tensors by names that hold in every process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from thinc.api import Model, Optimizer
from thinc.util import torch2xp, xp2torch
from torch import Tensor, nn

from ..optimizers import AdamW
from ..shim import TorchShim

KINDS = ("mom1", "mom2", "averages")
"""What an optimizer of thinc has of each weight."""
TORCH, WEIGHT = "torch", "weight"


class ResumeError(ValueError):
    """A run that was stopped cannot go on with these settings, or with this corpus."""


@dataclass(frozen=True)
class Weight:
    """A weight of a pipeline: of a thinc node, or of the torch module in a shim."""

    owner: Any
    name: str  # in its owner

    @property
    def key(self) -> tuple[int, str]:
        """What thinc's optimizers know it by, in this process."""
        return self.owner.id, self.name

    @property
    def value(self) -> Any:
        """An array, or a torch parameter."""
        if isinstance(self.owner, Model):
            return self.owner.get_param(self.name)
        return self.owner._model.get_parameter(self.name)

    def set(self, value: Tensor) -> None:
        """Take this value."""
        if isinstance(self.owner, Model):
            self.owner.set_param(self.name, _as_array(self.owner, value))
        else:
            self.value.data.copy_(value)


def weights_of(nlp: Language) -> dict[str, Weight]:
    """All weights of a pipeline, by names such as "sener/0/encoder.norm.bias"."""
    return {
        f"{pipe}/{i}/{weight.name}": weight
        for pipe, proc in nlp.pipeline
        if isinstance(model := getattr(proc, "model", None), Model)
        for i, node in enumerate(model.walk())
        for weight in _own_weights(node)
    }


def _own_weights(node: Model[Any, Any]) -> Iterator[Weight]:
    for name in node.param_names:
        if node.has_param(name):
            yield Weight(node, name)
    for shim in node.shims:
        if isinstance(shim._model, nn.Module):
            for name, _ in shim._model.named_parameters():
                yield Weight(shim, name)


def optimizer_state(
    nlp: Language, optimizer: Optimizer
) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Moments and averages of each weight, and how often it was updated.

    With averages the weights themselves, too: a saved pipeline has the averages in their place.
    """
    weights = weights_of(nlp)
    tensors, updates = {}, {}
    for name, weight in weights.items():
        for kind in KINDS:
            if weight.key in (of_kind := getattr(optimizer, kind) or {}):
                tensors[f"{kind}:{name}"] = of_kind[weight.key]
        if weight.key in (optimizer.averages or {}):
            tensors[f"{WEIGHT}:{name}"] = weight.value
        if isinstance(weight.owner, TorchShim):
            for moment, value in weight.owner.moments(weight.name).items():
                tensors[f"{TORCH}.{moment}:{name}"] = value
        if weight.key in optimizer.nr_update:
            updates[name] = optimizer.nr_update[weight.key]
    return {name: _as_tensor(value) for name, value in tensors.items()}, updates


def set_optimizer_state(
    nlp: Language, optimizer: Optimizer, tensors: dict[str, Tensor], updates: dict[str, int]
) -> None:
    """Let the optimizer go on with them. Raises ResumeError for a weight that is not there."""
    weights = weights_of(nlp)
    unknown = {name.partition(":")[2] for name in tensors} - weights.keys()
    if unknown:
        raise ResumeError(
            f"The pipeline has no weight {min(unknown)!r}: it is not that of this run."
        )
    for full_name, value in tensors.items():
        kind, _, name = full_name.partition(":")
        weight = weights[name]
        if kind == WEIGHT:
            weight.set(value)
        elif kind in KINDS:
            getattr(optimizer, kind)[weight.key] = _like(value, weight, optimizer)
        else:
            assert isinstance(optimizer, AdamW), "`Saved.check` was asked"
            weight.owner.set_moment(optimizer, weight.name, kind.partition(".")[2], value)
    for name, count in updates.items():
        optimizer.nr_update[weights[name].key] = count


def _like(value: Tensor, weight: Weight, optimizer: Optimizer) -> Any:
    """As the optimizer holds it: arrays, but tensors in AdamW for the weights of our own shim."""
    if isinstance(weight.owner, Model):
        return _as_array(weight.owner, value)
    on_device = value.to(weight.value.device)
    is_tensor = isinstance(optimizer, AdamW) and isinstance(weight.owner, TorchShim)
    return on_device if is_tensor else torch2xp(on_device)


def _as_array(node: Model[Any, Any], value: Tensor) -> Any:
    array: Any = value.numpy()
    return node.ops.asarray(array)


def _as_tensor(value: Any) -> Tensor:
    tensor = value if isinstance(value, Tensor) else xp2torch(value)
    return tensor.detach().cpu().clone().contiguous()
