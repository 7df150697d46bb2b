"""Fetch the assets of one corpus: `spacy project assets --extra` would fetch all of them."""

from pathlib import Path
from typing import Any

import typer
from urllib3.exceptions import HTTPError
from wasabi import msg
from weasel.cli.assets import check_private_asset, fetch_asset
from weasel.util import get_checksum, load_project_config

from spacy_sener.corpora.files import written_whole

JSON_LINES = ("train.jsonl.gz", "dev.jsonl.gz")


def assets_of(corpus: str) -> list[dict[str, Any]]:
    """The corpus' entries among the assets in project.yml; exits where there are none."""
    assets = load_project_config(Path.cwd())["assets"]
    found = [asset for asset in assets if Path(asset["dest"]).parts[1] == corpus]
    if not found:
        names = sorted({Path(asset["dest"]).parts[1] for asset in assets})
        msg.fail(
            f"No assets for a corpus {corpus!r}",
            f"Name one of {', '.join(names)}: --vars.corpus {names[0]}",
            exits=1,
        )
    return found


def fetch(asset: dict[str, Any]) -> None:
    """Download an asset. Nothing stays of what is cut off: the next run would take it for whole."""
    path, checksum = Path(asset["dest"]), asset.get("checksum")
    if path.exists() and checksum in (None, get_checksum(path)):
        msg.good(f"Asset already exists: {path}")
        return
    try:
        with written_whole(path) as part:
            part.unlink(missing_ok=True)  # of a run that was killed
            fetch_asset(Path.cwd(), asset["url"], part, checksum)
    except (OSError, HTTPError) as error:
        msg.fail(f"Download failed: {asset['url']}", error, exits=1)


def main(corpus: str) -> None:
    """Fetch into assets/CORPUS, unless its JSON lines are there."""
    folder = Path("assets") / corpus
    assets = assets_of(corpus)
    brought = all((folder / name).exists() for name in JSON_LINES)
    if brought:
        msg.good(f"Using the JSON lines in {folder}")
    for asset in assets:
        if "url" not in asset:
            check_private_asset(Path(asset["dest"]), asset.get("checksum"))
        elif not brought:
            fetch(asset)
    if not brought and not any(folder.glob("archive.*")):
        msg.fail(f"{corpus} is not public: put {' and '.join(JSON_LINES)} in {folder}", exits=1)


if __name__ == "__main__":
    typer.run(main)
