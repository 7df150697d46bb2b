"""Annotated spans fall on the right cells, and those without a cell are counted."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.en import English
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_sener.gold import (
    BLANK,
    MISALIGNED,
    TOO_LONG,
    GoldCount,
    GoldSpan,
    count_lost,
    describe,
    gold_cells,
    gold_marks,
    gold_spans,
)
from spacy_sener.pieces import PieceTokenizer
from spacy_sener.types import SpanBand, Window
from spacy_sener.windows import make_windows

VOCAB = English().vocab
LABELS = {"A": 0, "B": 1, "C": 2}
Spans = list[tuple[int, int, str]]  # first token, last token, label
CONTROL = "\x01"  # a token that BERT's normalizer deletes
WORDS = st.lists(st.sampled_from(["a", "b", "c", "\n", "  ", CONTROL]), min_size=1, max_size=40)


def make_example(words: list[str], spans: Spans, predicted: list[str] | None = None) -> Example:
    spaces = [False] * len(words)
    reference = Doc(VOCAB, words=words, spaces=spaces)
    group = [Span(reference, start, end + 1, label=label) for start, end, label in spans]
    reference.spans["sc"] = group
    own = predicted or words
    return Example(Doc(VOCAB, words=own, spaces=[False] * len(own)), reference)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[list[str], Spans]:
    words = draw(WORDS)
    ends = st.integers(0, len(words) - 1)
    span = st.tuples(ends, ends, st.sampled_from("AB"))
    spans = draw(st.lists(span.map(lambda s: (min(s[:2]), max(s[:2]), s[2])), max_size=6))
    return words, spans


def found(example: Example) -> tuple[list[tuple[int, int, str]], dict[str, int]]:
    left_out: Counter[str] = Counter()
    spans = gold_spans(example, "sc", left_out)
    return [(span.start, span.end, span.label) for span in spans], dict(left_out)


def test_ends_are_trimmed() -> None:
    words = ["\n", "a", "\n", "b", "  ", "\n", "c"]
    spans = [(0, 5, "A"), (1, 3, "B"), (2, 6, "A"), (6, 6, "B")]
    kept, left_out = found(make_example(words, spans))
    assert kept == [(1, 3, "A"), (1, 3, "B"), (3, 6, "A"), (6, 6, "B")]
    assert left_out == {}


def test_whitespace_alone_is_left_out() -> None:
    kept, left_out = found(make_example(["a", "\n", "  ", "b"], [(1, 2, "A"), (1, 1, "B")]))
    assert kept == []
    assert left_out == {BLANK: 2}


def test_ends_inside_of_tokens_are_left_out() -> None:
    """The reference splits what the pipeline's tokenizer keeps together, and the reverse."""
    words = ["ab", "c", "d", "ef"]
    example = make_example(words, [(0, 0, "A"), (1, 1, "A"), (2, 3, "B"), (0, 3, "B")])
    assert found(example) == ([(0, 0, "A"), (1, 1, "A"), (2, 3, "B"), (0, 3, "B")], {})
    predicted = ["abc", "d", "e", "f"]
    example = make_example(words, [(0, 0, "A"), (1, 1, "A"), (2, 3, "B"), (0, 3, "B")], predicted)
    kept, left_out = found(example)
    assert kept == [(1, 3, "B"), (0, 3, "B")]
    assert left_out == {MISALIGNED: 2}


def test_a_document_without_spans() -> None:
    doc = Doc(VOCAB, words=["a"])
    assert found(Example(doc, doc.copy())) == ([], {})
    count = GoldCount(4, 4)
    count.add(Example(Doc(VOCAB), Doc(VOCAB)), "sc")
    assert count.n_cells == 0
    assert count.warning() is None
    assert 0 < count.prior(["A"]).item() <= 0.5


@settings(max_examples=80)
@given(data=st.lists(annotated(), max_size=3), span_window=st.integers(0, 6))
def test_the_priors_are_the_shares_of_cells_and_of_tokens(
    data: list[tuple[list[str], Spans]], span_window: int
) -> None:
    count = GoldCount(span_window, span_window)
    n_cells, n_tokens, marked, too_long, blank = 0, 0, set(), set(), 0
    for i, (words, spans) in enumerate(data):
        count.add(make_example(words, spans), "sc")
        rows = [k for k, word in enumerate(words) if not word.isspace()]
        near = [(a, b) for a in range(len(rows)) for b in range(len(rows))]
        near = [(a, b) for a, b in near if abs(a - b) <= span_window]
        n_cells += len(near)
        n_tokens += len(rows)
        for start, end, label in spans:
            inside = [a for a, k in enumerate(rows) if start <= k <= end]
            if not inside:
                blank += 1
            elif (inside[0], inside[-1]) in near:
                marked |= {(i, inside[0], inside[-1], label), (i, inside[-1], inside[0], label)}
            else:
                too_long.add((i, inside[0], inside[-1], label))
    assert count.n_cells == n_cells
    cells = np.array([sum(cell[3] == label for cell in marked) for label in LABELS])
    assert [count.label_cells[label] for label in LABELS] == cells.tolist()
    assert count.left_out == Counter({TOO_LONG: len(too_long), BLANK: blank})
    prior = count.prior(list(LABELS))
    assert prior.dtype == np.float32
    np.testing.assert_allclose(prior, np.clip((cells + 0.5) / (n_cells + 1), 1e-6, 0.5), rtol=1e-6)
    every = {cell for cell in marked | too_long if cell[1] <= cell[2]}
    n_spans = [sum(label == name for *_, label in every) for name in LABELS]
    n_inside = [sum(j - i + 1 for _, i, j, label in every if label == name) for name in LABELS]
    marks = np.array([n_spans, n_spans, n_inside])  # starts, ends and insides
    expected = np.clip((marks + 0.5) / (n_tokens + 1), 1e-6, 0.5)
    np.testing.assert_allclose(count.mark_prior(list(LABELS)), expected, rtol=1e-6)
    # The label of a span without a cell is known all the same.
    labels = {cell[3] for cell in marked | too_long}
    assert set(count.label_cells) | labels == set(count.label_cells)


def test_the_warning_counts_each_reason() -> None:
    count = GoldCount(2, 2)
    words = ["ab", "c", "\n", "d", "e", "f"]
    spans = [(0, 0, "A"), (0, 5, "B"), (1, 5, "B"), (2, 2, "A"), (3, 4, "A")]
    count.add(make_example(words, spans), "sc")
    count.add(make_example(words, [(0, 0, "A")], ["a", "bc", "\n", "d", "e", "f"]), "sc")
    message = count.warning()
    assert message is not None
    assert message.startswith("4 annotated span(s)")
    assert "2 longer than the model reaches" in message
    assert "1 made of whitespace only" in message
    assert "1 not aligned with the tokens" in message
    assert "span_window = 2" in message


def test_the_warning_names_a_setting_only_where_that_is_why() -> None:
    count = GoldCount(2, 2)
    count.add(make_example(["ab", "\n"], [(1, 1, "A")]), "sc")
    message = count.warning()
    assert message is not None
    assert "1 made of whitespace only. In" in message


def test_nothing_left_out_no_warning() -> None:
    count = GoldCount(2, 2)
    count.add(make_example(["a", "b", "c"], [(0, 2, "A")]), "sc")
    assert count.warning() is None


def empty_band(windows: list[Window], span_window: int) -> SpanBand:
    lengths = torch.tensor([len(window.tokens) for window in windows])
    logits = torch.zeros(len(windows), int(max(lengths, default=0)), 2 * span_window + 1, 3)
    return SpanBand(windows, logits, lengths, span_window)


def rows_of_spans(
    window: Window, words: list[str], spans: Spans
) -> Iterator[tuple[list[int | None], str]]:
    """The rows of the tokens with pieces of each span of the document, None outside the window."""
    row_of = {int(token): row for row, token in enumerate(window.tokens)}
    readable = [k for k, word in enumerate(words) if not word.isspace() and word != CONTROL]
    for start, end, label in spans:
        yield [row_of.get(k) for k in readable if start <= k <= end], label


@settings(max_examples=80)
@given(data=st.lists(annotated(), min_size=1, max_size=3), span_window=st.integers(0, 5))
def test_gold_cells_are_at_the_rows_of_the_spans(
    tiny_encoder: Path, data: list[tuple[list[str], Spans]], span_window: int
) -> None:
    """In every window that holds all rows of a span, those of its ends are marked."""
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    examples = [make_example(words, spans) for words, spans in data]
    docs = [example.predicted for example in examples]
    windows = make_windows(docs, tokenizer, max_pieces=12, span_window=span_window)
    spans = [gold_spans(example, "sc", Counter()) for example in examples]
    cells = gold_cells(empty_band(windows, span_window), spans, LABELS)
    assert cells.dtype == torch.long
    assert cells.shape[1] == 4

    expected = []
    for i, window in enumerate(windows):
        for rows, label in rows_of_spans(window, *data[window.doc]):
            if rows and None not in rows and len(rows) <= span_window + 1:
                expected.append((i, rows[0], rows[-1], LABELS[label]))
    assert sorted(map(tuple, cells.tolist())) == sorted(expected)


@settings(max_examples=80)
@given(data=st.lists(annotated(), min_size=1, max_size=3))
def test_gold_marks_are_at_the_tokens_of_the_spans(
    tiny_encoder: Path, data: list[tuple[list[str], Spans]]
) -> None:
    """In every window, of whatever it holds of a span."""
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    examples = [make_example(words, spans) for words, spans in data]
    docs = [example.predicted for example in examples]
    windows = make_windows(docs, tokenizer, max_pieces=6, span_window=2)
    spans = [gold_spans(example, "sc", Counter()) for example in examples]
    expected = set()
    for i, window in enumerate(windows):
        for rows, label in rows_of_spans(window, *data[window.doc]):
            marks = [(row, 2) for row in rows]
            marks += [(rows[0], 0), (rows[-1], 1)] if rows else []
            expected |= {(i, *mark, LABELS[label]) for mark in marks if mark[0] is not None}
    marked = gold_marks(empty_band(windows, 2), spans, LABELS)
    assert set(map(tuple, marked.nonzero().tolist())) == expected


def test_a_span_from_a_token_without_a_piece(tiny_encoder: Path) -> None:
    """Its cell is marked where a window begins with the first token of it that has pieces."""
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_encoder))
    words = ["a"] * 20
    [first, second, *_] = make_windows(
        [Doc(VOCAB, words=words)], tokenizer, max_pieces=12, span_window=2
    )
    begin = int(second.tokens[0])
    words.insert(begin, CONTROL)
    doc = Doc(VOCAB, words=words)
    windows = make_windows([doc], tokenizer, max_pieces=12, span_window=2)
    span = GoldSpan(begin, begin + 2, "B")
    cells = gold_cells(empty_band(windows, 2), [[span]], LABELS)
    row = len(first.tokens) - (int(first.tokens[-1]) + 1 - begin)
    assert cells.tolist() == [[0, row, row + 1, 1], [1, 0, 1, 1]]


def test_no_gold_cells() -> None:
    windows = make_windows([Doc(VOCAB, words=["a"])], None, max_pieces=12, span_window=2)
    assert gold_cells(empty_band(windows, 2), [[]], LABELS).shape == (0, 4)


def test_spans_of_the_reach_are_not_lost() -> None:
    windows = make_windows([Doc(VOCAB, words=["a"] * 6)], None, max_pieces=12, span_window=2)
    spans = [GoldSpan(0, 3, "A"), GoldSpan(1, 5, "A"), GoldSpan(0, 4, "B"), GoldSpan(0, 5, "B")]
    for reach, n_longer in ((2, 4), (3, 3), (4, 1), (5, 0)):
        lost = count_lost([empty_band(windows, 2)], [spans], reach)
        assert lost == +Counter({TOO_LONG: n_longer})


def test_an_unknown_label_is_an_error() -> None:
    windows = make_windows([Doc(VOCAB, words=["a"])], None, max_pieces=12, span_window=2)
    with pytest.raises(KeyError):
        gold_cells(empty_band(windows, 2), [[GoldSpan(0, 0, "D")]], LABELS)


def test_how_a_document_is_named() -> None:
    doc = Doc(VOCAB, words=["Anna", "\n\n", "Keller"])
    assert describe(doc) == "'Anna Keller'"
    doc.user_data["doc_id"] = 7
    assert describe(doc) == "7 ('Anna Keller')"
