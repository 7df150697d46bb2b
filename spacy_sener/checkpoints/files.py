"""What the files of checkpoints hold: read without running code, and held to what is wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from ..corpora.unique_keys import unique_keys
from ..printable import printable

State = dict[str, Tensor]


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object; ValueError, which calls it `what`, if it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf8"), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}, {path}, is not a JSON file: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{what}, {path}, must hold a JSON object of the config's values")
    return values


def read_torch(path: Path) -> State:
    """Read a file of torch weights as plain tensors; ValueError if it holds anything else."""
    with path.open("rb"):  # or the system says why not
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can make the reader fail in any way
            # What torch says is left out: it advises to run what the file holds.
            raise ValueError(
                f"{path} is damaged, or not a file of torch weights, which holds names and tensors "
                "alone, as torch.save(model.state_dict(), path) writes it: download it again"
            ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} must hold names and tensors, and nothing else")
    return dict(state)


def read_safetensors(path: Path) -> State:
    """Read a file of safetensors, with the tensors that it holds under another name only."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            # `file` is no mapping, and cannot be iterated over.
            names = file.keys()
            state = {name: file.get_tensor(name) for name in names}
            shared = file.metadata() or {}
    except Exception as error:  # as above
        raise ValueError(
            f"{path} is damaged, or not a file of safetensors: download it again ({error})"
        ) from error
    for name, saved_name in shared.items():  # other metadata names no tensor
        if saved_name in state:
            state.setdefault(name, state[saved_name])
    return state


def rename(state: State, patterns: Sequence[tuple[str, str]]) -> tuple[State, dict[str, str]]:
    """Give the weights by our names, and the file's name of each of ours.

    patterns: of the whole name in the file, and ours. A name that fits none stays as it is.
    """
    ours: State = {}
    names: dict[str, str] = {}
    for name, value in state.items():
        new_name = _our_name(name, patterns)
        ours[new_name], names[new_name] = value, name
    return ours, names


def _our_name(name: str, patterns: Sequence[tuple[str, str]]) -> str:
    for pattern, replacement in patterns:
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    return name


def check(
    state: State, wanted: Mapping[str, Tensor], names: Mapping[str, str], *, against: str
) -> None:
    """Compare names and shapes before anything is loaded.

    names: of `rename`. against: what `wanted` was built from, for the message.
    """
    problems = [
        f"missing (by our names): {listed(wanted.keys() - state.keys())}",
        f"not used: {listed(names[name] for name in state.keys() - wanted.keys())}",
        "of another shape: "
        + listed(
            f"{names[name]} is {tuple(state[name].shape)}, must be {tuple(wanted[name].shape)}"
            for name in state.keys() & wanted.keys()
            if state[name].shape != wanted[name].shape
        ),
    ]
    problems = [problem for problem in problems if not problem.endswith(": none")]
    if problems:
        raise ValueError(
            f"The checkpoint does not fit {against}. Weights " + "; weights ".join(problems)
        )


def listed(items: Iterable[str]) -> str:
    """The items in order, as a terminal may show them, or "none"."""
    return printable(", ".join(sorted(items))) or "none"
