"""Numbers that were promised, beside those that were measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.report import Table


@dataclass(frozen=True)
class Goal:
    """A number that was promised."""

    what: str
    measured: float | None
    bound: float
    at_least: bool = False
    """Whether `bound` is the least that is good, or the most."""

    def row(self) -> list[str]:
        if self.measured is None:
            return [self.what, self._bound(), "-", "not measured"]
        good = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        return [self.what, self._bound(), f"{self.measured:.3g}", "yes" if good else "NO"]

    def _bound(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.bound:g}"


def goals_table(goals: Iterable[Goal]) -> Table:
    """What was promised, and whether it holds."""
    return Table("Goals", ["what", "goal", "measured", "met"], [goal.row() for goal in goals])
