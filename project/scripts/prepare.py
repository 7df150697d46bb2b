"""A named corpus as JSON lines: train, dev and, where there is one, test."""

import shutil
from pathlib import Path

import typer
from public_corpora import READERS
from wasabi import msg

from spacy_sener.corpora.export import write_records

PARTS = ("train", "dev", "test")


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
        write_records(output / f"{part}.jsonl.gz", parts[part])
        msg.good(f"{part}: {len(parts[part])} documents")


if __name__ == "__main__":
    typer.run(main)
