"""The process that runs one subject: it loads, then does a pass each time that it is told to.

Its one argument is a subject as JSON. Every line on its standard input asks for a pass; every
answer is a line of JSON on its standard output.
"""

import gc
import json
import os
import pkgutil
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import memory

OUT_OF_MEMORY = "out of memory"
"""With this begins what `describe` says of an error that was for want of memory."""
Pass = Callable[[], Any]
"""One repetition of what is measured. If it returns a dictionary of numbers, they are kept."""


class ProcessMemory:
    """Memory of the process, which ends where the machine's does."""

    def start(self) -> int:
        """Count the peak from here on; gives what is held now."""
        memory.reset_peak()
        return memory.resident()

    def before_pass(self) -> None:
        memory.limit_to_available()

    def after_pass(self) -> dict[str, int]:
        return {"peak_bytes": memory.peak(), "kept_bytes": memory.resident()}


class DeviceMemory:
    """Memory of a CUDA device, as torch's allocator counts it."""

    def start(self) -> int:
        """Count the peak from here on; gives what is held now."""
        import torch

        self.cuda = torch.cuda
        self.cuda.reset_peak_memory_stats()
        return self.cuda.memory_allocated()

    def before_pass(self) -> None:
        self.cuda.synchronize()

    def after_pass(self) -> dict[str, int]:
        self.cuda.synchronize()
        return {
            "peak_bytes": self.cuda.max_memory_allocated(),
            "kept_bytes": self.cuda.memory_allocated(),
        }


def main() -> None:
    subject = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    try:
        serve(subject, answer)
    except Exception as error:
        answer(problem=describe(error))


def serve(subject: dict[str, Any], answer: Callable[..., None]) -> None:
    """Load the subject and do passes until the input ends."""
    meter = DeviceMemory() if subject["arguments"].get("device") == "cuda" else ProcessMemory()
    run_pass = pkgutil.resolve_name(subject["program"])(subject["length"], **subject["arguments"])
    gc.collect()
    answer(base_bytes=meter.start())
    for _ in sys.stdin:
        answer(**measured(run_pass, meter))


def measured(run_pass: Pass, meter: ProcessMemory | DeviceMemory) -> dict[str, Any]:
    """Wall time of one pass in seconds, and memory; the result lives until both are read."""
    meter.before_pass()
    begin = time.perf_counter()
    result = run_pass()
    used = meter.after_pass()
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, **used, "details": result if isinstance(result, dict) else {}}


def describe(error: Exception) -> str:
    """Why a subject failed, in a few words."""
    message = " ".join(str(error).split())
    if asked := re.search(r"tried to allocate (\d+) bytes", message):
        return f"{OUT_OF_MEMORY}: asked for {int(asked[1]) / 1e9:.1f} GB more"
    if isinstance(error, MemoryError) or "out of memory" in message.lower():
        return f"{OUT_OF_MEMORY}: {message}"[:120].rstrip(": ")
    return f"failed: {type(error).__name__}: {message}"[:200]


if __name__ == "__main__":
    main()
