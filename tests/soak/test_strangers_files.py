"""Files of any bytes, to the readers of annotations and checkpoints: see `soak.targets`."""

import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from soak.documents import for_all
from soak.targets import TARGETS, gliner_files, load_sener, seeds, sener_files

from spacy_sener.checkpoints import load_gliner_checkpoint
from spacy_sener.checkpoints.shapes import SIZES

SECONDS = int(os.environ.get("FUZZ_SECONDS", "840"))
"""For all targets together, under atheris."""
WRONG: list[Any] = [None, True, -1, 0, 1, 10**9, 10**30, 1.5, float("nan"), "", "x", "\ud800"]
WRONG += [[], {}, [1], ["x"], {"a": 1}, "bert", "token_level", "relu"]
PIECES = [b"null", b"[[", b"1e999", b'"\\ud800"', b"\xff", b"\0", b"\n", b"\t", b"|", b"<", b"-1"]


def damaged(draw: random.Random, data: bytes) -> bytes:
    """The file with some of its bytes changed, doubled, left out or cut off."""
    for _ in range(draw.choice([1, 1, 2, 4])):
        place, length = draw.randrange(len(data) + 1), draw.randrange(1, 30)
        other = draw.randrange(len(data) + 1)
        put = [draw.choice(PIECES), draw.randbytes(1), data[other : other + length]]
        if draw.random() < 0.1:
            data = data[:place]
        else:
            end = place + draw.choice([0, 1, length])
            data = data[:place] + draw.choice([b"", *put]) + data[end:]
    return data


def with_wrong_values(draw: random.Random, data: bytes) -> bytes:
    """The JSON with other values in some places."""
    value = json.loads(data)
    setters: list[Callable[[Any], None]] = []

    def visit(part: Any) -> None:
        keys = (
            part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        )
        for key in keys:
            setters.append(lambda wrong, part=part, key=key: part.__setitem__(key, wrong))
            visit(part[key])

    visit(value)
    for setter in draw.sample(setters, draw.choice([1, 1, 2])):
        setter(draw.choice(WRONG))
    return json.dumps(value).encode()


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Files for a target: such as no program writes."""

    def change(seed: bytes, draw: random.Random) -> bytes:
        if seed[:1] in b"{[" and draw.random() < 0.5 and b"}\n{" not in seed:
            return with_wrong_values(draw, seed)
        return damaged(draw, seed)

    changed = st.builds(change, st.sampled_from(seeds(name)), st.randoms(use_true_random=False))
    return st.one_of(changed, st.builds(damaged, st.randoms(use_true_random=False), changed))


@pytest.mark.parametrize("n_examples", [25, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_read_or_refused(
    name: str, n_examples: int, record_property: Any
) -> None:
    for_all(inputs(name), n_examples, TARGETS[name])
    record_property("inputs", n_examples)


@pytest.mark.parametrize("size", [[8], True, "8", -1, 10**9, 10**30])
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", ["gliner", "sener"])
def test_a_config_takes_no_memory_that_the_weights_do_not_justify(
    tmp_path: Path, kind: str, name: str, size: Any
) -> None:
    """Whatever size it names: this would take gigabytes, or fail in the middle of torch."""
    files = gliner_files() if kind == "gliner" else sener_files()
    file = "gliner_config.json" if kind == "gliner" else "config.json"
    values = json.loads(files[file])
    values.get("encoder_config", values)[name] = size
    for each, content in {**files, file: json.dumps(values).encode()}.items():
        (tmp_path / each).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=f"{name}|not used|of another shape|asks for what"):
        load_gliner_checkpoint(tmp_path) if kind == "gliner" else load_sener(tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_files_that_a_fuzzer_finds(tmp_path: Path, record_property: Any) -> None:
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests / "nn"), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-m", "soak.fuzz", str(SECONDS)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS + 600,
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    record_property("inputs", sum(each["inputs"] for each in found))
    record_property("targets", len(found))
    assert [each for each in found if each["wrong"]] == []
    assert len(found) == len(TARGETS), result.stderr
    assert all(each["inputs"] > 0 for each in found)
