"""How one layer of an encoder is run: by rows in inference, whole where gradients are wanted."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .block_attention import rows_at_once
from .lora import merged

Rows = Callable[[Tensor, int], Tensor]
"""(batch, pieces, hidden_size) of the pieces from an index on -> what the layer makes of them."""


def run_layer(
    layer: Any,
    prepare: Callable[[Any, Tensor], Rows],
    hidden_states: Tensor,
    *,
    recompute: bool,
) -> Tensor:
    """Run a layer, by rows if no gradient is asked for: so its temporaries are few and small.

    Args:
        layer: the module.
        prepare: from the layer and all hidden states to the layer as a function of some of them:
            takes keys and values.
        hidden_states: (batch, pieces, hidden_size); overwritten if no gradient is asked for.
        recompute: keep nothing but the input for the backward pass.

    Returns:
        (batch, pieces, hidden_size).
    """
    if torch.is_grad_enabled():

        def run(hidden_states: Tensor) -> Tensor:
            return prepare(layer, hidden_states)(hidden_states, 0)

        return _recomputed(run, hidden_states) if recompute else run(hidden_states)
    rows = prepare(merged(layer, compute_dtype(hidden_states)), hidden_states)
    step = rows_at_once(len(hidden_states), hidden_states.device)
    for start in range(0, hidden_states.shape[1], step):
        some = hidden_states[:, start : start + step]
        some.copy_(rows(some, start))
    return hidden_states


def _recomputed(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """run(x), which is run again in the backward pass.

    The reentrant kind builds no graph before that: thousands of small objects that stay, between
    large ones that go, would break up the heap and take several times the memory that is in use.
    Whatever `run` uses besides `x` and parameters must want no gradient, and `x` has to want one.
    """
    x = x if x.requires_grad else x.detach().requires_grad_()
    result: Tensor = checkpoint(run, x, use_reentrant=True)
    return result


def by_rows(module: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What works on every piece alone, some pieces at a time: (batch, pieces, width), twice."""
    return torch.cat([module(some) for some in x.split(rows_at_once(len(x), x.device), dim=1)], 1)


def compute_dtype(x: Tensor) -> torch.dtype:
    """What linear layers compute in here: autocast's type, if it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def keep_freed_memory() -> None:
    """Have glibc's allocator keep up to 64 MiB that is freed; it does nothing where it's not used.

    The allocator keeps twice the largest block it has seen freed, up to blocks of 32 MiB. A layer's
    temporaries are smaller: they'd be given back to the system after each step, and zeroed before
    the next. This block is never written to, so it takes neither time nor memory.
    """
    torch.empty(2**25 - 2**14, dtype=torch.uint8)
