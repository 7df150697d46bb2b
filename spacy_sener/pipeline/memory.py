"""As many documents at once as memory does for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")
Answer = TypeVar("Answer")

NO_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""What torch says where it has no class for that: on a CPU, and if a library of CUDA's needs it."""


def in_memory(
    read: Callable[[Sequence[Item]], list[Answer]], items: Sequence[Item], *, setting: str
) -> list[Answer]:
    """`read(items)`, an answer for each; in halves where memory does not do for all of them.

    setting: what makes one item need less, for the message. Raises MemoryError, with it, where one
    item alone does not fit.
    """
    try:
        return read(items)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if len(items) <= 1:
            raise MemoryError(
                f"There is not enough memory for one document. Make {setting} smaller, or run it "
                f"where there is more memory ({error})."
            ) from error
    # Here, where the error is gone, and with it the tensors that its traceback held.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(items) // 2
    halves = items[:middle], items[middle:]
    return [answer for half in halves for answer in in_memory(read, half, setting=setting)]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that there is no memory: Python's, numpy's and torch's do so differently."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in NO_MEMORY)
