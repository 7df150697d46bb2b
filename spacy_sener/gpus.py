"""The GPU that a command is told to use."""

from __future__ import annotations

from thinc.compat import has_cupy


class OptionError(ValueError):
    """Of a command's option: no repetition makes it right."""


def gpu_error(gpu_id: int, error: Exception) -> OptionError:
    """What to say, and to do, where thinc or torch cannot use a GPU."""
    extra = "" if has_cupy else " Install CuPy for your CUDA version: pip install cupy-cuda12x."
    why = f"{str(error).rstrip('.')}.{extra}"
    return OptionError(f"--gpu-id {gpu_id}: {why} Without --gpu-id the CPU is used.")
