"""Train and score SeNER and its peers on the same documents, with the same number of updates.

    python -m benchmarks.accuracy DATA --group peers --corpora scholar-xl --seeds 1 2 3

DATA has a folder for each corpus, with train.jsonl.gz and dev.jsonl.gz. A run whose settings have
not changed since it was made is not repeated.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from benchmarks.accuracy.corpora import corpus_settings
from benchmarks.accuracy.plans import Entry, group_names, plan, read_group
from benchmarks.accuracy.run import Settings, write_problem
from benchmarks.accuracy.tables import write_page
from benchmarks.measure import ALLOCATORS, ROOT, environment

RESULTS = ROOT / "benchmarks" / "results" / "accuracy"


def main() -> None:
    options = parser()
    arguments = options.parse_args()
    entries = read_group(arguments.group)
    names = arguments.methods or list(entries)
    if unknown := sorted(set(names) - set(entries)):
        options.error(f"{arguments.group} has no {unknown}; it has {list(entries)}")
    if other_budget(arguments) and arguments.output == RESULTS:
        options.error(
            "--updates is not what corpora.yml has: give an --output, as the reports would take "
            f"the place of those in {RESULTS}"
        )
    due = plans(arguments, {name: entries[name] for name in names})
    failed = []
    with ThreadPoolExecutor(arguments.at_once) as pool:
        runs = pool.map(lambda each: in_a_process(each, arguments.data, arguments.output), due)
        for failure in tqdm(runs, total=len(due), unit="run"):
            failed += [failure] if failure else []
            write_page(arguments.output, arguments.group)  # to be read before all is done
    # A method may be in several groups.
    pages = {name: write_page(arguments.output, name) for name in group_names()}
    print(pages[arguments.group] or "There is no page yet: it takes reports of two methods.")
    if failed:
        sys.exit("These runs failed: " + "; ".join(failed))


def other_budget(arguments: argparse.Namespace) -> bool:
    """Whether another number of updates is asked for than some corpus has."""
    asked, settings = arguments.updates, corpus_settings()
    return asked is not None and any(settings[name].updates != asked for name in arguments.corpora)


def plans(arguments: argparse.Namespace, entries: dict[str, Entry]) -> list[Settings]:
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
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("data", type=_absolute, metavar="DATA")
    options.add_argument(
        "--group", choices=group_names(), default="peers", help="a file of experiments"
    )
    options.add_argument("--corpora", nargs="+", choices=names, default=names)
    options.add_argument("--methods", nargs="+", help="of the group; all, if not given")
    options.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="a run each")
    options.add_argument("--updates", type=int, help="in place of those in corpora.yml")
    options.add_argument("--output", type=_absolute, default=RESULTS, help="folder of the reports")
    options.add_argument("--at-once", type=int, default=1, help="runs side by side, of one thread")
    return options


def folder_of(settings: Settings, output: Path) -> Path:
    """Where the run's report goes."""
    return output / settings.corpus / settings.method / f"seed-{settings.seed}"


def in_a_process(settings: Settings, data: Path, output: Path) -> str | None:
    """Do a run in a new process with one thread. Returns its name if it fails.

    That it was killed is noted as its result, but it is not done: it may have been for want of
    memory that other programs took.
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
        write_problem("killed by the system, as where memory runs out", settings, folder)
    return f"{folder} (exit status {done.returncode})" if done.returncode else None


def _absolute(path: str) -> Path:
    """For processes that run in another folder."""
    return Path(path).resolve()


if __name__ == "__main__":
    main()
