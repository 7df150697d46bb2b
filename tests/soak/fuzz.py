"""Fuzz what reads strangers' files, guided by coverage: `python -m soak.fuzz SECONDS [TARGET ...]`.

With tests/ and tests/nn/ on the path, and atheris installed. Each target has a process and an
equal part of the time. Prints a line of JSON for each; the exit code is 1 if one was found wanting,
and the input that did it is kept beside: `crash-*`, `timeout-*` or `oom-*`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS_OF_ONE, MEGABYTES, LONGEST = 20, 3000, 65_536
"""Bounds: seconds and memory of an input, and bytes in it."""


def fuzz_one(name: str, options: list[str]) -> None:
    """Does not come back: the fuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["spacy_sener"], enable_loader_override=False):
        from soak.targets import TARGETS
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


def fuzz(name: str, seconds: float, kept: Path) -> dict[str, object]:
    """Run a target, and say how many inputs it was given and what was wrong."""
    from soak.targets import seeds

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = {
            "max_total_time": int(seconds),
            "timeout": SECONDS_OF_ONE,
            "rss_limit_mb": MEGABYTES,
            "max_len": LONGEST,
            "artifact_prefix": f"{kept}/{name.replace(' ', '-')}-",
            "print_final_stats": 1,
        }
        arguments = [corpus, *(f"-{key}={value}" for key, value in options.items())]
        program = [sys.executable, "-W", "ignore", "-m", "soak.fuzz", "--one", name, *arguments]
        result = subprocess.run(program, capture_output=True, text=True, errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", result.stderr)
    peak = re.search(r"peak_rss_mb: +(\d+)", result.stderr)
    found = {
        "target": name,
        "inputs": int(runs[1]) if runs else 0,
        "peak MiB": int(peak[1]) if peak else 0,
        "wrong": int(result.returncode != 0),
    }
    if result.returncode:
        found["output"] = result.stderr[-3000:]
    return found


def main() -> None:
    """See the module."""
    if sys.argv[1] == "--one":
        fuzz_one(sys.argv[2], sys.argv[3:])
    from soak.targets import TARGETS

    names = sys.argv[2:] or list(TARGETS)
    n_wrong = 0
    for name in names:
        result = fuzz(name, float(sys.argv[1]) / len(names), Path.cwd())
        print(json.dumps(result), flush=True)
        n_wrong += result["wrong"] == 1
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
