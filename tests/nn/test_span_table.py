"""The whole head: against the dense reference, and what must not change its answer."""

import resource

import dense_span_table as dense
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_sener.nn import band, biaffine
from spacy_sener.nn.scoring import span_loss
from spacy_sener.nn.span_table import SpanTable


def make_head(window: int, columns: str = "paper", **options: float) -> SpanTable:
    head = SpanTable(
        5,
        3,
        span_window=window,
        hidden_size=4,
        span_size=4,
        columns=columns,
        **{"token_dropout": 0.0, "span_dropout": 0.0, **options},
    )
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return head


@pytest.mark.parametrize("columns", ["paper", "released"])
@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=3),
    window=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_equals_the_dense_table_with_gradients(
    columns: str, lengths: list[int], window: int, seed: int
) -> None:
    torch.manual_seed(seed)
    head = make_head(window, columns).double()
    params = dense.params_of(head)
    n_tokens = max(lengths)
    tokens = torch.randn(len(lengths), n_tokens, 5, dtype=torch.float64, requires_grad=True)
    same_tokens = tokens.detach().clone().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(biaffine, "BLOCK_SIZE", 3)
        logits = head(tokens, torch.tensor(lengths))
    expected = []
    for text, length in zip(same_tokens, lengths, strict=True):
        table = dense.span_table(params, text[:length], window, depth=2, columns=columns)
        expected.append(dense.band_of(table, window, n_tokens))
    assert logits.shape == (len(lengths), n_tokens, 2 * window + 1, 3)
    torch.testing.assert_close(logits, torch.stack(expected))

    weight = torch.randn_like(logits)
    (logits * weight).sum().backward()
    (torch.stack(expected) * weight).sum().backward()
    torch.testing.assert_close(tokens.grad, same_tokens.grad)
    for name, parameter in head.named_parameters():
        torch.testing.assert_close(parameter.grad, params[name].grad, msg=name)


def test_batch_mates_and_padding_change_nothing() -> None:
    torch.manual_seed(0)
    head = make_head(16).eval()
    lengths = torch.tensor([40, 7, 1, 23])
    tokens = torch.randn(4, 40, 5) * 3
    together = head(tokens, lengths)
    for text, length in enumerate(lengths.tolist()):
        alone = head(tokens[text : text + 1, :length], lengths[text : text + 1])
        torch.testing.assert_close(together[text, :length], alone[0], atol=1e-5, rtol=1e-5)
        assert not together[text, length:].any()


def test_a_wider_window_than_the_text_is_the_full_table() -> None:
    torch.manual_seed(0)
    head = make_head(30).double()
    tokens = torch.randn(1, 4, 5, dtype=torch.float64)
    table = dense.span_table(dense.params_of(head), tokens[0], 30, depth=2, columns="paper")
    logits = head(tokens, torch.tensor([4]))
    torch.testing.assert_close(logits[0], dense.band_of(table, 30, 4))


def test_no_tokens_give_an_empty_table() -> None:
    head = make_head(4)
    assert head(torch.zeros(2, 0, 5), torch.tensor([0, 0])).shape == (2, 0, 9, 3)
    logits = head(torch.zeros(2, 3, 5), torch.tensor([3, 0]))
    assert logits.isfinite().all()
    assert not logits[1].any()


def test_prior_becomes_the_first_answer() -> None:
    head = make_head(3)
    nn.init.zeros_(head.output.weight)
    prior = torch.tensor([0.5, 0.01, 1e-5])
    head.set_prior(prior)
    logits = head(torch.randn(1, 6, 5), torch.tensor([6]))
    cells = logits[band.valid_cells(torch.tensor([6]), 6, 3)]
    torch.testing.assert_close(cells.sigmoid(), prior.expand_as(cells))


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 1.0, 0.5]])
def test_impossible_priors_are_refused(prior: list[float]) -> None:
    with pytest.raises(ValueError, match="prior"):
        make_head(3).set_prior(torch.tensor(prior))


@pytest.mark.parametrize(
    "option", [{"columns": "both"}, {"span_size": 7}, {"span_window": -1}, {"depth": -1}]
)
def test_wrong_settings_are_named(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        SpanTable(5, 3, **option)


def test_half_precision_stays_close() -> None:
    torch.manual_seed(0)
    head = SpanTable(16, 3, span_window=16, token_dropout=0.0, span_dropout=0.0)
    tokens, lengths = torch.randn(1, 50, 16), torch.tensor([50])
    gold = torch.tensor([[0, 3, 9, 1]])
    full = head(tokens, lengths)
    span_loss(full, lengths, gold).backward()
    exact = {name: p.grad.clone() for name, p in head.named_parameters()}
    head.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = head(tokens, lengths)
    loss = span_loss(half, lengths, gold)
    assert loss.dtype == torch.float32
    loss.backward()
    torch.testing.assert_close(half.float(), full, atol=0.05, rtol=0.05)
    for name, parameter in head.named_parameters():
        error = (parameter.grad - exact[name]).norm() / exact[name].norm()
        assert error < 0.05, (name, error)


def test_no_memory_grows_with_the_square_of_the_text() -> None:
    """No tensor that the backward pass keeps has a size that grows faster than the text."""

    def largest(n_tokens: int) -> int:
        sizes = []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.untyped_storage().nbytes())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            make_head(8)(torch.randn(1, n_tokens, 5), torch.tensor([n_tokens]))
        return max(sizes)

    assert largest(1024) <= 2.2 * largest(512)


@pytest.mark.slow
def test_peak_memory_of_a_long_text() -> None:
    """Of 4,000 tokens, an L x L table of span vectors alone would take 2 GB."""
    head = SpanTable(64, 12).eval()
    with torch.no_grad():
        head(torch.randn(1, 500, 64), torch.tensor([500]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        head(torch.randn(1, 4000, 64), torch.tensor([4000]))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    table = 4000 * 257 * 32 * 4
    assert grown < 9 * table
