"""Train and score SeNER and its peers on the same documents, with the same number of updates.

    python -m benchmarks.accuracy DATA --group peers --corpora scholar-xl --seeds 1 2 3

DATA has a folder for each corpus, with train.jsonl.gz and dev.jsonl.gz. A run whose settings have
not changed since it was made is not repeated.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tqdm import tqdm

from benchmarks.accuracy.corpora import CorpusSettings, corpus_settings
from benchmarks.accuracy.options import chosen_methods, shared_options
from benchmarks.accuracy.plans import Entry, group_names, plan
from benchmarks.accuracy.processes import RESULTS, folder_of, in_a_process
from benchmarks.accuracy.run import Settings
from benchmarks.accuracy.tables import write_page


def main() -> None:
    options = parser()
    arguments = options.parse_args()
    entries = chosen_methods(options, arguments)
    if other_budget(arguments) and arguments.output == RESULTS:
        options.error(
            "--updates, --documents, --scored or --longest is not what corpora.yml has: give an "
            f"--output, as the reports would take the place of those in {RESULTS}"
        )
    due = plans(arguments, entries)
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
    """Whether other updates, documents or segments are asked for than some corpus has."""
    settings = [corpus_settings()[name] for name in arguments.corpora]
    return any(
        arguments.updates not in (None, each.updates) or each != _asked_of(each, arguments)
        for each in settings
    )


def plans(arguments: argparse.Namespace, entries: dict[str, Entry]) -> list[Settings]:
    """The runs that are asked for and not done, seed by seed."""
    settings = corpus_settings()
    asked = [
        plan(
            arguments.data / corpus,
            _asked_of(settings[corpus], arguments),
            name,
            entry,
            seed=seed,
            updates=arguments.updates or settings[corpus].updates,
        )
        for seed in arguments.seeds
        for corpus in arguments.corpora
        for name, entry in entries.items()
    ]
    return [each for each in asked if not each.is_done(folder_of(each, arguments.output))]


def _asked_of(corpus: CorpusSettings, arguments: argparse.Namespace) -> CorpusSettings:
    """What is taken of a corpus, of what corpora.yml has and what is asked for in its place."""
    asked = {
        "train": arguments.documents,
        "dev": arguments.scored,
        "longest": arguments.longest,
    }
    return replace(corpus, **{name: number for name, number in asked.items() if number})


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = shared_options("python -m benchmarks.accuracy", __doc__)
    options.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="a run each")
    options.add_argument("--updates", type=int, help="in place of those in corpora.yml")
    options.add_argument("--documents", type=int, help="to train on, likewise")
    options.add_argument("--scored", type=int, help="documents to score, likewise")
    options.add_argument("--longest", type=int, help="tokens of a segment to train on, likewise")
    options.add_argument("--at-once", type=int, default=1, help="runs side by side, of one thread")
    return options


if __name__ == "__main__":
    main()
