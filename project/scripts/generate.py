"""Write a corpus of invented home pages: JSON lines with character offsets."""

from pathlib import Path
from random import Random

import srsly
import typer
from homepages.layout import compose_page

# One page in so many is a full curriculum, with blocks far longer than the rest.
LONG_EVERY = 25


def generate(split: str, size: int, seed: int) -> list[dict[str, object]]:
    """`size` annotated pages; every page depends only on the seed, the split and its number."""
    records = []
    for number in range(size):
        rng = Random(f"{seed} {split} {number}")
        page = compose_page(rng, long=number % LONG_EVERY == LONG_EVERY // 2)
        records.append(page.record(f"{split}-{number:04d}"))
    return records


def main(
    folder: Path,
    train: int = typer.Option(600, help="Number of training documents"),
    dev: int = typer.Option(40, help="Number of development documents"),
    seed: int = typer.Option(0, help="The same seed gives the same corpus"),
) -> None:
    """Write FOLDER/train.jsonl and FOLDER/dev.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in (("train", train), ("dev", dev)):
        srsly.write_jsonl(folder / f"{split}.jsonl", generate(split, size, seed))


if __name__ == "__main__":
    typer.run(main)
