"""The banded biaffine against all pairs in double precision."""

import dense_span_table as dense
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.nn import biaffine, strips
from spacy_sener.nn.biaffine import Biaffine
from spacy_sener.nn.strips import Strips


def make_biaffine(dropout: float = 0.0) -> Biaffine:
    return Biaffine(5, 4, 3, dropout=dropout).double()


def band_of(module: Biaffine, tokens: torch.Tensor, window: int) -> torch.Tensor:
    """The whole band."""
    lengths = torch.full(tokens.shape[:1], tokens.shape[1])
    rows = list(module(tokens, Strips(lengths, tokens.shape[1], window)))
    return torch.cat(rows, dim=1)


@settings(max_examples=25)
@given(n_tokens=st.integers(1, 20), window=st.integers(0, 7), seed=st.integers(0, 99))
def test_equals_all_pairs_with_gradients(n_tokens: int, window: int, seed: int) -> None:
    torch.manual_seed(seed)
    module = make_biaffine()
    params = dense.params_of(module)
    tokens = torch.randn(2, n_tokens, 5, dtype=torch.float64, requires_grad=True)
    same_tokens = tokens.detach().clone().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:  # several blocks, several strips
        patch.setattr(biaffine, "BLOCK_SIZE", 3)
        patch.setitem(strips.CELLS_AT_ONCE, "cpu", 2 * 4 * (2 * window + 1))
        pairs = band_of(module, tokens, window)
    tables = [dense.biaffine(params, text) for text in same_tokens]
    expected = torch.stack([dense.band_of(table, window, n_tokens) for table in tables])
    inside = expected.abs().sum(-1, keepdim=True) > 0
    torch.testing.assert_close(pairs * inside, expected)

    weight = torch.randn_like(expected) * inside
    (pairs * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(tokens.grad, same_tokens.grad)
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.grad, params[name].grad, msg=name)


def test_the_real_block_sizes_change_nothing() -> None:
    torch.manual_seed(0)
    module = make_biaffine()
    tokens = torch.randn(1, biaffine.BLOCK_SIZE + 5, 5, dtype=torch.float64)
    table = dense.biaffine(dense.params_of(module), tokens[0])
    expected = dense.band_of(table, 6, tokens.shape[1])
    inside = expected.abs().sum(-1, keepdim=True) > 0
    torch.testing.assert_close(band_of(module, tokens, 6)[0] * inside, expected)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    module = make_biaffine(dropout=0.5)
    tokens = torch.randn(1, 6, 5, dtype=torch.float64)
    assert not torch.equal(band_of(module, tokens, 2), band_of(module, tokens, 2))
    module.eval()
    assert torch.equal(band_of(module, tokens, 2), band_of(module, tokens, 2))
