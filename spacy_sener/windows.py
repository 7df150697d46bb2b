"""Documents to windows of rows and word pieces, and which window owns which span start."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol, TypeVar

import numpy as np
from spacy.tokens import Doc
from tokenizers import Encoding

from .pieces import PieceTokenizer
from .types import Ints, Window

SPECIAL_PIECES = 2  # [CLS] and [SEP]
MAX_PIECES = 2048
"""Of a window, where the component's `max_pieces` does not say otherwise."""


class Sized(Protocol):
    """A window of any kind."""

    @property
    def size(self) -> int:
        """What it costs."""


AnyWindow = TypeVar("AnyWindow", bound=Sized)


@dataclass(frozen=True)
class Rows:
    """The tokens of one document that enter the span table, with their pieces."""

    tokens: Ints  # (rows,) spaCy token index
    sizes: Ints  # (rows,) pieces of each row
    piece_ids: Ints  # (sum of sizes,); empty without a tokenizer


def make_windows(
    docs: Sequence[Doc],
    tokenizer: PieceTokenizer | None,
    *,
    max_pieces: int,
    span_window: int,
    overlap: int | None = None,
) -> list[Window]:
    """Cut documents into windows of at most `max_pieces` pieces, in order of the documents.

    Whitespace tokens and tokens without a piece never become rows. Without a tokenizer every
    other token counts as one piece. Neighbouring windows share about `overlap` rows, by default
    twice `span_window`, so that a span of that length lies wholly in the window that owns its
    start. With a `span_window` of 0 each row is owned by the window that sees most around it.
    """
    overlap = 2 * span_window if overlap is None else overlap
    windows = []
    for i, rows in enumerate(_document_rows(docs, tokenizer, (max_pieces - SPECIAL_PIECES) // 2)):
        starts = np.concatenate([[0], rows.sizes.cumsum()])
        capacity = max_pieces - SPECIAL_PIECES
        for begin, end, owned in cut(rows.sizes, capacity, overlap, span_window=span_window):
            ids, piece_rows = _pieces(rows, starts, begin, end, tokenizer)
            covers = (
                int(rows.tokens[begin - 1]) + 1 if begin else 0,
                int(rows.tokens[end]) - 1 if end < len(rows.tokens) else len(docs[i]) - 1,
            )
            windows.append(Window(i, rows.tokens[begin:end], ids, piece_rows, covers, owned))
    return windows


def group_windows(windows: Sequence[AnyWindow], max_size: int) -> Iterator[list[AnyWindow]]:
    """Windows of similar length together, each group at most `max_size` when padded.

    A group never needs more memory than the largest single window may.
    """
    group: list[AnyWindow] = []
    for window in sorted(windows, key=lambda window: window.size):
        if group and window.size * (len(group) + 1) > max_size:
            yield group
            group = []
        group.append(window)
    if group:
        yield group


def padded_size(groups: Sequence[Sequence[Sized]]) -> int:
    """What the groups of `group_windows` cost: each window as much as the last of its group."""
    return sum(len(group) * group[-1].size for group in groups)


def _document_rows(
    docs: Sequence[Doc], tokenizer: PieceTokenizer | None, max_token_pieces: int
) -> Iterator[Rows]:
    visible = [[token for token in doc if not token.is_space] for doc in docs]
    indices = [np.array([token.i for token in tokens], dtype=np.int64) for tokens in visible]
    if tokenizer is None:
        for tokens in indices:
            yield Rows(tokens, np.ones_like(tokens), np.empty(0, dtype=np.int64))
        return
    encodings = tokenizer.encode([[token.text for token in tokens] for tokens in visible])
    n_cut = 0
    for tokens, encoding in zip(indices, encodings, strict=True):
        ids, sizes = word_pieces(encoding, len(tokens))
        n_cut += int((sizes > max_token_pieces).sum())
        ids, sizes = first_pieces(ids, sizes, max_token_pieces)
        yield Rows(tokens[sizes > 0], sizes[sizes > 0], ids)
    warn_of_cut(n_cut, max_token_pieces)


def word_pieces(encoding: Encoding, n_words: int) -> tuple[Ints, Ints]:
    """The pieces of a text, and how many each of its words has, which may be none."""
    ids = np.array(encoding.ids, dtype=np.int64)
    words = np.array(encoding.word_ids, dtype=np.int64)
    return ids, np.bincount(words, minlength=n_words)


def first_pieces(ids: Ints, sizes: Ints, most: int) -> tuple[Ints, Ints]:
    """The same, with no more than `most` pieces of any word."""
    if sizes.max(initial=0) <= most:
        return ids, sizes
    rank = np.arange(len(ids)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return ids[rank < most], sizes.clip(max=most)


def warn_of_cut(n_cut: int, most: int) -> None:
    """Say that words were cut, if any were."""
    if n_cut:
        warnings.warn(
            f"{n_cut} token(s) have more than {most} word pieces each; only the first "
            f"{most} of them were read. The tokens themselves were kept.",
            stacklevel=2,
        )


def cut(
    sizes: Ints, capacity: int, overlap: int, *, span_window: int
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Windows of rows [begin, end), and the rows whose spans each owns, counted from `begin`.

    sizes: (rows,) pieces of each, none over `capacity`, which is that of a window. The others are
    as in `make_windows`.
    """
    bounds = _bounds(sizes, capacity, overlap)
    owners = _owners(bounds, span_window, margin=overlap - span_window)
    for (begin, end), owned in zip(bounds, owners, strict=True):
        yield begin, end, owned


def _bounds(sizes: Ints, capacity: int, overlap: int) -> list[tuple[int, int]]:
    """Row ranges [begin, end) that hold at most `capacity` pieces and share `overlap` rows.

    Where a window has few rows, half of them are shared at most, so that windows move on. The
    last window reaches back as far as it can.
    """
    ends = np.concatenate([[0], sizes.cumsum()])
    n_rows = len(sizes)
    bounds: list[tuple[int, int]] = []
    begin = end = 0
    while end < n_rows:
        end = int(np.searchsorted(ends, ends[begin] + capacity, side="right")) - 1
        if end == n_rows:
            begin = int(np.searchsorted(ends, ends[n_rows] - capacity, side="left"))
        bounds.append((begin, end))
        begin = max(begin + 1, end - min(overlap, (end - begin) // 2))
    return bounds


def _owners(
    bounds: list[tuple[int, int]], span_window: int, *, margin: int
) -> Iterator[tuple[int, int]]:
    """For each window the rows, counted from its first, whose span starts it owns.

    A start s that two windows hold goes to the one that sees more around the longest span from s:
    the later one sees s - begin rows before it, the earlier one end - (s + longest) after it. Where
    they share less than `span_window` and `margin`, the longest spans give way by an eighth of what
    is shared: else all spans at the border would be read without what stands before them.
    """
    first = 0
    for (begin, end), following in zip_longest(bounds, bounds[1:]):
        last = end
        if following is not None:
            shared = end - following[0]
            longest = min(span_window, shared - min(margin, shared // 8))
            last = following[0] + (shared - longest) // 2
        yield first - begin, last - begin
        first = last


def _pieces(
    rows: Rows, starts: Ints, begin: int, end: int, tokenizer: PieceTokenizer | None
) -> tuple[Ints, Ints]:
    if tokenizer is None:
        return rows.piece_ids, rows.piece_ids
    ids = rows.piece_ids[starts[begin] : starts[end]]
    # The default integer has 32 bits on Windows before numpy 2, and torch's indices have 64.
    row = np.repeat(np.arange(1, end - begin + 1, dtype=np.int64), rows.sizes[begin:end])
    return np.concatenate([[tokenizer.cls_id], ids, [tokenizer.sep_id]]), np.pad(row, 1)
