"""Windows hold every token of a document, and each span start has one owner that sees the span."""

from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.en import English
from spacy.tokens import Doc

from spacy_sener.pieces import PieceTokenizer
from spacy_sener.types import Window
from spacy_sener.windows import SPECIAL_PIECES, group_windows, make_windows

VOCAB = English().vocab
SPACE, CONTROL = "\n", "\x01"  # a whitespace token, and one that BERT's normalizer deletes
# Pieces of each token: a word of that many letters of which no two join; None for whitespace.
LARGEST = 5
SIZE = st.sampled_from([1, 1, 1, 2, 3, LARGEST, 0, None])
SIZES = st.lists(SIZE, max_size=60) | st.lists(SIZE, min_size=50, max_size=60)  # many windows
MAX_PIECES = st.integers(2 * LARGEST + SPECIAL_PIECES, 40)
SPAN_WINDOWS = st.integers(0, 9)


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PieceTokenizer:
    return PieceTokenizer.from_pretrained(str(tiny_encoder))


def word(size: int | None) -> str:
    return SPACE if size is None else "v" * size or CONTROL


def make_doc(sizes: list[int | None]) -> Doc:
    return Doc(VOCAB, words=[word(size) for size in sizes])


def rows_of(sizes: list[int | None]) -> list[int]:
    return [i for i, size in enumerate(sizes) if size]


def position(rows: list[int], window: Window) -> tuple[int, int]:
    """Rows [begin, end) of the document that the window holds."""
    begin = rows.index(window.tokens[0])
    assert window.tokens.tolist() == rows[begin : begin + len(window.tokens)]
    return begin, begin + len(window.tokens)


@settings(max_examples=60)
@given(sizes=SIZES, max_pieces=MAX_PIECES, span_window=SPAN_WINDOWS)
def test_no_piece_is_lost_and_no_window_is_too_large(
    tokenizer: PieceTokenizer, sizes: list[int | None], max_pieces: int, span_window: int
) -> None:
    windows = make_windows(
        [make_doc(sizes)], tokenizer, max_pieces=max_pieces, span_window=span_window
    )
    alone = [tokenizer.encode([[word(size)]])[0].ids for size in sizes]
    assert [len(ids) for ids, size in zip(alone, sizes, strict=True) if size is not None] == [
        size for size in sizes if size is not None
    ]
    for window in windows:
        assert window.size == len(window.piece_ids) == len(window.piece_rows) <= max_pieces
        pieces = [piece for i in window.tokens for piece in alone[i]]
        assert window.piece_ids.tolist() == [tokenizer.cls_id, *pieces, tokenizer.sep_id]
        rows = [row for row, i in enumerate(window.tokens, 1) for _ in alone[i]]
        assert window.piece_rows.tolist() == [0, *rows, 0]
    assert sorted({int(i) for window in windows for i in window.tokens}) == rows_of(sizes)


@settings(max_examples=60)
@given(sizes=SIZES, max_pieces=MAX_PIECES, span_window=SPAN_WINDOWS, share=st.none() | SPAN_WINDOWS)
def test_every_span_start_has_one_owner(
    tokenizer: PieceTokenizer,
    sizes: list[int | None],
    max_pieces: int,
    span_window: int,
    share: int | None,
) -> None:
    """An owner sees the longest span from each, and some rows before it.

    Neighbours share 2 * span_window rows, or what they are told if it is no less than span_window,
    or half of the first window's where it has fewer than twice that. So every span of span_window
    is seen if all windows but the last have 16 / 7 * span_window rows or more; of smaller ones,
    those of 7 / 8 of what is shared.
    """
    overlap = 2 * span_window if share is None else span_window + min(share, span_window)
    windows = make_windows(
        [make_doc(sizes)],
        tokenizer,
        max_pieces=max_pieces,
        span_window=span_window,
        overlap=None if share is None else overlap,
    )
    rows = rows_of(sizes)
    owned = [int(i) for window in windows for i in window.tokens[slice(*window.owned)]]
    assert owned == rows
    bounds, margin = [position(rows, window) for window in windows], overlap - span_window
    shared = [end - following for (_, end), (following, _) in pairwise(bounds)]
    for (begin, end), n_shared in zip(bounds, shared, strict=False):
        assert n_shared >= min(overlap, (end - begin) // 2)
    for window, (begin, end), n_shared in zip(windows, bounds, [*shared, 0], strict=False):
        longest = min(span_window, n_shared - min(margin, n_shared // 8))
        for start in range(begin + window.owned[0], begin + window.owned[1]):
            assert begin <= start < end
            assert start + longest < end or end == len(rows)
    for window, n_shared in zip(windows[1:], shared, strict=True):
        assert window.owned[0] >= min(margin, n_shared // 8) // 2


@settings(max_examples=40)
@given(n_rows=st.integers(0, 120), max_pieces=st.integers(12, 40), span_window=st.integers(0, 5))
def test_the_owner_sees_most_around_the_span(
    n_rows: int, max_pieces: int, span_window: int
) -> None:
    doc = Doc(VOCAB, words=["a"] * n_rows)
    windows = make_windows([doc], None, max_pieces=max_pieces, span_window=span_window)
    bounds = [(int(window.tokens[0]), int(window.tokens[-1]) + 1) for window in windows]
    assert all(window.size <= max_pieces - SPECIAL_PIECES for window in windows)

    def view(k: int, start: int) -> int:
        """Fewest tokens to either side of the longest span from `start`; an end of text is none."""
        begin, end = bounds[k]
        before = start - begin if begin else n_rows
        after = end - (start + span_window) if end < n_rows else n_rows
        return min(before, after)

    for k, window in enumerate(windows):
        for start in range(*(bounds[k][0] + row for row in window.owned)):
            holders = [j for j, (begin, end) in enumerate(bounds) if begin <= start < end]
            assert view(k, start) >= max(view(j, start) for j in holders) - 1  # half a row


@settings(max_examples=40)
@given(sizes=SIZES, max_pieces=MAX_PIECES, span_window=SPAN_WINDOWS)
def test_a_window_covers_the_tokens_beside_its_rows(
    tokenizer: PieceTokenizer, sizes: list[int | None], max_pieces: int, span_window: int
) -> None:
    windows = make_windows(
        [make_doc(sizes)], tokenizer, max_pieces=max_pieces, span_window=span_window
    )
    rows = set(rows_of(sizes))
    for window in windows:
        first, last = window.covers
        assert [i for i in range(first, last + 1) if i in rows] == window.tokens.tolist()
        assert first == 0 or first - 1 in rows
        assert last == len(sizes) - 1 or last + 1 in rows


@settings(max_examples=30)
@given(batch=st.lists(SIZES, max_size=4), max_pieces=MAX_PIECES, max_size=st.integers(1, 120))
def test_windows_and_groups_of_a_batch(
    tokenizer: PieceTokenizer, batch: list[list[int | None]], max_pieces: int, max_size: int
) -> None:
    docs = [make_doc(sizes) for sizes in batch]
    windows = make_windows(docs, tokenizer, max_pieces=max_pieces, span_window=2)
    for i, doc in enumerate(docs):
        alone = make_windows([doc], tokenizer, max_pieces=max_pieces, span_window=2)
        together = [window for window in windows if window.doc == i]
        assert [w.piece_ids.tolist() for w in together] == [w.piece_ids.tolist() for w in alone]
        assert [w.owned for w in together] == [w.owned for w in alone]
    assert [window.doc for window in windows] == sorted(window.doc for window in windows)
    groups = list(group_windows(windows, max_size))
    assert sorted(id(w) for group in groups for w in group) == sorted(map(id, windows))
    for group in groups:
        assert len(group) == 1 or len(group) * max(w.size for w in group) <= max_size


def test_groups_are_filled() -> None:
    """Ten windows of one size go three by three, not one by one."""
    docs = [Doc(VOCAB, words=["a"] * 10) for _ in range(10)]
    windows = make_windows(docs, None, max_pieces=40, span_window=2)
    assert [len(group) for group in group_windows(windows, 39)] == [3, 3, 3, 1]


def test_a_document_that_fits_is_one_window(tokenizer: PieceTokenizer) -> None:
    doc = English()("Anna  Keller\n\n\x01 works here. \x01")
    [window] = make_windows([doc], tokenizer, max_pieces=64, span_window=4)
    texts = [doc[int(i)].text for i in window.tokens]
    assert texts == ["Anna", "Keller", "works", "here", "."]
    assert window.owned == (0, 5)
    assert window.covers == (0, len(doc) - 1)


@pytest.mark.parametrize("words", [[], [" "], ["\n", "\t ", "\u2003"]])
@pytest.mark.parametrize("with_pieces", [False, True])
def test_a_document_of_nothing_has_no_window(
    tokenizer: PieceTokenizer, words: list[str], with_pieces: bool
) -> None:
    docs = [Doc(VOCAB, words=words), Doc(VOCAB, words=["Anna"]), Doc(VOCAB, words=words)]
    windows = make_windows(docs, tokenizer if with_pieces else None, max_pieces=12, span_window=2)
    assert [window.doc for window in windows] == [1]
    assert make_windows([], tokenizer, max_pieces=12, span_window=2) == []


def test_a_document_without_a_piece_has_no_window(tokenizer: PieceTokenizer) -> None:
    doc = Doc(VOCAB, words=[CONTROL, SPACE, CONTROL])
    assert make_windows([doc], tokenizer, max_pieces=12, span_window=2) == []


def test_a_token_of_many_pieces_is_kept(tiny_deberta: Path) -> None:
    tokenizer = PieceTokenizer.from_pretrained(str(tiny_deberta))
    words = ["Anna", "x9" * 2500, "Keller", "#%" * 2500, "works"] + ["here"] * 60
    doc = Doc(VOCAB, words=words)
    with pytest.warns(UserWarning, match=r"4 token\(s\) have more than 31 word pieces") as caught:
        windows = make_windows([doc, doc], tokenizer, max_pieces=64, span_window=4)
    assert len(caught) == 1
    found = {int(i) for window in windows for i in window.tokens}
    assert found == set(range(len(words)))
    start_of = [0, *accumulate(len(ids.ids) for ids in tokenizer.encode([[w] for w in words]))]
    every = tokenizer.encode([words])[0].ids
    for window in windows:
        assert window.size <= 64
        for row, i in enumerate(window.tokens, 1):
            pieces = window.piece_ids[window.piece_rows == row]
            assert pieces.tolist() == every[start_of[i] : start_of[i + 1]][:31]


def test_spans_of_the_window_need_no_more_rows_than_four_times(tokenizer: PieceTokenizer) -> None:
    """The size that the component's message recommends, at one piece a token."""
    span_window = 7
    doc = Doc(VOCAB, words=["v"] * 200)
    windows = make_windows(
        [doc], tokenizer, max_pieces=4 * span_window + 2, span_window=span_window
    )
    for window in windows:
        starts = window.tokens[slice(*window.owned)]
        assert np.all(np.minimum(starts + span_window, 199) <= window.tokens[-1])
