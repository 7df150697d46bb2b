"""Texts that occur twice: whole documents, and stretches of words shared between two corpora."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHINGLE = 12  # words in a row; chance and set phrases rarely repeat as many
SAMPLE = 8  # one in so many shingles is kept, the same ones in every text
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)

Hashes = NDArray[Any]  # uint64


@dataclass
class Texts:
    """Hashes of documents: of each as a whole, and of some of its shingles."""

    wholes: list[int] = field(default_factory=list)
    shingles: list[Hashes] = field(default_factory=list)

    def add(self, words: Hashes) -> None:
        """A document, as the hashes of its words."""
        self.wholes.append(hash(words.tobytes()))
        self.shingles.append(_sampled(_shingles(words)))

    def repeated(self) -> int:
        """How many documents say the same, word for word, as one before them."""
        return len(self.wholes) - len(set(self.wholes))

    def seen_in(self, other: "Texts") -> "Seen":
        """How much of these documents stands in those of `other`, too."""
        known = np.unique(np.concatenate([np.empty(0, np.uint64), *other.shingles]))
        hits = [np.isin(shingles, known) for shingles in self.shingles]
        wholes = set(other.wholes)
        same = [whole in wholes for whole in self.wholes]
        mostly = [
            len(hit) > 0 and hit.mean() >= 0.5 and not is_same
            for hit, is_same in zip(hits, same, strict=True)
        ]
        share = sum(int(hit.sum()) for hit in hits) / max(1, sum(map(len, hits)))
        return Seen(sum(same), sum(mostly), share)


@dataclass(frozen=True)
class Seen:
    """What of some documents was seen in others."""

    same: int  # documents, word for word
    mostly: int  # other documents of which half or more was seen
    share: float  # of the text


def _shingles(words: Hashes) -> Hashes:
    """Hash of every run of `SHINGLE` words: (words - SHINGLE + 1,)."""
    n = len(words) - SHINGLE + 1
    result = np.zeros(max(0, n), dtype=np.uint64)
    for i in range(SHINGLE if n > 0 else 0):
        result = result * _BASE + words[i : i + n]
    return result


def _sampled(shingles: Hashes) -> Hashes:
    """One in `SAMPLE` of them, by their own value: the same stretch is kept in every text."""
    mixed = (shingles ^ (shingles >> np.uint64(31))) * _MIX
    return np.unique(shingles[(mixed >> np.uint64(33)) % np.uint64(SAMPLE) == 0])
