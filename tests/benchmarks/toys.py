"""Programs that the harness runs in its tests: no torch, so that they start at once."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEGABYTE = 10**6


def allocate(length: int) -> Callable[[], bytes]:
    """Hold `length` megabytes, and talk."""
    print("loaded")
    return lambda: os.urandom(length * MEGABYTE)


def write(length: int, *, path: str, name: str) -> Callable[[], dict[str, int]]:
    """Add a name to a file; give the length back."""

    def run() -> dict[str, int]:
        with Path(path).open("a") as file:
            file.write(name)
        return {"twice": 2 * length}

    return run


def sleep(length: int) -> Callable[[], None]:
    """Tenths of a second."""
    return lambda: time.sleep(length / 10)


def exhaust(length: int) -> Callable[[], Any]:
    """Ask for more than any machine has."""
    return lambda: bytearray(10**15)


def crowded(length: int, *, path: str) -> Callable[[], None]:
    """Ask for too much in the first process, which leaves a file, and in no other."""
    first = Path(path)
    if first.exists():
        return lambda: None
    first.touch()
    return exhaust(length)


def fail_at(length: int, *, path: str, nth: int) -> Callable[[], bytes]:
    """Hold `length` megabytes, but for the nth process, which fails."""
    with Path(path).open("a") as file:
        file.write(".")
    if Path(path).stat().st_size == nth:
        raise ValueError("this one")
    return lambda: os.urandom(length * MEGABYTE)


def die(length: int) -> Callable[[], None]:
    """Without a word."""
    return lambda: os._exit(3)


def refuse(length: int) -> Callable[[], None]:
    """Fail before there is a pass."""
    raise ValueError("no such thing")
