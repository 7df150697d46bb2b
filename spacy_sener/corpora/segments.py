"""Long documents in segments, which are learned in more, and smaller, steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any

import numpy as np
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc, Span

SENTENCE_ENDS = frozenset(Sentencizer.default_punct_chars)


def cut(doc: Doc, longest: int | None, spans_key: str = "sc") -> Iterator[Doc]:
    """Segments of at most `longest` tokens, which together are the document.

    A segment ends, in its second half, at the last line break, or else sentence, or else token at
    which no gold span is cut; if there is none, at the last such place of its first half; and only
    where spans cover all of them, at one where the fewest are cut, chosen likewise. A segment has
    those spans of every key that lie in it: those that are cut are in none. It keeps what its
    tokens are annotated with, entities that lie in it, the labels that the document is asked for,
    and what is in `doc.user_data` of it, or of the whole, such as "doc_id" and `doc._.name`.
    Categories (`doc.cats`) are of the whole, and not of its parts.

    longest: None leaves every document whole; one that is short enough comes as it is.
    spans_key: Where the gold spans are. Those under other keys do not matter to where a cut is.
    """
    if longest is None or len(doc) <= longest:
        yield doc
        return
    ends = _ends(doc, longest, spans_key)
    starts = [0, *ends[:-1]]
    # What all segments are made of is made once: `as_doc` by itself reads the document for each.
    whole: Any = doc  # spaCy's types do not know of this
    head = whole._get_array_attrs()
    array = whole.to_array(head)
    spans = {key: _spans_within(group, starts, ends) for key, group in doc.spans.items()}
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        piece: Doc = whole[start:end].as_doc(array_head=head, array=array)
        piece.has_unknown_spaces = doc.has_unknown_spaces
        piece.user_data = _user_data(whole[start:end])
        for key, within in spans.items():
            piece.spans[key] = [_moved(span, piece, start) for span in within[number]]
        yield piece


def _user_data(part: Span) -> dict[Any, Any]:
    """That of a part. What is kept by characters moves along, as in `Span.as_doc`."""
    begin, end = part.start_char, part.end_char
    kept = {}
    for key, value in part.doc.user_data.items():
        place = key
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "._." and key[2] is not None:
            mark, name, first, last = key
            if first >= end or (first if last is None else last) < begin:
                continue
            place = mark, name, first - begin, None if last is None else last - begin
        kept[place] = copy(value)
    return kept


def _ends(doc: Doc, longest: int, spans_key: str) -> list[int]:
    """Before which token each segment ends; the last one is the end of the document."""
    n_cut, goodness = _n_cut(doc, spans_key), _goodness(doc)
    ends = [0]
    while len(doc) - ends[-1] > longest:
        places = slice(ends[-1] + 1, ends[-1] + longest + 1)
        ends.append(ends[-1] + _segment_size(n_cut[places], goodness[places]))
    return [*ends[1:], len(doc)]


def _spans_within(spans: Iterable[Span], starts: list[int], ends: list[int]) -> list[list[Span]]:
    """The spans of each segment, in their order."""
    within: list[list[Span]] = [[] for _ in ends]
    for span in spans:
        segment = bisect_right(starts, span.start) - 1
        if span.start < ends[segment] and span.end <= ends[segment]:
            within[segment].append(span)
    return within


def _moved(span: Span, piece: Doc, start: int) -> Span:
    """The span in the segment that begins with token `start` of its document."""
    ends = span.start - start, span.end - start
    return Span(piece, *ends, label=span.label, kb_id=span.kb_id, span_id=span.id)


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
