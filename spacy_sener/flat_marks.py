"""The marks of a document as flat arrays, and the spans that are marked in them."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .ranges import first_reaching, range_minima
from .types import Candidates, Floats, Ints

UNMARKED = -1.0
"""Less than any probability."""


class FlatMarks:
    """The marks of one label after the other, place label * n_words + word."""

    def __init__(self, marks: Floats, threshold: float) -> None:
        n_words, n_labels, _ = marks.shape
        self.n_words, self.n_labels = n_words, n_labels
        by_label = np.ascontiguousarray(marks.transpose(2, 1, 0), dtype=np.float32)
        self.start, self.end, self.inside = by_label.reshape(3, -1)
        is_inside = self.inside >= threshold
        self.is_start = is_inside & (self.start > threshold)
        self.is_end = is_inside & (self.end > threshold)
        self.run_end = self._run_ends(is_inside)
        self._ends = np.where(self.is_end, self.end, UNMARKED)
        self._insides = np.where(is_inside, self.inside, UNMARKED)

    def _run_ends(self, is_inside: NDArray[np.bool_]) -> Ints:
        """Of every place from which on it is inside, the last such; else some place before it."""
        place = np.arange(len(is_inside))
        # A run ends before the first place that is not inside, or with the label's last word.
        breaks = np.where(is_inside, len(is_inside), place)
        breaks = np.minimum.accumulate(breaks[::-1])[::-1] - 1
        last_of_label = place + (self.n_words - 1 - place % max(self.n_words, 1))
        return np.minimum(breaks, last_of_label)

    @cached_property
    def n_levels(self) -> int:
        """So many powers of two are together longer than the longest run of insides."""
        longest = int((self.run_end - np.arange(len(self.run_end))).max(initial=0)) + 1
        return longest.bit_length()

    def pairs(self) -> tuple[Ints, Ints]:
        """All spans that are marked: first and last places."""
        starts, ends, first, beyond = self._ends_of_starts()
        counts = beyond - first
        which = np.repeat(np.arange(len(starts)), counts)
        nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        return starts[which], ends[first[which] + nth]

    def n_pairs(self) -> int:
        """How many spans are marked."""
        _, _, first, beyond = self._ends_of_starts()
        return int((beyond - first).sum())

    def promising_pairs(self) -> tuple[Ints, Ints]:
        """The marked spans that can be kept where spans share no word and the lowest mark counts.

        A span is not kept if one within it is as good and is taken first: what clashes with that
        one clashes with it. So of the spans with one start the shortest one that is not limited by
        its end, which has a lower or an equal other mark, is as good as all longer ones. There is
        one for each start at most; of those that are limited by their end, see `_limited_by_end`.
        """
        starts = self.is_start.nonzero()[0]
        ends = first_reaching(
            self._ends, starts, self.start[starts], self.n_levels, lows=self._insides
        )
        real = ends <= self.run_end[starts]
        real[real] = self.is_end[ends[real]]
        more_starts, more_ends = self._limited_by_end()
        pairs = np.append(starts[real], more_starts), np.append(ends[real], more_ends)
        first, last = np.unique(np.stack(pairs), axis=1)
        return first, last

    def _limited_by_end(self) -> tuple[Ints, Ints]:
        """Those whose end is lower than their other marks, and higher than all ends before it.

        Of these with one end the first is taken first, and what clashes with it clashes with the
        next one too, but for what ends between the starts of the two. So the next one is needed
        where some label has an end there that is as high. As a rule it has none: then there is one
        for each end, even where ends rise from word to word.
        """
        ends = self.is_end.nonzero()[0]
        places, found = self._first_possible_starts(ends), []
        high_ends = self._of_best_label(self._ends)
        starts = np.where(self.is_start, self.start, UNMARKED)
        while len(ends):
            places = first_reaching(starts, places, self.end[ends], self.n_levels)
            real = places <= ends
            places, ends = places[real], ends[real]
            found.append((places, ends))
            places = 1 + first_reaching(high_ends, places, self.end[ends], self.n_levels)
        if not found:
            return ends, ends
        first, last = (np.concatenate(each) for each in zip(*found, strict=True))
        return first, last

    def _first_possible_starts(self, ends: Ints) -> Ints:
        """From where on each end is higher than all before it and lower than all insides, and no
        word by itself is a better span, of any label. Beyond the end if that is nowhere."""
        score = self.end[ends]
        alone = np.minimum(np.where(self.is_start, self.start, UNMARKED), self._ends)
        alone = np.minimum(alone, self.inside)
        last = [
            ends - ends % max(self.n_words, 1) - 1,  # of another label
            self._last_reaching(self._ends, ends - 1, score),
            self._last_reaching(-self._insides, ends, -score),
            self._last_reaching(
                self._of_best_label(alone), ends, np.nextafter(score, np.float32(2))
            ),
        ]
        return np.maximum.reduce(last) + 1

    def _last_reaching(self, values: Floats, places: Ints, limits: Floats) -> Ints:
        """The last place, up to each of some, at which a value reaches a limit."""
        last = len(values) - 1
        return last - first_reaching(values[::-1], last - places, limits, self.n_levels)

    def _of_best_label(self, values: Floats) -> Floats:
        """At each word of each label the greatest that any label has there."""
        greatest = values.reshape(self.n_labels, self.n_words).max(axis=0, initial=UNMARKED)
        return np.tile(greatest, self.n_labels)

    def _ends_of_starts(self) -> tuple[Ints, Ints, Ints, Ints]:
        """The starts that have ends, all ends, and for each of the former which of the latter:
        the first and the one beyond the last."""
        starts, ends = self.is_start.nonzero()[0], self.is_end.nonzero()[0]
        first = np.searchsorted(ends, starts)
        beyond = np.searchsorted(ends, self.run_end[starts], side="right")
        some = beyond > first
        return starts[some], ends, first[some], beyond[some]

    def scored(self, starts: Ints, ends: Ints, *, lowest: bool) -> Candidates:
        """Spans as candidates, by start, then label, then end."""
        if lowest:
            scores = np.minimum(self.start[starts], self.end[ends])
            scores = np.minimum(scores, range_minima(self.inside, starts, ends))
        else:
            sums = np.concatenate([[0.0], np.cumsum(self.inside, dtype=np.float64)])
            scores = ((sums[ends + 1] - sums[starts]) / (ends + 1 - starts)).astype(np.float32)
        labels, first = np.divmod(starts, max(self.n_words, 1))
        last = ends - labels * self.n_words
        order = np.lexsort((last, labels, first))
        return Candidates(first[order], last[order], labels[order], scores[order])
