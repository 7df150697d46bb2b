"""Documents that hypothesis makes, and files of text in every encoding that is read."""

import gzip
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

# Characters that mean something in one of the formats, of one and of two UTF-16 units, that join
# to their neighbours, and that count as white space or line ends somewhere, but not here.
CHARACTERS = "abB-IOx\\[]|_->;*#<&\"'{}=éßΩ中\u0301\u200d\u00a0\u2028\u0085😊\U0001d518\U0001f468"
LABELS = ("name", "work record", "a|b[1]", "B-x", "_", "*", "->", "é😊", "x\\", "\\t")
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "bom": lambda text: text.encode("utf-8-sig"),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "gz": lambda text: gzip.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
}

words = st.text(CHARACTERS, min_size=1, max_size=4)
labels = st.sampled_from(LABELS)


@dataclass(frozen=True)
class Written:
    """Words, the positions of those that begin a sentence, and labelled spans of words."""

    words: list[str]
    sentence_starts: set[int]
    spans: set[tuple[int, int, str]]


@st.composite
def documents(draw: st.DrawFn) -> Written:
    """Spans nest, cross, and run over the ends of sentences; some words have several."""
    text = draw(st.lists(words, min_size=1, max_size=12))
    positions = st.integers(0, len(text) - 1)
    spans = st.tuples(positions, positions, labels)
    return Written(
        text,
        {0} | draw(st.sets(positions)),
        {
            (min(first, last), max(first, last) + 1, label)
            for first, last, label in draw(st.sets(spans, max_size=8))
        },
    )


def write_encoded(path: Path, text: str, encoding: str) -> Path:
    """Write a text; the path gets the suffix of a packed file if it is one."""
    if encoding in ("gz", "xz"):
        path = path.with_name(f"{path.name}.{encoding}")
    path.write_bytes(ENCODINGS[encoding](text))
    return path
