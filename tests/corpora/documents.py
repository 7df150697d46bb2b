"""Documents with spans made up by hypothesis, and helpers to read files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import spacy
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.report import Report

NLP = spacy.blank("en")
# Letters, an emoji, what tokenizers split at, and all sorts of whitespace and line breaks.
COMMON = "anZéß中😀🏽\u0301.,'-(\"\\/#T;0 \t\n\r\u00a0\u2028\x85\x0c"
CHARACTERS = st.sampled_from(COMMON) | st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=60)
WORDS = st.lists(st.text(CHARACTERS, min_size=1, max_size=6), min_size=1, max_size=12)
LABELS = st.text(CHARACTERS, min_size=1, max_size=8).filter(str.strip)
# Where the format separates by whitespace.
PLAIN_LABELS = st.text("abcXYZ_-/é中", min_size=1, max_size=8)
NO_SCORES = st.none()
SCORES = NO_SCORES | st.floats(allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Labelled:
    """A stretch, end exclusive, with label and perhaps score."""

    start: int
    end: int
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Text:
    """A text with spans in characters, all of whole tokens, without whitespace at their ends."""

    text: str
    spans: list[Labelled]


@st.composite
def texts(
    draw: st.DrawFn,
    labels: st.SearchStrategy[str] = LABELS,
    scores: st.SearchStrategy[float | None] = NO_SCORES,
) -> Text:
    """Texts with nested and crossing spans, and with several labels on one stretch."""
    text = draw(TEXTS)
    doc = NLP.make_doc(text)
    starts = [token.idx for token in doc if not text[token.idx].isspace()]
    ends = [end for end in (token.idx + len(token) for token in doc) if not text[end - 1].isspace()]
    pairs = [(start, end) for start in starts for end in ends if start < end]
    return Text(text, _spans(draw, pairs, labels, scores))


@st.composite
def word_lists(
    draw: st.DrawFn, scores: st.SearchStrategy[float | None] = NO_SCORES
) -> tuple[list[str], list[Labelled]]:
    """Lists of words with spans in words."""
    words = draw(WORDS)
    full = [position for position, word in enumerate(words) if word.strip()]
    pairs = [(start, end + 1) for start in full for end in full if start <= end]
    return words, _spans(draw, pairs, LABELS, scores)


def _spans(
    draw: st.DrawFn,
    pairs: list[tuple[int, int]],
    labels: st.SearchStrategy[str],
    scores: st.SearchStrategy[float | None],
) -> list[Labelled]:
    if not pairs:
        return []
    stretches = st.tuples(st.sampled_from(pairs), labels)
    drawn = draw(st.lists(stretches, unique=True, max_size=6))
    return [Labelled(*pair, label, draw(scores)) for pair, label in drawn]


def read(path: Path, record_format: str = "auto", **options: str) -> tuple[list[Doc], Report]:
    """The documents of a file, and the report on them."""
    report = Report()
    return list(read_docs(path, NLP, record_format=record_format, report=report, **options)), report


def spans_of(doc: Doc, spans_key: str = "sc") -> list[Labelled]:
    """The spans of a document, in characters, in their order."""
    group = doc.spans[spans_key]
    scores = group.attrs.get("scores", [None] * len(group))
    return [
        Labelled(span.start_char, span.end_char, span.label_, None if score != score else score)
        for span, score in zip(group, scores, strict=True)
    ]
