"""Prints tables and writes results; `python -m benchmarks.report` puts all on one page."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import Measurement

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Table:
    """Cells as they are printed."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """As GitHub reads it, and legible as it is."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        header, *rows = (_line(line, widths) for line in lines)
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([f"**{self.title}**", "", header, rule, *rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"


def save(
    name: str,
    *,
    machine: dict[str, str],
    measurements: Sequence[Measurement],
    tables: Sequence[Table],
) -> None:
    """Print the tables, and write them with the raw numbers to `results/<name>.json`."""
    print("", _facts(machine), *(table.to_markdown() for table in tables), sep="\n\n")
    data = {
        "machine": machine,
        "tables": [asdict(table) for table in tables],
        "measurements": [each.to_json() for each in measurements],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def main() -> None:
    """Write the tables of all results to `RESULTS.md`."""
    parts = ["# Results", "Written by `python -m benchmarks.report`; README.md explains them."]
    for path in sorted(RESULTS.glob("*.json")):
        parts.extend(_section(path))
    PAGE.write_text("\n\n".join(parts) + "\n")
    print(f"{PAGE.name} is written")


def _section(path: Path) -> Iterator[str]:
    data = json.loads(path.read_text())
    yield f"## {path.stem.capitalize()}"
    yield _facts(data["machine"])
    for table in data["tables"]:
        yield Table(**table).to_markdown()
    if path.with_suffix(".png").exists():
        yield f"![{path.stem}](results/{path.stem}.png)"


def _facts(machine: dict[str, str]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in machine.items())


def seconds(result: Measurement) -> str:
    """Median, and why passes are missing, if some are."""
    known = [] if result.median is None else [f"{result.median:.3g}"]
    return "; ".join([*known, *filter(None, [result.problem])]) or "-"


def spread(result: Measurement) -> str:
    """Fastest and slowest pass, in seconds."""
    if not result.seconds:
        return "-"
    return f"{min(result.seconds):.3g} to {max(result.seconds):.3g}"


def gigabytes(n_bytes: float) -> str:
    """1e9 bytes each."""
    return f"{n_bytes / 1e9:.2f}"


def times(factor: float | None) -> str:
    """A factor, where both sides were measured."""
    return "-" if factor is None else f"{factor:.1f}x"


def length(tokens: int) -> str:
    """With thousands apart."""
    return f"{tokens:,}"


if __name__ == "__main__":
    main()
