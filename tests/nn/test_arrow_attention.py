"""Arrow, sliding and full attention against a dense float64 reference."""

import functools
import math
import resource

import dense_attention as dense
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from spacy_sener.nn.arrow_attention import attend
from spacy_sener.nn.attention_pattern import attention_pattern, logn_factors

HEADS, HEAD_DIM = 2, 3

kinds = st.sampled_from(["arrow", "sliding", "full"])
lengths = st.lists(st.integers(1, 40), min_size=1, max_size=3)
windows = st.integers(1, 7)
n_globals = st.sampled_from([1, 2, 5, 13, 50])
seeds = st.integers(0, 99)


def random_inputs(lengths: list[int], seed: int) -> list[Tensor]:
    """query, key, value and weights of the loss; (batch, heads, pieces, head_dim), float64."""
    generator = torch.Generator().manual_seed(seed)
    shape = len(lengths), HEADS, max(lengths), HEAD_DIM
    inputs = [2 * torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(4)]
    real = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    inputs[3] = inputs[3] * real[:, None, :, None]
    return inputs


@settings(max_examples=60)
@given(
    kind=kinds, lengths=lengths, window=windows, n_global=n_globals, logn=st.booleans(), seed=seeds
)
@example(kind="arrow", lengths=[37, 21], window=1, n_global=1, logn=True, seed=0)
@example(kind="arrow", lengths=[37, 3], window=2, n_global=5, logn=True, seed=0)
@example(kind="arrow", lengths=[37, 38], window=7, n_global=2, logn=True, seed=0)
@example(kind="sliding", lengths=[37, 1], window=2, n_global=5, logn=True, seed=0)
@example(kind="arrow", lengths=[1], window=1, n_global=1, logn=True, seed=0)
def test_outputs_and_gradients_equal_the_dense_reference(
    kind, lengths, window, n_global, logn, seed
):
    compare_with_reference(lengths, seed, kind=kind, window=window, n_global=n_global, logn=logn)


@pytest.mark.parametrize("window", [20, 64, 70])
@pytest.mark.parametrize("n_global", [1, 2, 5, 64, 70, 129])
def test_more_global_pieces_than_a_block_or_the_window_has(window, n_global):
    compare_with_reference([210, 60], 0, kind="arrow", window=window, n_global=n_global, logn=True)


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("n_global", [1, 2, 5, 19, 20, 25])
def test_about_as_wide_as_the_text(n_global, missing):
    """Where the change from blocks to dense attention is."""
    window = max(20 - n_global - missing, 1)
    compare_with_reference([20, 9], 0, kind="arrow", window=window, n_global=n_global, logn=True)


def test_dense_where_all_is_seen():
    def window(**options):
        return attention_pattern(torch.tensor([20]), 20, **options).window

    assert (
        window(window=19) is window(window=15, n_global=5) is window(window=1, n_global=20) is None
    )
    assert window(window=18) == 18
    assert window(window=13, n_global=5) == 13
    assert window(attention="sliding", window=15, n_global=5) == 15


def compare_with_reference(lengths: list[int], seed: int, **options) -> None:
    *inputs, weights = random_inputs(lengths, seed)
    results = []
    for compute in (ours, dense.attention):
        leaves = [x.clone().requires_grad_() for x in inputs]
        context = compute(*leaves, lengths, **options)
        assert context.isfinite().all()
        (context * weights).sum().backward()
        results.append([context * (weights != 0), *(x.grad for x in leaves)])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)


def ours(query, key, value, lengths, *, dropout=0.0, **options) -> Tensor:
    """`attend`, called like the reference."""
    options["attention"] = options.pop("kind")
    pattern = attention_pattern(torch.tensor(lengths), query.shape[2], **options)
    return attend(query, key, value, pattern, dropout=dropout)


@pytest.mark.parametrize("kind", ["arrow", "sliding", "full"])
@pytest.mark.parametrize("length", [6, 40])
@pytest.mark.parametrize("n_global", [1, 5, 9])
def test_padding_and_batch_mates_change_nothing(kind, length, n_global):
    query, key, value, _ = random_inputs([40, 40], seed=1)
    options = {"kind": kind, "window": 3, "logn": True, "n_global": n_global}
    together = ours(query, key, value, [length, 40], **options)[:1, :, :length]
    alone = ours(*(x[:1, :, :length] for x in (query, key, value)), [length], **options)
    torch.testing.assert_close(together, alone, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", ["arrow", "sliding", "full"])
@pytest.mark.parametrize("n_global", [1, 5, 33])
def test_what_stands_in_padding_is_not_seen(kind, n_global):
    inputs = random_inputs([40], seed=2)[:3]
    options = {"kind": kind, "window": 3, "logn": True, "n_global": n_global}
    before = ours(*inputs, [30], **options)[:, :, :30]
    for x in inputs:
        x[:, :, 30:] = 1e6
    after = ours(*inputs, [30], **options)
    assert after.isfinite().all()
    torch.testing.assert_close(after[:, :, :30], before, atol=0, rtol=0)


def test_logn_factors_take_the_documents_own_length():
    found = logn_factors(torch.tensor([1, 81, 512, 5120])).tolist()
    expected = [math.log(n) / math.log(512) for n in (1, 81, 512, 5120)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_logn_factors_round_up_for_the_authors_checkpoints():
    found = logn_factors(torch.tensor([1, 256, 257, 5120]), multiple=256).tolist()
    assert found == pytest.approx([8 / 9, 8 / 9, 1.0, 1.3691], abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("length", [12, 50])
@pytest.mark.parametrize("n_global", [1, 6])
def test_half_precision_is_as_close_as_plain_attention(dtype, length, n_global):
    *inputs, weights = random_inputs([length], seed=3)
    arrow = {"kind": "arrow", "window": 4, "n_global": n_global}

    def answer(compute, dtype):
        """The context, and the gradients of query, key and value."""
        leaves = [x.to(dtype, copy=True).requires_grad_() for x in inputs]
        context = compute(*leaves)
        assert context.dtype == dtype
        (context * weights.to(dtype)).sum().backward()
        return [x.double() for x in (context.detach(), *(leaf.grad for leaf in leaves))]

    def errors(compute, logn):
        options = {"lengths": [length], "logn": logn, **arrow}
        rough = answer(functools.partial(compute, **options), dtype)
        exact = answer(functools.partial(dense.attention, **options), torch.float64)
        return [(r - e).norm() / e.norm() for r, e in zip(rough, exact, strict=True)]

    # the factors of the dense one are in double precision, and so would be all that they scale
    plain = errors(dense.attention, logn=False)
    for error, plain_error in zip(errors(ours, logn=True), plain, strict=True):
        assert error < 4 * plain_error  # queries get theirs by way of the rounded context


@pytest.mark.parametrize("n_global", [1, 5])
def test_dropout_of_blocks_is_drawn_again_alike_in_the_backward_pass(n_global):
    inputs = [x.requires_grad_() for x in random_inputs([50], seed=4)[:3]]

    def dropped(*inputs):
        torch.manual_seed(0)
        options = {"kind": "arrow", "window": 3, "logn": True, "n_global": n_global}
        return ours(*inputs, [50], dropout=0.5, **options)

    assert torch.autograd.gradcheck(dropped, inputs, fast_mode=True)


@pytest.mark.parametrize("n_global", [1, 5])
def test_dropout_leaves_the_mean_as_it_is(n_global):
    query, key, value, _ = random_inputs([50], seed=4)
    options = {"kind": "arrow", "window": 3, "logn": True, "n_global": n_global}
    torch.manual_seed(0)
    draws = [x.expand(200, -1, -1, -1) for x in (query, key, value)]
    contexts = ours(*draws, [50] * 200, dropout=0.5, **options)
    exact = ours(query, key, value, [50], **options)
    assert (contexts != exact).any(-1).float().mean() > 0.9
    shares = (contexts.mean(0) * exact[0]).sum((0, 2)) / exact[0].square().sum((0, 2))
    torch.testing.assert_close(shares, torch.ones_like(shares), atol=0.4, rtol=0)
    assert shares.mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("n_global", [1, 60])
def test_memory_grows_with_the_window_not_with_the_square_of_the_text(n_global):
    n_pieces = 30_000  # (n, n) bools alone would be 900 MB
    query, key, value = (torch.randn(1, 1, n_pieces, 8, requires_grad=True) for _ in range(3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pattern = attention_pattern(torch.tensor([n_pieces]), n_pieces, window=64, n_global=n_global)
    attend(query, key, value, pattern).sum().backward()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
