"""Memory of a process in bytes, as Linux counts it under /proc. No other system has these files."""

import resource
from pathlib import Path

KILOBYTE = 1024
STATUS = Path("/proc/self/status")


def resident() -> int:
    """What this process holds now."""
    return _field(STATUS, "VmRSS")


def peak() -> int:
    """The most that this process held since `reset_peak`."""
    return _field(STATUS, "VmHWM")


def reset_peak() -> None:
    """Count the peak from here on."""
    Path("/proc/self/clear_refs").write_text("5")


def total() -> int:
    """What the machine has."""
    return _field(Path("/proc/meminfo"), "MemTotal")


def limit_to_available() -> None:
    """Let this process grow by what is free now and no further: beyond, allocations fail.

    Should the system run out all the same, this process is the first to be killed.
    """
    size = _field(STATUS, "VmSize") + _field(Path("/proc/meminfo"), "MemAvailable")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    Path("/proc/self/oom_score_adj").write_text("1000")


def _field(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KILOBYTE
    raise RuntimeError(f"{file} has no line {name}: the benchmarks need Linux")
