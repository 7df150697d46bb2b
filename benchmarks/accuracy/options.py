"""The options that the programs of a group of methods share."""

import argparse
from pathlib import Path

from benchmarks.accuracy.corpora import corpus_settings
from benchmarks.accuracy.plans import Entry, group_names, read_group
from benchmarks.accuracy.processes import RESULTS


def shared_options(prog: str, description: str | None) -> argparse.ArgumentParser:
    """Which methods, on which data, and where to."""
    names = list(corpus_settings())
    options = argparse.ArgumentParser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("data", type=_absolute, metavar="DATA")
    options.add_argument(
        "--group", choices=group_names(), default="peers", help="a file of experiments"
    )
    options.add_argument("--corpora", nargs="+", choices=names, default=names)
    options.add_argument("--methods", nargs="+", help="of the group; all, if not given")
    options.add_argument("--output", type=_absolute, default=RESULTS, help="folder of the reports")
    return options


def chosen_methods(
    options: argparse.ArgumentParser, arguments: argparse.Namespace
) -> dict[str, Entry]:
    """Those that are asked for, of the group. Ends the program where it has not all of them."""
    entries = read_group(arguments.group)
    names = arguments.methods or list(entries)
    if unknown := sorted(set(names) - set(entries)):
        options.error(f"{arguments.group} has no {unknown}; it has {list(entries)}")
    return {name: entries[name] for name in names}


def _absolute(path: str) -> Path:
    """For processes that run in another folder."""
    return Path(path).resolve()
