"""A torch module's weights as bytes, with what it is built from; and back, checked."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import srsly
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

Spec = dict[str, Any]

VERSION = 1
"""Of the form of the bytes."""


def dump(spec: Spec, weights: dict[str, Tensor]) -> bytes:
    """Both as bytes, with a checksum of the weights."""
    data = save(weights)
    digest = hashlib.sha256(data).hexdigest()
    return srsly.msgpack_dumps(
        {"version": VERSION, "spec": spec, "weights": data, "sha256": digest}
    )


def read(data: bytes) -> tuple[Spec, dict[str, Tensor]]:
    """What `dump` wrote. Raises ValueError for damaged bytes, and for those of a later version."""
    try:
        values = srsly.msgpack_loads(data)
        version = values["version"]
        if version == VERSION:
            weights = values["weights"]
            if hashlib.sha256(weights).hexdigest() != values["sha256"]:
                raise ValueError("they are not those that the checksum was made of")
            return values["spec"], load(weights)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"The saved model is damaged: its weights cannot be read ({error}). Copy or "
            "download the pipeline again."
        ) from error
    raise ValueError(
        f"The saved model is of version {version!r}, and this spacy-sener knows version {VERSION}: "
        "it was saved by a later one. Install that."
    )


def fingerprint(tensors: Iterable[Tensor]) -> str:
    """Of the values of some weights, in whatever order and by whatever names."""
    each = sorted(hashlib.sha256(_bytes(tensor)).digest() for tensor in tensors)
    return hashlib.sha256(b"".join(each)).hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def build_shape(build: Callable[[Spec], nn.Module], spec: Spec) -> nn.Module:
    """The module that `build` makes, without its memory, whatever sizes the spec has.

    Raises ValueError for a spec of nothing that there is.
    """
    try:
        with torch.device("meta"):
            return build(spec)
    except (RuntimeError, ArithmeticError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"The saved model describes no network that there is: {error}") from error


def check_weights(module: nn.Module, weights: dict[str, Tensor], may_miss: set[str]) -> None:
    """Raise ValueError for weights that are not the module's, and for some that are no numbers."""
    own = module.state_dict()
    missing = sorted(own.keys() - weights.keys() - may_miss)
    unknown = sorted(weights.keys() - own.keys())
    misshaped = sorted(k for k in own.keys() & weights.keys() if own[k].shape != weights[k].shape)
    if missing or unknown or misshaped:
        raise ValueError(
            "The saved weights do not fit the model that the config describes: "
            f"{len(missing)} missing {missing[:5]}, {len(unknown)} unknown {unknown[:5]}, "
            f"{len(misshaped)} of another shape {misshaped[:5]}. The config was changed after "
            "training, or the files of two pipelines were mixed."
        )
    wrong = sorted(name for name, value in weights.items() if not value.isfinite().all())
    if wrong:
        raise ValueError(
            f"{len(wrong)} of the saved weights hold what is no finite number: {wrong[:5]}. They "
            "find nothing. Take a pipeline that was saved before its training went wrong."
        )
