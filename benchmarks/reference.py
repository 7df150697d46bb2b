"""The authors' code, measured once: https://github.com/THUDM/scholar-profiling, folder sener.

It has no licence, so it cannot be here, and runs only on versions of its libraries that are years
old. It was measured on its own with the same sizes, random weights, batch 1, float32, 2 threads,
OMP_WAIT_POLICY=passive, on an Intel Xeon with AVX-512 and 2 cores, torch 2.13 for the CPU,
transformers 4.37, peft 0.11: medians of three passes after an unmeasured one, and peaks of the
process over the process with the model loaded. Factors against these figures mean something on a
machine like that one only.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Authors:
    """What it took, by length in tokens."""

    seconds: Mapping[str, Mapping[int, float]]
    """By allocator: see `measure.ALLOCATORS`."""
    gigabytes: Mapping[int, float]
    """With the default allocator."""


INFERENCE = Authors(
    seconds={
        "default": {512: 2.73, 1024: 6.78, 2048: 18.6, 4096: 48.1, 5120: 61.1},
        "keep": {512: 1.63, 1024: 3.22, 2048: 6.51, 4096: 14.2},
    },
    gigabytes={512: 1.44, 1024: 2.62, 2048: 5.13, 4096: 9.85, 5120: 12.32},
)
TRAINING = Authors(  # at 2048 tokens it asks for more than 16.5 GB
    seconds={"default": {512: 10.1, 1024: 28.5}, "keep": {512: 5.8, 1024: 11.6}},
    gigabytes={512: 5.85, 1024: 10.62},
)
