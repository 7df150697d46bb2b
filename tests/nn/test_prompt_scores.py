"""The split scorer against the authors' form of it, which joins 7 H numbers for every pair."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spacy_sener.nn import prompt_scores
from spacy_sener.nn.prompt_scores import PromptScores


def dense(module: PromptScores, words: Tensor, labels: Tensor) -> Tensor:
    """The scores as the paper's code has them, without dropout."""
    n_words, n_labels = words.shape[1], labels.shape[1]
    x, x_factor = module.word(words)[:, :, None].expand(-1, -1, n_labels, -1).chunk(2, -1)
    y, y_factor = module.label(labels)[:, None].expand(-1, n_words, -1, -1).chunk(2, -1)
    joined = torch.cat([x, y, x_factor * y_factor], dim=-1)
    return module.marks(F.relu(module.pair(joined)))


def make(hidden_size: int, *, dropout: float = 0.0) -> PromptScores:
    torch.manual_seed(hidden_size)
    return PromptScores(hidden_size, dropout=dropout).double()


@settings(max_examples=40)
@given(
    n_texts=st.integers(1, 3),
    n_words=st.integers(0, 9),
    n_labels=st.integers(0, 4),
    hidden_size=st.integers(1, 5),
    pairs_at_once=st.integers(1, 40),
    recompute=st.booleans(),
)
def test_scores_and_gradients_equal_the_dense_form(
    n_texts, n_words, n_labels, hidden_size, pairs_at_once, recompute
):
    module = make(hidden_size)
    words = torch.randn(n_texts, n_words, hidden_size, dtype=torch.float64, requires_grad=True)
    labels = torch.randn(n_texts, n_labels, hidden_size, dtype=torch.float64, requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(prompt_scores.PAIRS_AT_ONCE, "cpu", pairs_at_once)
        logits = module(words, labels, recompute=recompute)
    assert logits.shape == (n_texts, n_words, n_labels, 3)
    if not logits.numel():
        return
    expected = dense(module, words, labels)
    torch.testing.assert_close(logits, expected)

    weights = torch.randn_like(expected)
    inputs = [words, labels, *module.parameters()]
    (logits * weights).sum().backward()
    wanted = torch.autograd.grad((expected * weights).sum(), inputs)
    for each, gradient in zip(inputs, wanted, strict=True):
        torch.testing.assert_close(each.grad, gradient)


class Largest(TorchDispatchMode):
    """Remembers the most numbers that any operation returned."""

    n_numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else [result]:
            # A view or a broadcast takes no memory of its own.
            if isinstance(each, Tensor):
                size = each.untyped_storage().nbytes() // each.element_size()
                self.n_numbers = max(self.n_numbers, size)
        return result


@pytest.mark.parametrize("n_words", [300, 3000])
def test_memory_of_pairs_is_bounded(n_words):
    module = make(8)
    words, labels = torch.randn(1, n_words, 8).double(), torch.randn(1, 25, 8).double()
    with torch.no_grad(), Largest() as largest:
        module(words, labels)
    assert largest.n_numbers <= max(prompt_scores.PAIRS_AT_ONCE["cpu"] * 4 * 8, n_words * 25 * 3)


def test_recomputing_draws_the_same_dropout():
    module = make(4, dropout=0.5).train()
    words = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(3)
        logits = module(words, labels, recompute=recompute)
        words.grad = labels.grad = None
        logits.square().sum().backward()
        gradients.append((words.grad, labels.grad))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    torch.manual_seed(4)
    assert not module(words, labels).allclose(logits)


def test_recomputing_trains_the_scores_over_fixed_words():
    module = make(4)
    words, labels = (torch.randn(1, n, 4).double() for n in (5, 2))
    module(words, labels, recompute=True).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
