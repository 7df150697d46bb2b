"""The random numbers that training draws, as plain data: Python's, numpy's and torch's."""

import random
from typing import Any

import numpy as np
import torch

RandomState = dict[str, Any]


def random_state() -> RandomState:
    """Where the generators are, but for cupy's, which thinc's own layers draw from on a GPU."""
    name, keys, *others = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), *others],
        "torch": torch.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()],
    }


def set_random_state(state: RandomState) -> None:
    """Let them go on from there. The state may have been JSON."""
    set_python_state(state["python"])
    name, keys, *others = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *others))
    torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
    cuda = [torch.tensor(each, dtype=torch.uint8) for each in state["cuda"]]
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)


def set_python_state(state: Any) -> None:
    """Of Python's module `random`, as it gives it, or as JSON has it."""
    version, keys, gauss = state
    random.setstate((version, tuple(keys), gauss))
