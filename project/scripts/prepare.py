"""A named corpus as JSON lines: train, dev and, where there is one, test."""

import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from public_corpora import READERS
from wasabi import msg

PARTS = ("train", "dev", "test")


def write_part(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write gzipped JSON lines, the same bytes for the same records: without a date."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        for record in records:
            packed.write((json.dumps(record, ensure_ascii=False) + "\n").encode())


def main(corpus: str, assets: Path, output: Path) -> None:
    """Write OUTPUT/{train,dev,test}.jsonl.gz from what is in ASSETS.

    JSON lines in ASSETS are taken as they are; otherwise the archive is read.
    """
    output.mkdir(parents=True, exist_ok=True)
    brought = [part for part in PARTS if (assets / f"{part}.jsonl.gz").exists()]
    if {"train", "dev"} <= set(brought):
        for part in brought:
            shutil.copyfile(assets / f"{part}.jsonl.gz", output / f"{part}.jsonl.gz")
            msg.good(f"{part}: copied from {assets}")
        return
    (archive,) = assets.glob("archive.*")
    parts = READERS[corpus](archive)
    for part in PARTS:
        write_part(output / f"{part}.jsonl.gz", parts[part])
        msg.good(f"{part}: {len(parts[part])} documents")


if __name__ == "__main__":
    typer.run(main)
