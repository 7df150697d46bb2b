"""Turn the hand-written pages, with their tags, into JSON lines with character offsets."""

from pathlib import Path

import srsly
import typer
from homepages.text import parse_markup


def main(folder: Path, output: Path) -> None:
    """Read FOLDER/*.txt, write OUTPUT."""
    pages = sorted(folder.glob("*.txt"))
    if not pages:
        raise FileNotFoundError(f"no .txt file in {folder}")
    records = [
        parse_markup(page.read_text(encoding="utf8").strip()).record(page.stem) for page in pages
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_jsonl(output, records)


if __name__ == "__main__":
    typer.run(main)
