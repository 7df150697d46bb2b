"""The random numbers that training draws, as plain data: Python's, numpy's and torch's."""

import random
from base64 import b64decode, b64encode
from typing import Any

import numpy as np
import torch

RandomState = dict[str, Any]
PythonState = list[Any]
NUMBERS = np.dtype("<u4")  # of the Mersenne Twister, as bytes


def random_state() -> RandomState:
    """Where the generators are, but for cupy's, which thinc's own layers draw from on a GPU.

    Those of GPUs are there if any was used: to ask for them takes memory of all.
    """
    name, keys, *others = np.random.get_state()
    return {
        "python": python_state(),
        "numpy": [name, np.asarray(keys).tolist(), *others],
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in _cuda_states()],
    }


def set_random_state(state: RandomState) -> None:
    """Let them go on from there, those of as many GPUs as there are. It may have been JSON."""
    set_python_state(state["python"])
    name, keys, *others = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *others))
    torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
    for index, numbers in zip(range(torch.cuda.device_count()), state["cuda"], strict=False):
        torch.cuda.set_rng_state(torch.tensor(numbers, dtype=torch.uint8), index)


def _cuda_states() -> list[torch.Tensor]:
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def python_state() -> PythonState:
    """Of Python's module `random`: its 625 numbers are one text of 3.3 kB, not 625 objects."""
    version, numbers, gauss = random.getstate()
    return [version, b64encode(np.array(numbers, dtype=NUMBERS).tobytes()).decode(), gauss]


def set_python_state(state: PythonState) -> None:
    """What `python_state` gave."""
    version, text, gauss = state
    random.setstate((version, tuple(np.frombuffer(b64decode(text), NUMBERS).tolist()), gauss))
