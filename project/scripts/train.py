"""`spacy sener train`, or `spacy sener resume` where the same training was stopped."""

import sys
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config
from wasabi import msg
from weasel.util import get_checksum, run_command

from spacy_sener.training.loop import state_folder

app = typer.Typer()


def training(config: Path, options: list[str]) -> dict[str, Any]:
    """All that a training depends on: its settings, and what is in its config and its data."""
    overrides = parse_config_overrides(list(options))  # which takes them out of the list
    corpora = load_config(config, overrides=overrides, interpolate=True)["corpora"].values()
    files = [config, *(Path(corpus["path"]) for corpus in corpora if corpus.get("path"))]
    return {"options": options, "checksums": {str(file): get_checksum(file) for file in files}}


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def main(
    context: typer.Context,
    config: Path,
    output: Annotated[Path, typer.Argument(help="Gets model-best and model-last")],
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU")] = -1,
) -> None:
    """Train as CONFIG says, and settings given as options (--system.seed 1)."""
    this, mark = training(config, context.args), output / "training.json"
    sener, gpu = [sys.executable, "-m", "spacy", "sener"], ["--gpu-id", str(gpu_id)]
    is_stopped = state_folder(output).exists()
    if is_stopped and mark.exists() and srsly.read_json(mark) == this:
        msg.info(f"The training in {output} was stopped, and goes on")
        run_command([*sener, "resume", str(output), *gpu])
        return
    if not is_stopped:
        output.mkdir(parents=True, exist_ok=True)
        srsly.write_json(mark, this)
    # Where another training was stopped, this says so, and what to do about it.
    run_command([*sener, "train", str(config), "--output", str(output), *gpu, *context.args])


if __name__ == "__main__":
    app()
