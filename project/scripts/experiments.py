"""Train and report every configuration of a list, with several seeds. Goes on where it stopped."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from thinc.api import Config
from wasabi import msg
from weasel.util import get_checksum, run_command

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Run:
    """One training: all that its result depends on, as it is written beside the result."""

    name: str
    config: str
    overrides: dict[str, Any]
    checksums: dict[str, str]

    def train_and_report(self, output: Path, dev: Path, gpu_id: int) -> None:
        """Leave the best pipeline and its report in OUTPUT; the settings come last, as a mark."""
        spacy = [sys.executable, "-m", "spacy"]
        gpu = ["--gpu-id", str(gpu_id)]
        (output / SETTINGS).unlink(missing_ok=True)  # what it marks is about to be replaced
        overrides = [text for key, value in self.overrides.items() for text in (f"--{key}", value)]
        run_command([*spacy, "train", self.config, "--output", str(output), *gpu, *overrides])
        shutil.rmtree(output / "model-last")
        report = [str(output / "model-best"), str(dev), str(output / "report")]
        run_command([*spacy, "sener", "report", *report, "--name", self.name, *gpu])
        srsly.write_json(output / SETTINGS, asdict(self))

    def is_done(self, output: Path) -> bool:
        settings = output / SETTINGS
        return settings.exists() and srsly.read_json(settings) == asdict(self)


def runs(
    experiments: Path, seed: int, encoder: str, shared: dict[str, Any], data: list[Path]
) -> Iterator[Run]:
    """Every entry of the list with one seed; an entry's overrides win over the shared ones."""
    for name, entry in srsly.read_yaml(experiments).items():
        has_encoder = "vars" in Config().from_disk(entry["config"], interpolate=False)
        overrides = {
            "system.seed": seed,
            **shared,
            **({"vars.encoder": encoder} if has_encoder else {}),
            **entry.get("overrides", {}),
        }
        checksums = {str(path): get_checksum(path) for path in [Path(entry["config"]), *data]}
        values = {key: srsly.json_dumps(value) for key, value in overrides.items()}
        yield Run(name, entry["config"], values, checksums)


def main(
    experiments: Annotated[Path, typer.Argument(help="YAML: names with config and overrides")],
    corpus: Annotated[Path, typer.Argument(help="Folder with train.spacy and dev.spacy")],
    output: Annotated[Path, typer.Argument(help="Gets a folder for every name and seed")],
    table: Annotated[Path, typer.Argument(help="The table that compares them, in Markdown")],
    encoder: Annotated[str, typer.Option(help="Where a config has one: its pretrained weights")],
    seeds: Annotated[str, typer.Option(help="Numbers, with spaces between")] = "0",
    updates: Annotated[int, typer.Option(help="Of every training")] = 450,
    lang: Annotated[str, typer.Option(help="The language whose tokenizer is used")] = "en",
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU")] = -1,
) -> None:
    """Run EXPERIMENTS on CORPUS. A run whose result is there and up to date is not repeated."""
    train, dev = corpus / "train.spacy", corpus / "dev.spacy"
    shared = {
        "nlp.lang": lang,
        "paths.train": str(train),
        "paths.dev": str(dev),
        "training.max_steps": updates,
        "training.optimizer.total_steps": updates,
        "training.optimizer.warmup_steps": updates // 10,
        "training.eval_frequency": max(1, updates // 2),
    }
    planned = [
        (run, seed)
        for seed in seeds.split()
        for run in runs(experiments, int(seed), encoder, shared, [train, dev])
    ]
    reports = []
    for number, (run, seed) in enumerate(planned, 1):
        folder = output / run.name / f"seed-{seed}"
        reports.append(str(folder / "report"))
        msg.divider(f"{number} of {len(planned)}: {run.name}, seed {seed}")
        if run.is_done(folder):
            msg.good(f"Nothing has changed since {folder} was made")
        else:
            run.train_and_report(folder, dev, gpu_id)
    compare = [sys.executable, "-m", "spacy", "sener", "compare"]
    run_command([*compare, *reports, "--output", str(table)])


if __name__ == "__main__":
    typer.run(main)
