"""The loss of starts, ends and insides against the authors' form, cell by cell."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.nn.mark_loss import MarkLoss, mark_loss, mark_targets

N_WORDS, N_LABELS = 5, 3
LENGTHS = st.lists(
    st.tuples(st.integers(0, N_WORDS), st.integers(0, N_LABELS)), min_size=1, max_size=3
)


def dense(logits, lengths, gold, options: MarkLoss):
    """As upstream writes it, with the probabilities themselves; its clamp at 1e-6 left out."""
    total = torch.zeros((), dtype=torch.float64)
    for text, (n_words, n_labels) in enumerate(lengths):
        for word in range(n_words):
            for label in range(n_labels):
                spans = [(s, e) for t, s, e, r in gold if (t, r) == (text, label)]
                marked = (
                    any(s == word for s, _ in spans),
                    any(e == word for _, e in spans),
                    any(s <= word <= e for s, e in spans),
                )
                for kind in range(3):
                    p = logits[text, word, label, kind].sigmoid()
                    y = float(marked[kind])
                    y = y * (1 - options.label_smoothing) + options.label_smoothing / 2
                    cost = -y * p.log() - (1 - y) * (1 - p).log()
                    p_t = p * y + (1 - p) * (1 - y)
                    if options.gamma > 0:
                        cost = cost * (1 - p_t) ** options.gamma
                    if options.alpha is not None:
                        cost = cost * (options.alpha * y + (1 - options.alpha) * (1 - y))
                    total = total + cost
    return total


@st.composite
def gold_spans(draw, lengths):
    spans = []
    for text, (n_words, n_labels) in enumerate(lengths):
        if not n_words * n_labels:
            continue
        for _ in range(draw(st.integers(0, 4))):
            start = draw(st.integers(0, n_words - 1))
            end = draw(st.integers(start, n_words - 1))
            spans.append((text, start, end, draw(st.integers(0, n_labels - 1))))
    return spans + spans[:1]  # one of them twice


@settings(max_examples=60)
@given(
    lengths=LENGTHS,
    alpha=st.sampled_from([None, 0.0, 0.25, 0.75]),
    gamma=st.sampled_from([0.0, 1.0, 2.0]),
    label_smoothing=st.sampled_from([0.0, 0.01, 0.2]),
    data=st.data(),
)
def test_loss_and_gradients_equal_the_dense_form(lengths, data, **options):
    options = MarkLoss(**options)
    gold = data.draw(gold_spans(lengths))
    generator = torch.Generator().manual_seed(len(gold))
    logits = torch.randn(len(lengths), N_WORDS, N_LABELS, 3, generator=generator).double() * 3
    logits.requires_grad_()
    rows = torch.tensor(gold, dtype=torch.long).view(-1, 4)
    word_lengths, label_lengths = torch.tensor(lengths).unbind(1)
    loss = mark_loss(logits, word_lengths, label_lengths, rows, options)
    expected = dense(logits, lengths, gold, options)
    torch.testing.assert_close(loss, expected)
    if not expected.requires_grad:
        assert loss == 0
        return
    ours, theirs = (torch.autograd.grad(each, logits)[0] for each in (loss, expected))
    torch.testing.assert_close(ours, theirs)


def test_spans_that_touch_or_nest_are_inside_once():
    gold = torch.tensor([[0, 0, 3, 0], [0, 1, 2, 0], [0, 3, 3, 0], [0, 4, 4, 1]])
    targets = mark_targets(torch.zeros(1, 6, 2, 3), gold)
    assert targets[0, :, 0].T.tolist() == [
        [1, 1, 0, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0],
    ]
    assert targets[0, :, 1].nonzero().tolist() == [[4, 0], [4, 1], [4, 2]]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_cells_that_are_sure_and_wrong_still_learn(gamma):
    """Upstream's clamp leaves them without a gradient."""
    logits = torch.tensor([-60.0, 60.0, 0.0, -1e4, 1e4, 1.0]).view(1, 2, 1, 3).requires_grad_()
    gold = torch.tensor([[0, 0, 0, 0]])
    one = torch.tensor([2]), torch.tensor([1])
    loss = mark_loss(logits, *one, gold, MarkLoss(gamma=gamma))
    loss.backward()
    assert math.isfinite(loss.item())
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 0, 0, 0] < -0.5


def test_half_precision_logits_give_a_full_precision_loss():
    logits = torch.randn(1, 4, 2, 3).bfloat16()
    lengths = torch.tensor([4]), torch.tensor([2])
    gold = torch.tensor([[0, 1, 2, 1]])
    loss = mark_loss(logits, *lengths, gold, MarkLoss())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, mark_loss(logits.float(), *lengths, gold, MarkLoss()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", -1),
        ("alpha", 1.5),
        ("gamma", -0.1),
        ("label_smoothing", 2),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' must .*got {value!r}"):
        MarkLoss(**{name: value})
