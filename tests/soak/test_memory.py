"""Memory does not grow with the documents that were read, and little with the length of one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from soak.conftest import MAKERS, STEPS
from spacy.language import Language

from spacy_sener import progress

PATIENCE = 2400  # seconds
KIB = 1024

MEASURE = """
import json, random, sys
import spacy
from self_trained import DATA

def memory(name):  # in KiB: VmRSS, what the process holds; VmHWM, the most that it held
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))

nlp = spacy.load(sys.argv[1])
nlp.max_length = sys.maxsize
words = sorted({word for text, _ in DATA for word in text.split()})
draw = random.Random(0)
"""

MANY = """
n_docs, n_first = map(int, sys.argv[2:])
texts = (" ".join(draw.choices(words, k=draw.randint(0, 100))) for _ in range(n_docs))
n_spans = 0
for number, doc in enumerate(nlp.pipe(texts, batch_size=50), 1):
    n_spans += len(doc.spans["sc"])
    if number == n_first:
        before = memory("VmRSS")
print(json.dumps([before, memory("VmRSS"), n_spans]))
"""

LONG = """
from spacy_sener.progress import progress_bar

text = " ".join(draw.choices(words, k=int(sys.argv[2])))
nlp(" ".join(draw.choices(words, k=5000)))
before = memory("VmHWM")
with progress_bar():
    doc = nlp(text)
starts = [span.start for span in doc.spans["sc"]]
print(json.dumps([before, memory("VmHWM"), len(doc), starts[0], starts[-1], len(starts)]))
"""

in_proc = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")


def measure(program: str, *arguments: object) -> tuple[list[int], str]:
    """What a program prints in a process of its own, and what it shows meanwhile."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURE + program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


@in_proc
@pytest.mark.parametrize(
    ("n_docs", "n_first", "may_grow"),
    [(400, 100, 8 * KIB), pytest.param(10_000, 2000, 16 * KIB, marks=pytest.mark.slow)],
)
def test_memory_is_flat_over_many_documents(
    folder: Path, n_docs: int, n_first: int, may_grow: int, record_property: Any
) -> None:
    """may_grow: KiB after the first ones; of the others, a window's arrays alone take more."""
    (before, after, n_spans), _ = measure(MANY, folder, n_docs, n_first)
    record_property("documents", n_docs)
    record_property("spans", n_spans)
    record_property("MiB after the first", f"{before / KIB:.0f}")
    record_property("MiB at the end", f"{after / KIB:.0f}")
    assert n_spans > n_docs
    assert after - before < may_grow


@pytest.fixture(scope="module", params=list(MAKERS))
def long_windows(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A pipeline whose windows have a usual length."""
    nlp = MAKERS[request.param](tiny_encoder, steps=STEPS[request.param], max_pieces=1024)
    nlp.get_pipe(request.param).cfg["threshold"] = 0.5
    path = tmp_path_factory.mktemp("long") / request.param
    nlp.to_disk(path)
    return path


@in_proc
@pytest.mark.slow
@pytest.mark.parametrize("n_tokens", [100_000, 1_000_000])
def test_a_very_long_document(long_windows: Path, n_tokens: int, record_property: Any) -> None:
    """In less than 1,000 bytes for each of its tokens, the document itself included."""
    (before, after, n_found, first, last, n_spans), shown = measure(LONG, long_windows, n_tokens)
    record_property("tokens", n_tokens)
    record_property("spans", n_spans)
    record_property("MiB at the peak", f"{after / KIB:.0f}")
    record_property("of which for this document", f"{(after - before) / KIB:.0f}")
    assert n_found == n_tokens
    assert first < n_tokens / 100
    assert last > n_tokens * 0.99
    assert after - before < n_tokens * 1000 / KIB
    assert "Reading:" in shown


def test_a_bar_is_shown_to_who_asks_for_one(
    nlp: Language, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    text = "Anna Keller worked in London . " * 50
    nlp(text)
    assert capsys.readouterr().err == ""
    with progress.progress_bar():
        nlp(text)
    assert "Reading: " in capsys.readouterr().err
    nlp(text)
    assert capsys.readouterr().err == ""
