"""Train and score SeNER and its peers on the same documents, with the same number of updates.

    python -m benchmarks.accuracy DATA --group peers --corpora scholar-xl --seeds 1 2 3

DATA has a folder for each corpus, with train.jsonl.gz and dev.jsonl.gz. A run whose settings have
not changed since it was made is not repeated.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import srsly
from tqdm import tqdm

from benchmarks.accuracy.corpora import CorpusSettings, corpus_settings, dev_file, train_file
from benchmarks.accuracy.methods import FOLDER
from benchmarks.accuracy.run import Settings, write
from benchmarks.accuracy.tables import write_page
from benchmarks.measure import ROOT, environment

GROUPS = FOLDER / "experiments"
SPACY_METHOD = "benchmarks.accuracy.methods:SpacyMethod"
RESULTS = ROOT / "benchmarks" / "results" / "accuracy"


def main() -> None:
    arguments = parser().parse_args()
    corpora = {name: corpus_settings()[name] for name in arguments.corpora}
    entries = srsly.read_yaml(GROUPS / f"{arguments.group}.yml")
    names = arguments.methods or list(entries)
    planned = [
        settings
        for seed in arguments.seeds
        for corpus, of_corpus in corpora.items()
        for name in names
        for settings in [
            plan(
                arguments.data / corpus,
                of_corpus,
                name,
                entries[name],
                seed=seed,
                updates=arguments.updates or of_corpus.updates,
            )
        ]
    ]
    due = [each for each in planned if not each.is_done(folder_of(each, arguments.output))]
    with ThreadPoolExecutor(arguments.at_once) as pool:
        runs = pool.map(lambda each: in_a_process(each, arguments.data, arguments.output), due)
        failed = [each for each in tqdm(runs, total=len(due), unit="run") if each is not None]
    page = write_page(arguments.output, arguments.group, list(corpus_settings()), list(entries))
    print(page or "There are no results yet.")
    if failed:
        sys.exit("These runs failed: " + "; ".join(failed))


def parser() -> argparse.ArgumentParser:
    """The options."""
    names = list(corpus_settings())
    groups = sorted(path.stem for path in GROUPS.glob("*.yml") if path.stem != "corpora")
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("data", type=Path)
    options.add_argument("--group", choices=groups, default="peers")
    options.add_argument("--corpora", nargs="+", choices=names, default=names)
    options.add_argument("--methods", nargs="+", help="of the group; all, if not given")
    options.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    options.add_argument("--updates", type=int, help="in place of those in corpora.yml")
    options.add_argument("--output", type=Path, default=RESULTS)
    options.add_argument("--at-once", type=int, default=1, help="runs side by side, of one thread")
    return options


def plan(
    folder: Path,
    corpus: CorpusSettings,
    method: str,
    entry: dict[str, Any],
    *,
    seed: int,
    updates: int,
) -> Settings:
    """A run, from its entry in a file of `experiments`."""
    arguments = {key: value for key, value in entry.items() if key != "program"}
    files = [train_file(folder), dev_file(folder)]
    files += [FOLDER / entry["config"]] if "config" in entry else []
    return Settings(
        corpus=folder.name,
        method=method,
        program=entry.get("program", SPACY_METHOD),
        arguments=arguments,
        corpus_settings=asdict(corpus),
        updates=updates,
        seed=seed,
        checksums={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    )


def folder_of(settings: Settings, output: Path) -> Path:
    """Where the run's report goes."""
    return output / settings.corpus / settings.method / f"seed-{settings.seed}"


def in_a_process(settings: Settings, data: Path, output: Path) -> str | None:
    """Do a run in a new process with one thread. Returns its name if it fails.

    One that the system kills is taken to have needed too much memory: the run sees to it that it is
    the first to be killed then.
    """
    folder = folder_of(settings, output)
    command = [sys.executable, "-m", "benchmarks.accuracy.run", json.dumps(asdict(settings))]
    command += [str(data / settings.corpus), str(folder)]
    # Several runs may draw their bars in one terminal, or in a file.
    bars = {
        "TQDM_DESC": f"{settings.corpus} {settings.method} {settings.seed}",
        "TQDM_MININTERVAL": "5",
    }
    done = subprocess.run(  # noqa: S603 (a program of ours, and no shell)
        command, cwd=ROOT, env=os.environ | environment(threads=1) | bars, check=False
    )
    if done.returncode == -signal.SIGKILL:
        write({"problem": "out of memory: killed by the system"}, settings, folder)
        return None
    return f"{folder} (exit status {done.returncode})" if done.returncode else None


if __name__ == "__main__":
    main()
