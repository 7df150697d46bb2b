"""Raw text for pipelines: random words of an encoder's own vocabulary, in sentences."""

import random
from itertools import accumulate
from pathlib import Path

from spacy_sener.sources import DEFAULT_SOURCE, resolve_source

SENTENCE = 15
"""Tokens, the full stop included."""
COMPOUNDS = 0.15
"""Share of words that are two words written as one, so that they have several pieces."""


def text(n_tokens: int, *, seed: int = 0) -> str:
    """A text of about so many tokens, words being as frequent as one over their rank."""
    rng = random.Random(seed)
    vocabulary = words()
    weights = list(accumulate(1 / (rank + 20) for rank in range(len(vocabulary))))
    chosen = rng.choices(vocabulary, cum_weights=weights, k=n_tokens)
    for i in range(n_tokens):
        if i % SENTENCE == SENTENCE - 1:
            chosen[i] = "."
        elif rng.random() < COMPOUNDS:
            chosen[i] += rng.choice(vocabulary)
    return " ".join(chosen)


def words() -> list[str]:
    """The vocabulary's whole words of three letters and more, frequent ones first."""
    vocabulary = Path(resolve_source(DEFAULT_SOURCE), "vocab.txt").read_text(encoding="utf8")
    return [line for line in vocabulary.split() if line.isascii() and line.isalpha() and line[2:]]
