"""One name for each thing that crosses a boundary between the parts."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)  # a window is itself only: arrays have no plain equality
class Window:
    """A stretch of one document that the network sees at once.

    Rows are the tokens that give at least one word piece, in order of the text; the span table is
    over rows. Every span start of a document is owned by exactly one of its windows.
    """

    doc: int  # position of the document in its batch
    tokens: Ints  # (rows,) spaCy token index of each row
    piece_ids: Ints  # (pieces,) word pieces, special ones included; empty without a tokenizer
    piece_rows: Ints  # (pieces,) 1-based row of each piece, 0 for special pieces
    covers: tuple[int, int]  # first and last token, those beside the rows that are no rows included
    owned: tuple[int, int]  # rows [begin, end) whose span starts belong to this window

    @property
    def size(self) -> int:
        """What the window costs: its pieces, or its rows where there are no pieces."""
        return len(self.piece_ids) or len(self.tokens)


@dataclass(frozen=True)
class SpanBand:
    """The whole span table of some windows, as the network answers it in training."""

    windows: list[Window]
    logits: torch.Tensor  # (windows, rows, 2 * span_window + 1, labels)
    lengths: torch.Tensor  # (windows,) rows of each window
    reach: int  # longest distance, in rows, between the ends of a span, in the table or beyond
    evidence: torch.Tensor | None = None  # of `nn.boundaries.Boundaries`, if the network has them

    @property
    def span_window(self) -> int:
        """Longest distance, in rows, between the ends of a span in the table."""
        return self.logits.shape[2] // 2


@dataclass(frozen=True)
class SpanRows:
    """Some rows of the span tables of some windows, as the network answers them in prediction."""

    windows: list[Window]
    first_row: int
    scores: torch.Tensor
    """(windows, rows, distances, labels): probability of the span from a row to the one that lies
    0, 1, 2, ... further on; 0 where that is not in the text."""


@dataclass(frozen=True)
class SpanPairs:
    """Spans of one window that are longer than the table's, as the network answers them."""

    window: Window
    starts: torch.Tensor  # (spans,) first row; as of the others
    ends: torch.Tensor  # last row, inclusive
    labels: torch.Tensor
    scores: torch.Tensor  # probabilities


@dataclass(frozen=True)
class Candidates:
    """Scored spans of one document: parallel arrays of one length."""

    starts: Ints  # first token
    ends: Ints  # last token, inclusive
    labels: Ints
    scores: Floats  # probabilities


@dataclass(frozen=True)
class Found:
    """A span in the words of a task, which stand before a text."""

    start_char: int  # in the task
    end_char: int  # exclusive
    label: str
    score: float  # probability


@dataclass(frozen=True)
class Initialization:
    """What a model must know of the data before its first update."""

    n_labels: int
    prior: Floats  # (n_labels,) how often a cell of the span table carries each label
    mark_prior: Floats  # (3, n_labels) how often a token is a start, an end, an inside of it
    encoder: str  # where pretrained weights come from: a hub name, a folder or "package:NAME"
