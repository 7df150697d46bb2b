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
from benchmarks.measure import ALLOCATORS, ROOT, environment

GROUPS = FOLDER / "experiments"
SPACY_METHOD = "benchmarks.accuracy.methods:SpacyMethod"
RESULTS = ROOT / "benchmarks" / "results" / "accuracy"


def main() -> None:
    options = parser()
    arguments = options.parse_args()
    entries = srsly.read_yaml(GROUPS / f"{arguments.group}.yml")
    names = arguments.methods or list(entries)
    if unknown := sorted(set(names) - set(entries)):
        options.error(f"{arguments.group} has no {unknown}; it has {list(entries)}")
    due = plans(arguments, {name: entries[name] for name in names})
    pages = (arguments.output, arguments.group, list(corpus_settings()), list(entries))
    failed = []
    with ThreadPoolExecutor(arguments.at_once) as pool:
        runs = pool.map(lambda each: in_a_process(each, arguments.data, arguments.output), due)
        for failure in tqdm(runs, total=len(due), unit="run"):
            failed += [failure] if failure else []
            write_page(*pages)  # there is something to read before all is done
    page = write_page(*pages)
    print(page or "There are no results yet.")
    if failed:
        sys.exit("These runs failed: " + "; ".join(failed))


def plans(arguments: argparse.Namespace, entries: dict[str, dict[str, Any]]) -> list[Settings]:
    """The runs that are asked for and not done, seed by seed."""
    asked = [
        plan(
            arguments.data / corpus,
            corpus_settings()[corpus],
            name,
            entry,
            seed=seed,
            updates=arguments.updates or corpus_settings()[corpus].updates,
        )
        for seed in arguments.seeds
        for corpus in arguments.corpora
        for name, entry in entries.items()
    ]
    return [each for each in asked if not each.is_done(folder_of(each, arguments.output))]


def parser() -> argparse.ArgumentParser:
    """The options."""
    names = list(corpus_settings())
    groups = sorted(path.stem for path in GROUPS.glob("*.yml") if path.stem != "corpora")
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("data", type=_absolute, metavar="DATA")
    options.add_argument("--group", choices=groups, default="peers", help="a file of experiments")
    options.add_argument("--corpora", nargs="+", choices=names, default=names)
    options.add_argument("--methods", nargs="+", help="of the group; all, if not given")
    options.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="a run each")
    options.add_argument("--updates", type=int, help="in place of those in corpora.yml")
    options.add_argument("--output", type=_absolute, default=RESULTS, help="folder of the reports")
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
    variables = environment(threads=1) | ALLOCATORS["keep"] | bars
    done = subprocess.run(  # noqa: S603 (a program of ours, and no shell)
        command, cwd=ROOT, env=os.environ | variables, check=False
    )
    if done.returncode == -signal.SIGKILL:
        write({"problem": "out of memory: killed by the system"}, settings, folder)
        return None
    return f"{folder} (exit status {done.returncode})" if done.returncode else None


def _absolute(path: str) -> Path:
    """For processes that run in another folder."""
    return Path(path).resolve()


if __name__ == "__main__":
    main()
