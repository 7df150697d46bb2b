"""The words of a document as a prompted model reads them, and the spaCy tokens that they are of."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from spacy.tokens import Doc

from .types import Ints

WordKind = Literal["gliner", "tokens"]

SPLITTER = re.compile(r"\w+(?:[-_]\w+)*|\S")
"""What GLiNER takes for a word: letters and digits, hyphens between them, else one character."""


@dataclass(frozen=True)
class Words:
    """Words in order of the text. None has whitespace in it, or is empty."""

    texts: list[str]
    first: Ints  # (words,) spaCy token in which the word begins
    last: Ints  # (words,) spaCy token in which it ends

    def overlapping(self, start: int, end: int) -> tuple[int, int]:
        """First and last word that share a character with the tokens from start to end, inclusive.

        The last is less than the first if there is none.
        """
        first = int(np.searchsorted(self.last, start, side="left"))
        return first, int(np.searchsorted(self.first, end, side="right")) - 1


def words_of(doc: Doc, kind: WordKind) -> Words:
    """The words of a document: those of GLiNER's splitter, or its tokens but whitespace."""
    if kind == "tokens":
        tokens = [token for token in doc if not token.is_space]
        indices = np.array([token.i for token in tokens], dtype=np.int64)
        return Words([token.text for token in tokens], indices, indices)
    text = doc.text
    spans = split(text)
    offsets = np.array(spans, dtype=np.int64).reshape(-1, 2)
    token_starts = doc.to_array("IDX").astype(np.int64)
    return Words(
        [text[start:end] for start, end in spans],
        np.searchsorted(token_starts, offsets[:, 0], side="right") - 1,
        np.searchsorted(token_starts, offsets[:, 1] - 1, side="right") - 1,
    )


def split(text: str) -> list[tuple[int, int]]:
    """Where GLiNER's words begin and end in a text, in characters, the end exclusive."""
    return [match.span() for match in SPLITTER.finditer(text)]
