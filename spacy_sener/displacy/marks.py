"""What is drawn of a document: its text, and a mark for each span or, comparing, for each pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from unicodedata import bidirectional

from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from ..matching import Key, Match, Verdict, key_of, match_spans
from ..scores import span_scores

BLOCK_TOKENS = 25
"""A span of so many tokens is a block, with a bar beside the text; a shorter one is underlined."""
LOW_SCORE = 0.7
"""Under this, a bar or line is dashed."""
LETTERS = 10_000
"""Characters of a text that are looked at for its direction."""

Drawable = Doc | Span | Example


@dataclass(frozen=True)
class Mark:
    """A span as it is drawn. Characters count from the start of the text, `end` is exclusive."""

    number: int
    """Its own on the page."""
    start: int
    end: int
    n_tokens: int
    label: str
    score: float | None
    is_block: bool
    verdict: Verdict | None = None
    is_gold: bool = False
    """Whether it is in the gold annotation only, and is drawn hollow."""
    gold_label: str | None = None
    """What the label should have been, where that is known and another."""
    partner_score: float | None = None
    """Of the gold one of a pair the score of the predicted one: both are shown, or neither."""

    @property
    def is_low(self) -> bool:
        return self.score is not None and self.score < LOW_SCORE

    @property
    def is_second(self) -> bool:
        """Whether it is the gold one of a pair, which is counted with the predicted one."""
        return self.is_gold and self.verdict != "missed"


@dataclass(frozen=True)
class Page:
    """A document of the page."""

    text: str
    heading: str | None
    lang: str
    """As HTML has it, where several are "mul"."""
    direction: str
    token_starts: list[int]
    marks: list[Mark] = field(default_factory=list)
    """Outer ones before those inside them."""


def read_pages(docs: Iterable[Drawable], spans_key: str, labels: set[str] | None) -> list[Page]:
    """The documents and their marks.

    spans_key: The spans drawn are those of `doc.spans[spans_key]`.
    labels: Upper-case names of the labels to draw; all if None.
    Raises ValueError for what is not a document, has not that key, or, for an `Example`, has two
    texts.
    """
    numbers = count()
    return [_read_page(doc, spans_key, labels, numbers) for doc in docs]


def _read_page(
    drawable: Drawable, spans_key: str, labels: set[str] | None, numbers: Iterator[int]
) -> Page:
    if isinstance(drawable, Example):
        doc = drawable.predicted
        marks = _compared(drawable, spans_key, labels, numbers)
    elif isinstance(drawable, Doc | Span):
        doc = drawable if isinstance(drawable, Doc) else _cut_out(drawable, spans_key)
        marks = _drawn(doc, spans_key, labels, numbers)
    else:
        raise ValueError(
            f"docs: expected Doc, Span or Example objects, or several of them, but one is a "
            f"{type(drawable).__name__}"
        )
    return Page(
        text=doc.text,
        heading=_heading(drawable),
        lang="mul" if doc.lang_ == "xx" else doc.lang_,
        direction=_direction(doc),
        token_starts=[token.idx for token in doc],
        marks=sorted(marks, key=lambda mark: (mark.start, -mark.end, mark.number)),
    )


def _heading(drawable: Drawable) -> str | None:
    """displaCy's title of a document, or the id that our readers of corpora keep."""
    if isinstance(drawable, Example):
        return _heading(drawable.predicted) or _heading(drawable.reference)
    user_data = drawable.doc.user_data
    given = (user_data.get(name) for name in ("title", "doc_id"))
    return next((str(one) for one in given if one is not None and str(one).strip()), None)


def _direction(doc: Doc) -> str:
    """That of the language or, as spaCy has languages that are any, that of most of the letters."""
    if doc.vocab.writing_system.get("direction") == "rtl":
        return "rtl"
    kinds = Counter(map(bidirectional, doc.text[:LETTERS]))
    return "rtl" if kinds["R"] + kinds["AL"] > kinds["L"] else "ltr"


def _cut_out(part: Span, spans_key: str) -> Doc:
    """A part of a document as one of its own, with the spans that lie inside it."""
    group = _group(part.doc, spans_key)
    doc = part.as_doc()
    inside = [
        (span, score)
        for span, score in _scored(group)
        if part.start <= span.start and span.end <= part.end
    ]
    doc.spans[spans_key] = [
        Span(doc, span.start - part.start, span.end - part.start, label=span.label)
        for span, _ in inside
    ]
    if "scores" in group.attrs:
        doc.spans[spans_key].attrs["scores"] = [score for _, score in inside]
    return doc


def _group(doc: Doc, spans_key: str) -> SpanGroup:
    if spans_key not in doc.spans:
        raise ValueError(
            f"spans_key: '{spans_key}' is not in doc.spans, which has {list(doc.spans)}: run "
            "the pipeline first, or give the key that it writes to"
        )
    return doc.spans[spans_key]


def _gold_group(doc: Doc, spans_key: str) -> SpanGroup:
    if spans_key not in doc.spans:
        raise ValueError(
            f"docs: the reference of an Example has no annotation in doc.spans['{spans_key}'] to "
            f"compare with; the keys that are there: {list(doc.spans)}. Give one of them as "
            "spans_key, or draw the predicted document alone"
        )
    return doc.spans[spans_key]


def _scored(group: SpanGroup) -> Iterator[tuple[Span, float | None]]:
    """The spans with their scores; two may be equal and have scores of their own."""
    return zip(group, span_scores(group), strict=True)


def _is_drawn(span: Span, labels: set[str] | None) -> bool:
    """There is nothing to see of one that has no token."""
    return len(span) > 0 and (labels is None or span.label_.upper() in labels)


def _drawn(
    doc: Doc, spans_key: str, labels: set[str] | None, numbers: Iterator[int]
) -> Iterator[Mark]:
    for span, score in _scored(_group(doc, spans_key)):
        if _is_drawn(span, labels):
            yield _mark(span, next(numbers), score=score)


def _mark(
    span: Span,
    number: int,
    *,
    score: float | None = None,
    is_block: bool | None = None,
    verdict: Verdict | None = None,
    is_gold: bool = False,
    gold_label: str | None = None,
    partner_score: float | None = None,
) -> Mark:
    start, end = _without_space(span)
    return Mark(
        number=number,
        start=start,
        end=end,
        n_tokens=len(span),
        label=span.label_,
        score=score,
        is_block=len(span) >= BLOCK_TOKENS if is_block is None else is_block,
        verdict=verdict,
        is_gold=is_gold,
        gold_label=gold_label,
        partner_score=partner_score,
    )


def _without_space(span: Span) -> tuple[int, int]:
    """Its characters less whitespace tokens at its ends, so that it starts where words do."""
    text = span.text
    if not text.strip():
        return span.start_char, span.end_char
    before = len(text) - len(text.lstrip())
    after = len(text) - len(text.rstrip())
    return span.start_char + before, span.end_char - after


def _compared(
    example: Example, spans_key: str, labels: set[str] | None, numbers: Iterator[int]
) -> Iterator[Mark]:
    gold, predicted = example.reference, example.predicted
    if gold.text != predicted.text:
        raise ValueError(
            "docs: the two documents of an Example have different texts, beginning with "
            f"{gold.text[:40]!r} (reference) and {predicted.text[:40]!r} (predicted)"
        )
    group, gold_group = _group(predicted, spans_key), _gold_group(gold, spans_key)
    scores = {key_of(span): score for span, score in _scored(group)}
    sides = ([span for span in side if _is_drawn(span, labels)] for side in (gold_group, group))
    for match in match_spans(*sides):
        yield from _pair(match, scores, numbers)


def _pair(match: Match, scores: dict[Key, float | None], numbers: Iterator[int]) -> Iterator[Mark]:
    """One mark, or two where the ends differ."""
    spans = [span for span in (match.gold, match.predicted) if span is not None]
    is_block = max(len(span) for span in spans) >= BLOCK_TOKENS
    score = None if match.predicted is None else scores.get(key_of(match.predicted))
    if match.predicted is not None:
        yield _mark(
            match.predicted,
            next(numbers),
            score=score,
            is_block=is_block,
            verdict=match.verdict,
            gold_label=match.gold.label_ if match.verdict == "type" and match.gold else None,
        )
    if match.gold is not None and match.verdict not in ("found", "type"):
        yield _mark(
            match.gold,
            next(numbers),
            is_block=is_block,
            verdict=match.verdict,
            is_gold=True,
            partner_score=score,
        )
