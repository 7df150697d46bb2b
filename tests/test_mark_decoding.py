"""Marks to spans against gliner's answers and a quadratic decoder written as theirs."""

import itertools
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden_gliner import CASES, read_case
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener import mark_decoding
from spacy_sener.decoding import LabelsPerSpan, Overlap
from spacy_sener.flat_marks import FlatMarks
from spacy_sener.mark_decoding import decode_marks, marked_spans, spans_of_tokens
from spacy_sener.types import Candidates
from spacy_sener.words import Words

Cell = tuple[int, int, int, float]  # first word, last word, label, score


def as_cells(candidates: Candidates) -> list[Cell]:
    columns = (candidates.starts, candidates.ends, candidates.labels, candidates.scores)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def clash(one: Cell, other: Cell, overlap: str, labels_per_span: str) -> bool:
    if one[:2] == other[:2]:
        return labels_per_span == "one"
    a, b = (set(range(cell[0], cell[1] + 1)) for cell in (one, other))
    if overlap == "any" or not a & b:
        return False
    return overlap == "flat" or not (a <= b or b <= a)


def quadratic(
    marks: Any,
    *,
    threshold: float,
    overlap: str,
    labels_per_span: str,
    span_score: str,
) -> list[Cell]:
    """Pairs every start with every end, and every candidate with every kept one."""
    n_words, n_labels, _ = marks.shape
    start, end, inside = marks.transpose(2, 0, 1)
    cells = []
    for first, label in itertools.product(range(n_words), range(n_labels)):
        for last in range(first, n_words):
            insides = inside[first : last + 1, label]
            if start[first, label] <= threshold or end[last, label] <= threshold:
                continue
            if (insides < threshold).any():
                continue
            lowest = min(*insides, start[first, label], end[last, label])
            score = lowest if span_score == "min" else insides.mean(dtype=np.float64)
            cells.append((first, last, label, float(np.float32(score))))
    kept: list[Cell] = []
    for cell in sorted(cells, key=lambda cell: -cell[3]):
        if not any(clash(cell, other, overlap, labels_per_span) for other in kept):
            kept.append(cell)
    return sorted(kept, key=lambda cell: (cell[0], -cell[1], cell[2]))


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """Few different probabilities, so that ties, the threshold itself and long runs are many.

    In some, ends rise from word to word.
    """
    shape = draw(st.integers(0, 9)), draw(st.integers(0, 3)), 3
    values = st.sampled_from([1, 4, 5, 6, 7, 8, 8])
    flat = draw(st.lists(values, min_size=prod(shape), max_size=prod(shape)))
    marks = (np.array(flat, dtype=np.float32) / 8).reshape(shape)
    if draw(st.booleans()):
        marks[..., 1].sort(axis=0)
    return marks


@pytest.mark.parametrize("overlap", ["flat", "nested", "any"])
@pytest.mark.parametrize("labels_per_span", ["one", "many"])
@pytest.mark.parametrize("span_score", ["min", "mean"])
@settings(max_examples=100)
@given(
    marks=documents(),
    threshold=st.sampled_from([0.0, 0.5, 0.75]),
)
def test_spans_are_those_of_the_quadratic_decoder(
    marks: Any, threshold: float, overlap: Any, labels_per_span: Any, span_score: Any
) -> None:
    options = {
        "threshold": threshold,
        "overlap": overlap,
        "labels_per_span": labels_per_span,
        "span_score": span_score,
    }
    kept = decode_marks(marks, **options)
    expected = quadratic(marks, **options)
    assert as_cells(kept) == expected


@pytest.mark.parametrize("name", [name for name in CASES if name != "c17_input_spans"])
def test_entities_are_the_authors(golden_gliner: Path, name: str) -> None:
    case = read_case(golden_gliner, name)
    about = case.about
    marks = torch.tensor(case.arrays["logits"]).sigmoid().numpy()
    assert not any(about["entities"][i] for i in range(len(about["texts"])) if i not in case.texts)
    for row, i in enumerate(case.texts):
        words = about["words"][i]
        kept = decode_marks(
            marks[row, : case.arrays["text_lengths"][row, 0]],
            threshold=about["threshold"],
            overlap="flat" if about["flat_ner"] else "nested",
            labels_per_span="many" if about["multi_label"] else "one",
        )
        found = {
            (words[start][1], words[end][2], case.labels[label]): score
            for start, end, label, score in as_cells(kept)
        }
        expected = {(e["start"], e["end"], e["label"]): e["score"] for e in about["entities"][i]}
        assert found == pytest.approx(expected, abs=1e-6)


def test_the_mean_of_the_paper_does_not_look_at_the_ends() -> None:
    """Two words, and the span of both."""
    starts, ends, insides = [0.9, 0.7], [0.6, 0.8], [0.9, 0.95]
    marks = np.array([starts, ends, insides], dtype=np.float32).T[:, None]
    lowest, mean = (
        [cell[:3] for cell in as_cells(decode_marks(marks, span_score=score))]
        for score in ("min", "mean")
    )
    assert lowest == [(0, 1, 0)]  # 0.8; the words by themselves have 0.6 and 0.7
    assert mean == [(0, 0, 0), (1, 1, 0)]  # 0.9 and 0.95; both have 0.925


def test_a_text_in_which_everything_is_marked_has_few_candidates() -> None:
    """All pairs of words would be eight million candidates."""
    marks = 0.5 + np.random.default_rng(0).random((2000, 4, 3), dtype=np.float32) / 2
    kept = decode_marks(marks)
    tokens = np.concatenate([np.arange(s, e + 1) for s, e, _, _ in as_cells(kept)])
    assert len(tokens) == len(set(tokens.tolist()))
    assert len(tokens) > 1000


@pytest.mark.parametrize("n_labels", [1, 3])
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_ends_that_rise_throughout_a_text_have_few_candidates(n_labels: int, noise: float) -> None:
    """From every start, each end is better than the one before: half a million spans."""
    generator, n_words = np.random.default_rng(0), 1000
    marks = generator.uniform(0.91, 0.99, (n_words, n_labels, 3)).astype(np.float32)
    ends = np.linspace(0.6, 0.9, n_words)[:, None]
    marks[:, :, 1] = ends + generator.normal(0, noise, (n_words, n_labels))
    starts, _ = FlatMarks(marks, 0.5).promising_pairs()
    assert len(starts) <= 2 * n_words * n_labels
    (best, *others) = as_cells(decode_marks(marks))
    assert best[:2] == (0, marks[:, :, 1].max(axis=1).argmax())
    assert best[3] == marks[:, :, 1].max()
    assert not others or noise


def kept_of(marks: Any, overlap: Overlap) -> list[Cell]:
    return as_cells(decode_marks(marks, threshold=0.5, overlap=overlap))


@pytest.mark.parametrize("overlap", ["nested", "any"])
def test_of_too_many_spans_the_best_are_compared(
    overlap: Overlap, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = np.random.default_rng(0).uniform(0.6, 0.9, (60, 2, 3)).astype(np.float32)
    everything = kept_of(marks, overlap)
    monkeypatch.setattr(mark_decoding, "MOST_CANDIDATES", 200)
    monkeypatch.setattr(mark_decoding, "MOST_PER_WORD", 0)
    with pytest.warns(UserWarning, match=r"60 words has 3660 spans over the threshold 0.5"):
        bounded = kept_of(marks, overlap)
    lowest = min(score for *_, score in bounded)
    # What is kept does not depend on what has a lower score.
    assert bounded == [cell for cell in everything if cell[-1] >= lowest]
    assert 20 < len(bounded) < len(everything)


def test_of_too_many_spans_that_tie_the_short_ones_are_taken() -> None:
    with pytest.warns(UserWarning, match="spans over the threshold"):
        found = kept_of(np.ones((2000, 1, 3), dtype=np.float32), "nested")
    assert [cell[:2] for cell in found] == [(word, word) for word in range(2000)]


def test_an_unknown_score_is_named() -> None:
    with pytest.raises(ValueError, match=r"'span_score' must be one of .*got 'max'"):
        decode_marks(np.zeros((1, 1, 3), dtype=np.float32), span_score="max")  # type: ignore[arg-type]


@pytest.mark.parametrize("overlap", ["flat", "nested", "any"])
@pytest.mark.parametrize("labels_per_span", ["one", "many"])
def test_labels_apart_are_each_as_if_alone(
    overlap: Overlap, labels_per_span: LabelsPerSpan
) -> None:
    """And lie in order of the text, then of the labels."""
    marks = np.random.default_rng(0).random((12, 3, 3), dtype=np.float32)
    first = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 8])  # tokens of one word or two
    words = Words(["w"] * 12, first, first)
    settings: dict[str, Any] = {
        "threshold": 0.3,
        "overlap": overlap,
        "labels_per_span": labels_per_span,
        "span_score": "min",
    }
    apart = as_cells(marked_spans(marks, words, labels_apart=True, **settings))
    alone = [
        (start, end, label, score)
        for label in range(3)
        for start, end, _, score in as_cells(
            marked_spans(marks[:, label : label + 1], words, **settings)
        )
    ]
    assert apart == sorted(alone, key=lambda cell: (cell[0], -cell[1], cell[2]))
    together = as_cells(marked_spans(marks, words, **settings))
    assert (len(together) < len(apart)) == (overlap != "any" or labels_per_span == "one")


@st.composite
def found_in_words(draw: st.DrawFn) -> tuple[Candidates, Words, str, str]:
    """What `decode_marks` found, and words that are finer or coarser than tokens."""
    first = np.cumsum(draw(st.lists(st.integers(0, 2), min_size=1, max_size=8)))
    last = np.minimum(first + draw(st.integers(0, 2)), [*first[1:], first[-1] + 2])
    probability = st.sampled_from([0.1, 0.6, 0.7, 0.8, 0.9])
    marks = draw(st.lists(probability, min_size=len(first) * 6, max_size=len(first) * 6))
    overlap = draw(st.sampled_from(["flat", "nested", "any"]))
    labels_per_span = draw(st.sampled_from(["one", "many"]))
    found = decode_marks(
        np.array(marks, dtype=np.float32).reshape(-1, 2, 3),
        overlap=overlap,
        labels_per_span=labels_per_span,
    )
    return found, Words(["x"] * len(first), first, last), overlap, labels_per_span


@given(case=found_in_words())
def test_spans_of_tokens(case: tuple[Candidates, Words, str, str]) -> None:
    found, words, overlap, labels_per_span = case
    kept = spans_of_tokens(found, words, overlap=overlap, labels_per_span=labels_per_span)
    cells = as_cells(kept)
    expanded: dict[tuple[int, int, int], float] = {}
    for start, end, label, score in as_cells(found):
        place = int(words.first[start]), int(words.last[end]), label
        expanded[place] = max(score, expanded.get(place, 0))
    for cell in cells:
        assert expanded[cell[:3]] == cell[3]
    for one, other in itertools.combinations(cells, 2):
        assert one[:3] != other[:3]
        assert not clash(one, other, overlap, labels_per_span)
    for place in expanded.keys() - {cell[:3] for cell in cells}:  # only for a better one
        lost = (*place, expanded[place])
        better = [cell for cell in cells if cell[3] >= lost[3]]
        assert any(clash(lost, cell, overlap, labels_per_span) for cell in better)
