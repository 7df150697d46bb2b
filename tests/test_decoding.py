"""Candidates and decoding against dense loops and a quadratic greedy decoder."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.lang.en import English
from spacy.tokens import Doc

from spacy_sener.decoding import (
    LABELS_PER_SPAN,
    OVERLAPS,
    LabelsPerSpan,
    Overlap,
    decode,
    find_candidates,
    join_candidates,
)
from spacy_sener.nn.band import valid_cells
from spacy_sener.nn.scoring import Average, span_scores
from spacy_sener.types import Candidates, SpanBand, SpanRows, Window
from spacy_sener.windows import make_windows

Cell = tuple[int, int, int, float]  # first token, last token, label, score
VOCAB = English().vocab


def as_candidates(cells: list[Cell]) -> Candidates:
    starts, ends, labels, scores = zip(*cells, strict=True) if cells else ([], [], [], [])
    ints = [np.array(column, dtype=np.int64) for column in (starts, ends, labels)]
    return Candidates(*ints, np.array(scores, dtype=np.float32))


def as_cells(candidates: Candidates) -> list[Cell]:
    columns = (candidates.starts, candidates.ends, candidates.labels, candidates.scores)
    assert len({len(column) for column in columns}) == 1
    return list(zip(*(column.tolist() for column in columns), strict=True))


# Few tokens and scores, so that clashes and ties are many. The scores are exact in any precision.
CELLS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 2), st.integers(1, 8)).map(
        lambda cell: (cell[0], cell[0] + cell[1], cell[2], cell[3] / 8)
    ),
    max_size=25,
    unique_by=lambda cell: cell[:3],
)


def clash(one: Cell, other: Cell, overlap: Overlap) -> bool:
    """Said of sets of tokens, where the code compares ends."""
    a, b = (set(range(cell[0], cell[1] + 1)) for cell in (one, other))
    if overlap == "any":
        return False
    if overlap == "flat":
        return bool(a & b)
    crossing = bool(a & b) and not a <= b and not b <= a
    return crossing and not (overlap == "released" and len(a & b) == 1)


def greedy(cells: list[Cell], overlap: Overlap, labels_per_span: LabelsPerSpan) -> list[Cell]:
    kept: list[Cell] = []
    for cell in sorted(cells, key=lambda cell: (-cell[3], cell[0], -cell[1], cell[2])):
        if any(clash(cell, other, overlap) for other in kept):
            continue
        if labels_per_span == "one" and any(cell[:2] == other[:2] for other in kept):
            continue
        kept.append(cell)
    return sorted(kept, key=lambda cell: (cell[0], -cell[1], cell[2]))


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("labels_per_span", LABELS_PER_SPAN)
@settings(max_examples=150)
@given(cells=CELLS)
def test_equals_the_quadratic_decoder(
    overlap: Overlap, labels_per_span: LabelsPerSpan, cells: list[Cell]
) -> None:
    kept = decode(as_candidates(cells), overlap=overlap, labels_per_span=labels_per_span)
    assert as_cells(kept) == greedy(cells, overlap, labels_per_span)


@settings(max_examples=30)
@given(cells=CELLS, data=st.data())
def test_the_order_of_the_candidates_does_not_matter(
    cells: list[Cell], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(cells))
    assert as_cells(decode(as_candidates(shuffled))) == as_cells(decode(as_candidates(cells)))


def test_the_modes_on_one_text() -> None:
    """Nested [0, 5] > [1, 2]; [2, 4] crosses [1, 2] at one token; [4, 7] crosses [0, 5]."""
    cells = [(0, 5, 0, 0.9), (1, 2, 0, 0.8), (2, 4, 1, 0.7), (4, 7, 0, 0.95), (1, 2, 1, 0.6)]
    found = {
        overlap: [cell[:3] for cell in as_cells(decode(as_candidates(cells), overlap=overlap))]
        for overlap in ("nested", "flat", "any", "released")
    }
    assert found["nested"] == [(1, 2, 0), (1, 2, 1), (4, 7, 0)]
    assert found["flat"] == [(1, 2, 0), (4, 7, 0)]
    assert found["released"] == [(1, 2, 0), (1, 2, 1), (2, 4, 1), (4, 7, 0)]
    assert len(found["any"]) == 5


def test_nothing_to_decode() -> None:
    for overlap in ("nested", "flat", "any", "released"):
        for labels_per_span in ("many", "one"):
            empty = decode(join_candidates([]), overlap=overlap, labels_per_span=labels_per_span)
            assert as_cells(empty) == []


def test_many_long_spans_are_decoded_fast() -> None:
    """50,000 candidates: the quadratic decoder would compare 10^9 pairs."""
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 20_000, 50_000)
    ends = starts + rng.integers(0, 128, 50_000)
    scores = rng.random(50_000, dtype=np.float32)
    found = decode(Candidates(starts, ends, np.zeros_like(starts), scores))
    assert 0 < len(found.starts) < 50_000


def test_the_released_mode_is_the_authors_decoder(golden: Path) -> None:
    """Their priority is read from the wrong cell, row s and column e - s; given it, we agree."""
    cases = json.loads((golden / "decode.json").read_text())["decode"]
    tables = np.load(golden / "decode_tables.npz")
    cases = [case for case in cases if case["allow_nested"]]
    assert len(cases) == 10
    for case in cases:
        table, window, n_words = tables[case["table"]], case["window"], case["word_len"]
        hits = [
            (table[start, distance], start, distance)
            for start in range(n_words)
            for distance in range(min(window, n_words - 1 - start) + 1)
            if table[start, window + distance] >= case["threshold"]
        ]
        # They take the highest first, the later and longer one on a tie: ranks have no ties.
        cells = [
            (start, start + distance, 0, float(rank))
            for rank, (_, start, distance) in enumerate(sorted(hits))
        ]
        kept = as_cells(decode(as_candidates(cells), overlap="released"))
        assert sorted([start, end] for start, end, _, _ in kept) == sorted(case["spans"])


def random_band(windows: list[Window], span_window: int, n_labels: int, seed: int) -> SpanBand:
    """Logits everywhere, in cells outside of the text and rows of padding too."""
    lengths = torch.tensor([len(window.tokens) for window in windows])
    shape = (len(windows), int(lengths.max()), 2 * span_window + 1, n_labels)
    logits = 2 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return SpanBand(windows, logits, lengths, logits.shape[2] // 2)


def scored(band: SpanBand, average: Average = "logits", step: int = 3) -> Iterator[SpanRows]:
    """The band's probabilities, some rows at a time."""
    n_rows = band.logits.shape[1]
    valid = valid_cells(band.lengths, n_rows, band.span_window)
    scores = span_scores(band.logits, None, valid, average=average)
    for first_row in range(0, n_rows, step):
        yield SpanRows(band.windows, first_row, scores[:, first_row : first_row + step])


def candidates_of(
    band: SpanBand, threshold: float, average: Average = "logits"
) -> list[tuple[int, Candidates]]:
    parts = [find_candidates(rows, threshold=threshold) for rows in scored(band, average)]
    return [part for found in parts for part in found]


def dense_candidates(band: SpanBand, threshold: float, average: Average) -> dict[int, set[Cell]]:
    def sigmoid(x: float) -> float:
        return float(1 / (1 + np.exp(-x)))

    found: dict[int, set[Cell]] = {window.doc: set() for window in band.windows}
    for window, logits in zip(band.windows, band.logits.double().numpy(), strict=True):
        for i in range(*window.owned):
            for j in range(i, min(i + band.span_window + 1, len(window.tokens))):
                pairs = zip(
                    logits[i, band.span_window + j - i],
                    logits[j, band.span_window + i - j],
                    strict=True,
                )
                for label, (upper, lower) in enumerate(pairs):
                    if average == "logits":
                        score = sigmoid((upper + lower) / 2)
                    else:
                        score = (sigmoid(upper) + sigmoid(lower)) / 2
                    if score >= threshold:
                        cell = (int(window.tokens[i]), int(window.tokens[j]), label, score)
                        found[window.doc].add(cell)
    return found


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("span_window", [0, 1, 4])
def test_candidates_are_those_of_a_dense_loop(
    average: Average, threshold: float, span_window: int
) -> None:
    words = ["a", "b", "\n", "c", "d", "e", "f", " ", "g", "h", "i", "j", "k"]
    docs = [Doc(VOCAB, words=words * 2), Doc(VOCAB, words=["a"]), Doc(VOCAB, words=words)]
    windows = make_windows(docs, None, max_pieces=14, span_window=span_window)
    assert [window.doc for window in windows][:2] == [0, 0]
    band = random_band(windows, span_window, n_labels=3, seed=span_window)
    found: dict[int, list[Cell]] = {i: [] for i in range(len(docs))}
    for i, candidates in candidates_of(band, threshold, average):
        found[i].extend(as_cells(candidates))
    for i, expected in dense_candidates(band, threshold, average).items():
        ours = sorted(found[i])
        theirs = sorted(expected)
        assert [cell[:3] for cell in ours] == [cell[:3] for cell in theirs]
        np.testing.assert_allclose([c[3] for c in ours], [c[3] for c in theirs], atol=1e-6)


def test_each_span_is_found_once_in_overlapping_windows() -> None:
    """With every cell a hit, each span of a text in many windows comes from one of them."""
    span_window, n_tokens = 4, 60
    doc = Doc(VOCAB, words=["a"] * n_tokens)
    windows = make_windows([doc], None, max_pieces=18, span_window=span_window)
    assert len(windows) > 4
    band = random_band(windows, span_window, n_labels=1, seed=0)
    parts = [c for _, c in candidates_of(band, 0.0)]
    spans = [cell[:2] for cell in as_cells(join_candidates(parts))]
    expected = [(i, j) for i in range(n_tokens) for j in range(i, min(i + 5, n_tokens))]
    assert sorted(spans) == expected


def test_no_candidates() -> None:
    [window] = make_windows([Doc(VOCAB, words=["a", "b"])], None, max_pieces=14, span_window=2)
    band = SpanBand([window], torch.full((1, 2, 5, 3), -9.0), torch.tensor([2]), 2)
    assert candidates_of(band, 0.5) == []


def test_a_probability_on_the_threshold_counts() -> None:
    [window] = make_windows([Doc(VOCAB, words=["a"])], None, max_pieces=14, span_window=2)
    band = SpanBand([window], torch.zeros(1, 1, 5, 1), torch.tensor([1]), 2)
    [(_, candidates)] = candidates_of(band, 0.5)
    assert as_cells(candidates) == [(0, 0, 0, 0.5)]
