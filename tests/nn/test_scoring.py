"""Probabilities and loss against dense double-precision references."""

import dense_span_table as dense
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.nn.band import valid_cells
from spacy_sener.nn.scoring import span_loss, span_scores


def make_tables(lengths: list[int], window: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Dense logits of every text, and the same as a batch of bands with noise where not valid."""
    tables = [torch.randn(n, n, 3, dtype=torch.float64, requires_grad=True) for n in lengths]
    n_tokens = max(lengths)
    bands = torch.stack([dense.band_of(table, window, n_tokens) for table in tables])
    filled = bands.detach().abs().sum(-1, keepdim=True) > 0
    return tables, torch.where(filled, bands, torch.randn_like(bands)).detach()


texts = {
    "lengths": st.lists(st.integers(1, 9), min_size=1, max_size=3),
    "window": st.integers(0, 5),
    "data": st.data(),
}


@st.composite
def gold_spans(draw: st.DrawFn, lengths: list[int], window: int) -> list[tuple[int, ...]]:
    spans = []
    for _ in range(draw(st.integers(0, 6))):
        text = draw(st.integers(0, len(lengths) - 1))
        start = draw(st.integers(0, lengths[text] - 1))
        end = draw(st.integers(start, min(lengths[text] - 1, start + window)))
        spans.append((text, start, end, draw(st.integers(0, 2))))
    return spans + spans[:1]  # one of them twice


@pytest.mark.parametrize(("label_smoothing", "target"), [(0.0, 1.0), (0.2, 0.9), (1.0, 0.5)])
@settings(max_examples=30)
@given(**texts)
def test_loss_equals_binary_cross_entropy(
    label_smoothing: float, target: float, lengths: list[int], window: int, data: st.DataObject
) -> None:
    tables, bands = make_tables(lengths, window)
    bands.requires_grad_()
    gold = data.draw(gold_spans(lengths, window))
    rows = torch.tensor(gold, dtype=torch.long).view(-1, 4)
    loss = span_loss(bands, torch.tensor(lengths), rows, label_smoothing=label_smoothing)
    expected = dense.loss(tables, window, gold, target_of_gold=target)
    torch.testing.assert_close(loss, expected)

    loss.backward()
    expected.backward()
    grads = [dense.band_of(table.grad, window, max(lengths)) for table in tables]
    torch.testing.assert_close(bands.grad, torch.stack(grads))


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@settings(max_examples=15)
@given(**texts)
def test_scores_are_the_mean_of_both_cells(
    average: str, lengths: list[int], window: int, data: st.DataObject
) -> None:
    tables, bands = make_tables(lengths, window)
    valid = valid_cells(torch.tensor(lengths), max(lengths), window)
    scores = span_scores(bands, None, valid, average=average)
    assert scores.shape == (len(lengths), max(lengths), window + 1, 3)
    expected = torch.zeros_like(scores)
    for text, table in enumerate(tables):
        for i in range(len(table)):
            for j in range(i, min(len(table), i + window + 1)):
                one, other = table[i, j], table[j, i]
                mean = (
                    ((one + other) / 2).sigmoid()
                    if average == "logits"
                    else (one.sigmoid() + other.sigmoid()) / 2
                )
                expected[text, i, j - i] = mean
    torch.testing.assert_close(scores, expected, atol=1e-6, rtol=0, check_dtype=False)


def test_half_precision_logits_give_a_full_precision_loss() -> None:
    logits = torch.randn(1, 9, 5, 2).bfloat16()
    gold = torch.tensor([[0, 1, 2, 1]])
    loss = span_loss(logits, torch.tensor([9]), gold)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, span_loss(logits.float(), torch.tensor([9]), gold))


def test_unknown_average_is_named() -> None:
    with pytest.raises(ValueError, match="average is 'mean'"):
        span_scores(torch.zeros(1, 2, 3, 1), None, None, average="mean")
