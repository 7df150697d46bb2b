"""How often each length occurs."""

from collections import Counter


class Lengths(Counter[int]):
    """How many documents or spans have each length, in tokens that are not whitespace."""

    @property
    def mean(self) -> float:
        """0 if there are none."""
        return self.sum_of_lengths / max(1, self.total())

    @property
    def sum_of_lengths(self) -> int:
        """Length of all together."""
        return sum(length * n for length, n in self.items())

    @property
    def longest(self) -> int:
        """0 if there are none."""
        return max(self, default=0)

    def n_over(self, limit: int) -> int:
        """How many are longer than `limit`."""
        return sum(n for length, n in self.items() if length > limit)

    def share_within(self, limit: int) -> float:
        """Share of those that are no longer than `limit`; 1 if there are none."""
        return 1 - self.n_over(limit) / max(1, self.total())

    def reaching(self, share: float) -> int:
        """Least length that at least `share` of all do not exceed; 0 if there are none."""
        needed, seen = share * self.total(), 0
        for length in sorted(self):
            seen += self[length]
            if seen >= needed:
                return length
        return 0
