"""How many documents can the one process read and write that `spacy sener annotate` starts?

It reads the input, hands it to workers, and writes what they answer; the model's work is theirs. So
its own time for a document says how many workers one run can keep busy. Seconds are of the
processor, so that other programs on the machine count little.
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import memory
from spacy_sener.annotate.documents import find_files, read_blocks
from spacy_sener.annotate.output import FORMATS, opened
from spacy_sener.annotate.worker import Done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--tokens", type=int, default=1000, help="of a document")
    parser.add_argument("--spans", type=int, default=10, help="of a document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, size = write_input(Path(name) / "in.jsonl", options)
        print(f"{options.documents} documents of {size:,.0f} bytes, with {options.spans} spans")
        for file_format in FORMATS:
            measure(source, Path(name) / file_format, file_format, options.spans)


def write_input(path: Path, options: argparse.Namespace) -> tuple[Path, float]:
    luck = random.Random(0)
    words = ["".join(luck.choices("abcdefghij", k=luck.randint(1, 8))) for _ in range(5000)]
    with path.open("w", encoding="utf8") as file:
        for _ in range(options.documents):
            file.write(json.dumps({"text": " ".join(luck.choices(words, k=options.tokens))}) + "\n")
    return path, path.stat().st_size / options.documents


def measure(source: Path, output: Path, file_format: str, n_spans: int) -> None:
    """Read, send, receive and write all of it, as a run does, and print the time of each."""
    seconds = {"read": 0.0, "send": 0.0, "receive": 0.0, "write": 0.0}
    n_docs = 0

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.process_time()
        result = work(*arguments)
        seconds[name] += time.process_time() - begin
        return result

    blocks = read_blocks(source, find_files(source), text_key="text", block_size=1000)
    memory.reset_peak()
    with ExitStack() as files:
        written = files.enter_context(opened(output, {}, file_format=file_format, with_text=False))
        while (block := timed("read", next, blocks, None)) is not None:
            timed("send", pickle.dumps, block.items)
            answers = pickle.dumps(Done([row(item.place, n_spans) for item in block.items]))
            done = timed("receive", pickle.loads, answers)
            timed("write", written.write, block.number, done.answers)
            n_docs += len(block.items)
        timed("write", files.close)
    n_bytes = sum(part.stat().st_size for part in output.glob("part-*"))
    each = ", ".join(f"{name} {1e6 * value / n_docs:.0f}" for name, value in seconds.items())
    print(
        f"{file_format}: {n_docs / sum(seconds.values()):,.0f} documents a second; microseconds "
        f"for one: {each}; {n_bytes / n_docs:.0f} bytes for one; {memory.peak() / 1e9:.2f} GB at "
        "the peak"
    )


def row(place: str, n_spans: int) -> dict[str, Any]:
    luck = random.Random(place)
    starts = sorted(luck.randrange(5000) for _ in range(n_spans))
    spans = [
        {"start": start, "end": start + 20, "label": "PERSON", "score": luck.random()}
        for start in starts
    ]
    return {"doc_id": place, "spans": spans}


if __name__ == "__main__":
    main()
