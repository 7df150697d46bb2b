"""Ours against the gliner package with the same weights, on raw text, one text at a time.

Over MiniLM, below a head that is drawn at random so that a few spans are found; and below one that
has learned some names, which are planted in a long text.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import gliner_checkpoints as checkpoints
from benchmarks import machine, options, plots, report
from benchmarks.comparison import ratio
from benchmarks.goals import Goal, goals_table
from benchmarks.measure import Measurement, Subject, alternate
from benchmarks.report import Table, gigabytes, length, seconds, times
from spacy_sener.sources import DEFAULT_SOURCE

POINTS = ["4x300", "4x2000", "4x10000", "25x300", "25x700", "25x2000", "25x10000"]
POINTS += ["100x200", "100x2000", "100x10000"]
"""Labels and words. GLiNER has no room for 300 words beside 100 labels."""
WAYS_LENGTH, WAYS_LABELS = 2000, 25
"""Words from which on all ways through a document are compared, with so many labels."""
READ_ONCE = 10_000
"""Words from which on a text is read a single time, by a process that has read none before."""
PEER_PAIRS = 500_000
"""Words times labels that GLiNER is tried with, as each takes about 18 kB of memory."""
NAMES_LENGTH = 5000
PATIENCE, LIMIT = 12.0, 150.0
"""Seconds, see `Subject`."""
ONE_PASS = 32_768
"""Pieces of a window that holds any of the documents."""

PEER = "GLiNER"
WINDOWS, ARROW, SHORT_ARROW = "ours, full, 512", "ours, arrow, one pass", "ours, arrow, 512"
COMPARED = {
    PEER: ("gliner", {}),
    WINDOWS: ("ours", {"attention": "full", "max_pieces": 512}),
    ARROW: ("ours", {"attention": "arrow", "max_pieces": ONE_PASS}),
}
FURTHER = {
    "ours, full, 2,048": ("ours", {"attention": "full", "max_pieces": 2048}),
    SHORT_ARROW: ("ours", {"attention": "arrow", "max_pieces": 512}),
    "ours, arrow, 2,048": ("ours", {"attention": "arrow", "max_pieces": 2048}),
}
IN_NAMES = COMPARED | {SHORT_ARROW: FURTHER[SHORT_ARROW]}
Programs = Mapping[str, tuple[str, dict[str, Any]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `results/gliner`."""
    parser = options.parser(__doc__)
    parser.add_argument("--points", nargs="*", default=POINTS, help="LABELSxWORDS")
    parser.add_argument("--names", type=int, default=NAMES_LENGTH, help="words of that text")
    parser.add_argument("--encoder", default=DEFAULT_SOURCE)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        drawn, finding = Path(folder, "drawn"), Path(folder, "finding")
        checkpoints.write_drawn(drawn, args.encoder)
        checkpoints.write_finding_names(finding, args.encoder)
        groups = [
            _group(_programs(n_words, n_labels), n_words, n_labels, drawn, args.passes)
            for n_labels, n_words in (map(int, point.split("x")) for point in args.points)
        ]
        results = alternate(groups, threads=args.threads)
        names = alternate([_group(IN_NAMES, args.names, None, finding, 1)], threads=args.threads)
    for result in (*results, *names):  # where files were is nobody's business
        del result.subject.arguments["folder"]
    report.save(
        "gliner",
        machine=machine.describe(args.threads),
        measurements=[*results, *names],
        tables=[
            same_weights_table(results),
            ways_table(results),
            names_table(names),
            goals_table(goals(results)),
        ],
    )
    drawn_labels = [each for each in results if _n_labels(each) == WAYS_LABELS]
    plots.by_length("gliner", [each for each in drawn_labels if _program(each) in COMPARED])


def _programs(n_words: int, n_labels: int) -> Programs:
    programs = dict(COMPARED)
    if n_words * n_labels > PEER_PAIRS:
        del programs[PEER]
    if n_words >= WAYS_LENGTH and n_labels == WAYS_LABELS:
        programs |= FURTHER
    return programs


def _group(
    programs: Programs, n_words: int, n_labels: int | None, folder: Path, passes: int
) -> list[Subject]:
    once = n_words >= READ_ONCE
    return [
        Subject(
            name if n_labels is None else f"{name}, {n_labels} labels",
            f"benchmarks.gliner_subjects:{program}",
            n_words,
            {"folder": str(folder), "n_labels": n_labels, **settings},
            passes=1 if once else passes,
            warmups=0 if once else 1,
            patience=PATIENCE,
            limit=LIMIT,
            growth=1,
        )
        for name, (program, settings) in programs.items()
    ]


def same_weights_table(results: Sequence[Measurement]) -> Table:
    """A line for every number of labels, length and program."""
    header = ["labels", "words", "subject", "passes", "seconds", "processor s", "GB over model"]
    header += ["words read", "spans", "same answers", "ours is faster", "ours is smaller"]
    rows = []
    for each in results:
        if _program(each) not in COMPARED:
            continue
        peer = find(results, PEER, each)
        row = [str(_n_labels(each)), length(each.subject.length), _program(each)]
        row += [str(len(each.seconds)), seconds(each)]
        if each.seconds:
            row += [f"{each.detail('processor'):.3g}", gigabytes(each.over_base)]
            row += [f"{_share_read(each):.0%}", f"{each.detail('spans'):.0f}"]
            row.append(_same_answers(each, peer))
            row.append(times(ratio(_processor(peer), _processor(each))))
            row.append(times(ratio(peer and peer.over_base, each.over_base)))
        rows.append(row + ["-"] * (len(header) - len(row)))
    return Table("The same weights, raw text to spans", header, rows)


def ways_table(results: Sequence[Measurement]) -> Table:
    """What each way through a long document costs."""
    header = ["words", "way", "windows", "passes", "seconds", "processor s", "GB over model"]
    rows = []
    for each in results:
        of_ways = each.subject.length >= WAYS_LENGTH and _n_labels(each) == WAYS_LABELS
        if of_ways and _program(each).startswith("ours"):
            row = [length(each.subject.length), _program(each)]
            row += _figures(each)
            rows.append(row)
    return Table(f"Ways through a long document, {WAYS_LABELS} labels", header, rows)


def names_table(results: Sequence[Measurement]) -> Table:
    """Who finds what was planted."""
    header = ["words", "subject", "windows", "passes", "seconds", "processor s", "GB over model"]
    header += ["words read", "names found", "the last", "other spans"]
    rows = []
    for each in results:
        row = [length(each.subject.length), each.subject.name, *_figures(each)]
        if each.seconds:
            n_names = each.subject.length // checkpoints.PARAGRAPH
            found, spans = each.detail("names"), each.detail("spans")
            row += [f"{_share_read(each):.0%}", f"{found:.0f} of {n_names}"]
            row += ["yes" if each.detail("last name") else "NO", f"{spans - found:.0f}"]
        rows.append(row + ["-"] * (len(header) - len(row)))
    return Table("A name planted in every paragraph", header, rows)


def _figures(each: Measurement) -> list[str]:
    if not each.seconds:
        return ["-", "0", seconds(each), "-", "-"]
    row = [f"{each.detail('windows'):.0f}", str(len(each.seconds)), seconds(each)]
    return [*row, f"{each.detail('processor'):.3g}", gigabytes(each.over_base)]


def goals(results: Sequence[Measurement]) -> Iterator[Goal]:
    """What was promised: where GLiNER reads all of a text, we answer the same at less cost."""
    for peer in results:
        if _program(peer) != PEER or not peer.seconds or _share_read(peer) < 1:
            continue
        where = f"{_n_labels(peer)} labels, {length(peer.subject.length)} words"
        mine = find(results, WINDOWS, peer)
        same = None if mine is None else float(_same_answers(mine, peer) == "yes")
        yield Goal(f"{where}: the same answers", same, 1, at_least=True)
        for way in (WINDOWS, ARROW):
            mine = find(results, way, peer)
            time = ratio(_processor(mine), _processor(peer))
            memory = ratio(mine and mine.over_base, peer.over_base)
            yield Goal(f"{where}: {way}: time beside GLiNER's", time, 1)
            yield Goal(f"{where}: {way}: memory beside GLiNER's", memory, 1)


def find(results: Sequence[Measurement], program: str, like: Measurement) -> Measurement | None:
    """The measurement of a program where another one was made, if it finished a pass."""
    for each in results:
        same = _n_labels(each) == _n_labels(like) and each.subject.length == like.subject.length
        if same and _program(each) == program and each.seconds:
            return each
    return None


def _program(each: Measurement) -> str:
    return each.subject.name.rpartition(", ")[0]


def _n_labels(each: Measurement) -> int:
    return int(each.subject.arguments["n_labels"])


def _share_read(each: Measurement) -> float:
    return each.detail("words read") / each.subject.length


def _processor(each: Measurement | None) -> float | None:
    return None if each is None else each.detail("processor")


def _same_answers(each: Measurement, peer: Measurement | None) -> str:
    """Whether the very same spans were found; of no meaning where the peer has not read all."""
    if peer is None or each is peer or _share_read(peer) < 1:
        return "-"
    return "yes" if each.detail("digest") == peer.detail("digest") else "NO"


if __name__ == "__main__":
    main()
