"""The evidence of tokens for spans: against loops in float64, outputs and gradients."""

import pytest
import torch
from dense_span_table import boundary_logit
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spacy_sener.nn import boundaries
from spacy_sener.nn.boundaries import (
    PAIR_SIZE,
    Boundaries,
    Evidence,
    band_logits,
    boundary_loss,
    long_spans,
    pair_logits,
    read,
)

N_LABELS = 2


def make_evidence(n_texts: int, n_tokens: int, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return torch.randn(n_texts, n_tokens, 3 * N_LABELS + 2 * PAIR_SIZE, dtype=torch.float64)


def dense(evidence: Evidence, text: int, first: int, last: int, *, paired: bool) -> Tensor:
    """x of one span, (N_LABELS,), as the formula has it."""
    x = boundary_logit(evidence.marks[text], first, last)
    if paired:
        x = x + (evidence.queries[text, first] * evidence.keys[text, last]).sum() / PAIR_SIZE**0.5
    return x


def test_the_evidence_is_what_its_parts_say() -> None:
    torch.manual_seed(0)
    module = Boundaries(5, N_LABELS, dropout=0.0).double()
    prior = torch.rand(3, N_LABELS, dtype=torch.float64)
    module.set_prior(prior)
    tokens = torch.randn(2, 4, 5, dtype=torch.float64)
    evidence = read(module(tokens))
    weight = module.marks.weight.view(3, N_LABELS, 5)
    expected = torch.einsum("btk,mrk->btmr", tokens, weight) + prior.logit()
    torch.testing.assert_close(evidence.marks, expected)
    both = tokens @ module.pairs.weight.T + module.pairs.bias
    torch.testing.assert_close(torch.cat([evidence.queries, evidence.keys], -1), both)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    module, tokens = Boundaries(5, N_LABELS, dropout=0.5), torch.randn(1, 6, 5)
    assert not torch.equal(module(tokens), module(tokens))
    module.eval()
    assert torch.equal(module(tokens), module(tokens))


@settings(max_examples=25)
@given(
    n_tokens=st.integers(1, 9),
    window=st.integers(0, 6),
    cut=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_the_band_is_the_formula_in_both_triangles(
    n_tokens: int, window: int, cut: int, seed: int
) -> None:
    evidence = make_evidence(2, n_tokens, seed).requires_grad_()
    marks, same = read(evidence).marks, read(evidence.detach().clone().requires_grad_())
    bounds = [(i, min(i + cut, n_tokens)) for i in range(0, n_tokens, cut)]
    band = torch.cat([band_logits(marks, *each, window) for each in bounds], dim=1)
    assert band.shape == (2, n_tokens, 2 * window + 1, N_LABELS)
    valid = [
        (text, i, j)
        for text in range(2)
        for i in range(n_tokens)
        for j in range(max(0, i - window), min(n_tokens, i + window + 1))
    ]
    found = torch.stack([band[text, i, j - i + window] for text, i, j in valid])
    expected = torch.stack(
        [dense(same, text, min(i, j), max(i, j), paired=False) for text, i, j in valid]
    )
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(found)
    (gradient,) = torch.autograd.grad((found * weight).sum(), [marks])
    (reference,) = torch.autograd.grad((expected * weight).sum(), [same.marks])
    torch.testing.assert_close(gradient, reference)


def try_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(boundaries, "GATE", 0.0)
    patch.setattr(boundaries, "SHARE_TRIED", 1.0)


def far_pairs(n_tokens: int, window: int, reach: int) -> list[tuple[int, int]]:
    pairs = [(i, j) for i in range(n_tokens) for j in range(n_tokens)]
    return [(i, j) for i, j in pairs if window < j - i <= reach]


def test_without_a_gate_all_far_pairs_are_scored() -> None:
    evidence = read(make_evidence(2, 12))
    with pytest.MonkeyPatch.context() as patch:
        try_everything(patch)
        found = long_spans(evidence, 1, 10, window=2, reach=6)
    scores = {tuple(key): score for *key, score in zip(*(x.tolist() for x in found), strict=True)}
    pairs = far_pairs(10, 2, 6)
    assert set(scores) == {(i, j, r) for i, j in pairs for r in range(N_LABELS)}
    for i, j in pairs:
        expected = dense(evidence, 1, i, j, paired=True).sigmoid().tolist()
        assert [scores[i, j, r] for r in range(N_LABELS)] == pytest.approx(expected, abs=1e-12)


def test_the_gate_keeps_likely_ends_alone() -> None:
    evidence = make_evidence(1, 40)
    marks = read(evidence).marks
    marks[0, :, :2] = -9.0
    marks[0, [3, 8], 0, 1] = 2.0
    marks[0, [5, 30, 39], 1, 0] = 1.0
    starts, ends, labels, _ = long_spans(read(evidence), 0, 39, window=4, reach=30)
    pairs = set(zip(starts.tolist(), ends.tolist(), strict=True))
    # (3, 5) is short, and the token 39 is not of the text.
    assert pairs == {(3, 30), (8, 30)}
    assert sorted(labels.tolist()) == [0, 0, 1, 1]


def test_no_more_tokens_are_tried_than_allowed() -> None:
    evidence = make_evidence(1, 400)
    read(evidence).marks[:, :, :2] = 9.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "MOST_TRIED", 7)
        starts, ends, *_ = long_spans(read(evidence), 0, 400, window=0, reach=400)
    assert len(starts.unique()) <= 7
    assert len(ends.unique()) <= 7


def test_no_token_passes_the_gate() -> None:
    evidence = make_evidence(1, 20)
    read(evidence).marks[:, :, :2] = -9.0
    assert all(len(each) == 0 for each in long_spans(read(evidence), 0, 20, window=2, reach=9))


@settings(max_examples=20)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    window=st.integers(0, 4),
    extra=st.integers(0, 5),
    smoothing=st.sampled_from([0.0, 0.2, 1.0]),
    data=st.data(),
)
def test_the_loss_is_that_of_loops_with_gradients(
    lengths: list[int], window: int, extra: int, smoothing: float, data: st.DataObject
) -> None:
    n_tokens, reach = max(lengths), window + extra
    spans = [
        (text, i, j, r)
        for text, length in enumerate(lengths)
        for i in range(length)
        for j in range(i, min(length, i + reach + 1))
        for r in range(N_LABELS)
    ]
    gold = data.draw(st.lists(st.sampled_from(spans), max_size=4, unique=True))
    marked = (torch.rand(len(lengths), n_tokens, 3, N_LABELS) < 0.3).double()
    evidence = make_evidence(len(lengths), n_tokens).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        try_everything(patch)
        loss = boundary_loss(
            read(evidence),
            torch.tensor(lengths),
            marked,
            torch.tensor(gold, dtype=torch.long).view(-1, 4),
            window=window,
            reach=reach,
            label_smoothing=smoothing,
        )
    yes = 1 - smoothing / 2
    expected = torch.zeros((), dtype=torch.float64)
    for text, length in enumerate(lengths):
        p = read(evidence).marks[text, :length].sigmoid()
        y = yes * marked[text, :length]
        costs = -(y * p.log() + (1 - y) * (1 - p).log())
        expected = expected + costs[:, :2].sum() + costs[:, 2].sum() / 10
        for i, j in far_pairs(length, window, reach):
            x = dense(read(evidence), text, i, j, paired=True)
            for r in range(N_LABELS):
                q = x[r].sigmoid()
                t = yes if (text, i, j, r) in gold else 0
                expected = expected - t * q.log() - (1 - t) * (1 - q).log()
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, [evidence], retain_graph=True)
    (reference,) = torch.autograd.grad(expected, [evidence])
    torch.testing.assert_close(gradient, reference)


def test_a_gold_span_is_learned_though_no_gate_lets_it_pass() -> None:
    evidence = make_evidence(1, 40).requires_grad_()
    with torch.no_grad():
        read(evidence).marks[0, [3, 30], :2] = -20.0
    gold = torch.tensor([[0, 3, 30, 1]])
    marked = torch.zeros(1, 40, 3, N_LABELS, dtype=torch.float64)
    loss = boundary_loss(read(evidence), torch.tensor([40]), marked, gold, window=4, reach=35)
    (gradient,) = torch.autograd.grad(loss, [evidence])
    assert read(gradient).queries[0, 3].abs().sum() > 0
    assert read(gradient).keys[0, 30].abs().sum() > 0


def test_random_texts_in_single_precision_agree_with_double() -> None:
    """Sums over a long text lose no digits that matter."""
    evidence = make_evidence(1, 3000)
    double = band_logits(read(evidence).marks - 5, 0, 3000, 16)
    single = band_logits(read(evidence.float()).marks - 5, 0, 3000, 16)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, atol=2e-5, rtol=0)


def test_a_cell_is_the_same_in_whatever_strip_it_is_read() -> None:
    """Though all tokens look like ends, so that what is summed from the strip's start is large."""
    marks = read(make_evidence(1, 4000)).marks + 8
    double, single = (band_logits(x, 0, 4000, 64) for x in (marks, marks.float()))
    near = double.abs() < 30
    assert near.any()
    torch.testing.assert_close(single.double()[near], double[near], atol=1e-5, rtol=0)
    later = band_logits(marks.float(), 3000, 4000, 64)
    torch.testing.assert_close(later, single[:, 3000:], atol=1e-5, rtol=1e-6)


def test_half_precision_around_it_takes_no_digits() -> None:
    evidence, tokens = read(make_evidence(1, 20).float()), torch.arange(20)
    exact = pair_logits(evidence, 0, tokens, tokens)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(pair_logits(evidence, 0, tokens, tokens), exact)


def test_the_odds_of_the_labels_lead_at_first() -> None:
    torch.manual_seed(0)
    module = Boundaries(64, 5, dropout=0.0)
    prior = torch.full((3, 5), 0.01)
    module.set_prior(prior)
    marks = read(module(torch.randn(1, 200, 64))).marks
    assert (marks - prior.logit()).std() < 0.2
