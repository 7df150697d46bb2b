"""Long documents in segments, which are learned in more, and smaller, steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Span

from ..extensions import copy_labels

SENTENCE_ENDS = frozenset(Sentencizer.default_punct_chars)


def cut(doc: Doc, longest: int | None, spans_key: str = "sc") -> Iterator[Doc]:
    """Segments of at most `longest` tokens, which together are the document.

    A segment ends, in its second half, at the last line break, or else sentence, or else token at
    which no gold span is cut; if there is none, at the last such place of its first half; and only
    where spans cover all of them, at one where the fewest are cut, chosen likewise. A segment has
    those gold spans that lie in it: those that are cut are in none.

    longest: None leaves every document whole; one that is short enough comes as it is.
    """
    start = 0
    if longest is not None and len(doc) > longest:
        n_cut, goodness = _n_cut(doc, spans_key), _goodness(doc)
        while len(doc) - start > longest:
            places = slice(start + 1, start + longest + 1)
            end = start + _segment_size(n_cut[places], goodness[places])
            yield part(doc, start, end, spans_key)
            start = end
    yield part(doc, start, len(doc), spans_key) if start else doc


def part(doc: Doc, start: int, end: int, spans_key: str = "sc") -> Doc:
    """The tokens from `start` to before `end`, with the spans that lie among them.

    Kept are also what tokens are annotated with, entities that lie in the part, the labels that the
    document is asked for, and the entries of `doc.user_data` that have a name, such as "doc_id".
    """
    piece = doc[start:end].as_doc()
    piece.has_unknown_spaces = doc.has_unknown_spaces
    piece.user_data.update(
        {key: value for key, value in doc.user_data.items() if isinstance(key, str)}
    )
    copy_labels(doc, piece)
    piece.spans[spans_key] = [
        Span(
            piece,
            span.start - start,
            span.end - start,
            label=span.label,
            kb_id=span.kb_id,
            span_id=span.id,
        )
        for span in doc.spans.get(spans_key, [])
        if start <= span.start < end and span.end <= end
    ]
    return piece


def _n_cut(doc: Doc, spans_key: str) -> list[int]:
    """(tokens + 1,) how many gold spans a cut before each token goes through."""
    change = np.zeros(len(doc) + 2, dtype=int)
    for span in doc.spans.get(spans_key, []):
        change[span.start + 1] += 1
        change[max(span.end, span.start + 1)] -= 1
    return np.cumsum(change[:-1]).tolist()


def _goodness(doc: Doc) -> list[int]:
    """(tokens + 1,) how good a cut before each token is: 3 at a line break, 2 at a sentence."""
    goodness = [1]
    for token in doc:
        if "\n" in token.text:
            goodness.append(3)
        else:
            goodness.append(2 if token.text in SENTENCE_ENDS else 1)
    return goodness


def _segment_size(n_cut: list[int], goodness: list[int]) -> int:
    """Where a segment ends. n_cut, goodness: of a cut after 1, 2, ... tokens."""
    size = len(n_cut)
    return max(
        range(1, size + 1),
        key=lambda n: (-n_cut[n - 1], n > size // 2, goodness[n - 1], n),
    )
