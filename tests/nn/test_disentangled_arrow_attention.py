"""DeBERTa's relative scores, windowed, against a dense reference and the stock module."""

import dense_attention as dense
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from largest_tensor import LargestTensor
from stock_encoders import stock_encoder, tiny_config

from spacy_sener.nn import block_attention
from spacy_sener.nn.arrow_attention import attend
from spacy_sener.nn.attention_pattern import attention_pattern
from spacy_sener.nn.disentangled_arrow_attention import (
    DisentangledArrowSelfAttention,
    DisentangledScores,
    RelativePositions,
)

HEADS, HEAD_DIM = 2, 3

kinds = st.sampled_from(["arrow", "sliding", "full"])
lengths = st.lists(st.integers(1, 40), min_size=1, max_size=3)
terms = st.sampled_from([("c2p",), ("p2c",), ("c2p", "p2c")])
# (buckets, max_distance): DeBERTa-v3's kind, the same cut short, DeBERTa-v2 without buckets
tables = st.sampled_from([(4, 20), (6, 8), (-1, 5), (-1, 64)])


@settings(max_examples=60)
@given(
    kind=kinds,
    lengths=lengths,
    window=st.integers(1, 7),
    n_global=st.sampled_from([1, 2, 5, 13, 50]),
    logn=st.booleans(),
    terms=terms,
    table=tables,
    seed=st.integers(0, 99),
)
@example("arrow", [39, 22], 1, 1, True, ("c2p", "p2c"), (4, 20), 0)
@example("arrow", [39, 22], 1, 5, True, ("c2p", "p2c"), (4, 20), 0)
@example("arrow", [39, 22], 5, 1, True, ("c2p", "p2c"), (-1, 5), 0)
@example("arrow", [39, 2], 5, 13, True, ("c2p", "p2c"), (-1, 5), 0)
def test_outputs_and_gradients_equal_the_dense_reference(
    kind, lengths, window, n_global, logn, terms, table, seed
):
    compare_with_reference(kind, lengths, window, n_global, logn, terms, table, seed)


@pytest.mark.parametrize("kind", ["arrow", "sliding"])
@pytest.mark.parametrize("n_global", [1, 2, 13])
@pytest.mark.parametrize(("rows", "heads"), [(1, 1), (12, 1), (70, 4)])
def test_parts_of_queries_and_heads_change_nothing(monkeypatch, kind, n_global, rows, heads):
    monkeypatch.setattr(block_attention, "CPU_ROWS", rows)
    monkeypatch.setattr(block_attention, "CPU_HEADS", heads)
    compare_with_reference(kind, [40, 31], 5, n_global, True, ("c2p", "p2c"), (6, 8), seed=0)


@pytest.mark.parametrize("n_global", [1, 5, 66, 75])
def test_blocks_narrower_than_the_window(n_global):
    lengths = [170, 99]
    compare_with_reference("arrow", lengths, 70, n_global, True, ("c2p", "p2c"), (60, 90), seed=0)


@pytest.mark.parametrize("n_global", [30, 70])
def test_more_global_pieces_than_the_table_or_the_window_has(n_global):
    lengths = [170, 99]
    compare_with_reference("arrow", lengths, 20, n_global, True, ("c2p", "p2c"), (4, 20), seed=0)


@pytest.mark.parametrize("n_global", [1, 2, 5, 17])
@pytest.mark.parametrize("table", [(4, 20), (7, 16), (-1, 5)])
@pytest.mark.parametrize("terms", [("c2p",), ("p2c",), ("c2p", "p2c")])
def test_rows_and_columns_are_those_of_the_dense_scores(n_global, table, terms):
    """From any piece on, as where a layer is run by rows."""
    generator = torch.Generator().manual_seed(0)
    positions = RelativePositions(*table)
    query, key = (torch.randn(2, HEADS, 50, HEAD_DIM, generator=generator) for _ in range(2))
    tables = [
        torch.randn(HEADS, 2 * positions.span, HEAD_DIM, generator=generator)
        if term in terms
        else None
        for term in ("c2p", "p2c")
    ]
    scores = DisentangledScores(positions, *tables)
    whole = scores.dense(query, key, 0)
    for start in (0, 1, 30):
        some = query[:, :, start : start + n_global]
        rows, columns = scores.rows(some, key, start), whole[:, :, start:, :n_global]
        torch.testing.assert_close(rows, whole[:, :, start : start + n_global])
        found = scores.columns(query[:, :, start:], key[:, :, :n_global], start)
        torch.testing.assert_close(found, columns)


@pytest.mark.parametrize("n_global", [1, 20])
def test_no_tensor_grows_with_the_square_of_the_text(n_global):
    n_pieces = 3000  # (n, n) floats would be 36 MB
    positions = RelativePositions(16, 32)
    query, key, value = (torch.randn(1, 1, n_pieces, 4, requires_grad=True) for _ in range(3))
    tables = [torch.randn(1, 32, 4, requires_grad=True) for _ in range(2)]
    relative = DisentangledScores(positions, *tables)
    pattern = attention_pattern(torch.tensor([n_pieces]), n_pieces, window=16, n_global=n_global)
    with LargestTensor() as largest:
        attend(query, key, value, pattern, relative=relative).sum().backward()
    assert largest.n_bytes < 2_000_000


def compare_with_reference(kind, lengths, window, n_global, logn, terms, table, seed):
    generator = torch.Generator().manual_seed(seed)
    n = max(lengths)
    positions = RelativePositions(*table)
    shape, table_shape = (len(lengths), HEADS, n, HEAD_DIM), (HEADS, 2 * positions.span, HEAD_DIM)
    shapes = [shape] * 4 + [table_shape] * len(terms)
    query, key, value, weights, *tables = (
        torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes
    )
    weights = weights * (torch.arange(n) < torch.tensor(lengths)[:, None])[:, None, :, None]
    options = {"window": window, "logn": logn, "n_global": n_global}
    scale = 0.4

    def ours(query, key, value, *tables):
        by_term = dict(zip(terms, tables, strict=True))
        tables = (None if t is None else t * scale for t in map(by_term.get, ("c2p", "p2c")))
        relative = DisentangledScores(positions, *tables)
        pattern = attention_pattern(torch.tensor(lengths), n, attention=kind, **options)
        return attend(query, key, value, pattern, scale=scale, relative=relative)

    def reference(query, key, value, *tables):
        by_term = dict(zip(terms, tables, strict=True))
        scores = dense.position_scores(
            query,
            key,
            by_term.get("c2p"),
            by_term.get("p2c"),
            buckets=positions.buckets,
            max_distance=positions.max_distance,
        )
        options["scale"] = scale
        return dense.attention(
            query, key, value, lengths, kind=kind, position_scores=scores, **options
        )

    results = []
    for compute in (ours, reference):
        leaves = [x.clone().requires_grad_() for x in (query, key, value, *tables)]
        context = compute(*leaves)
        assert context.isfinite().all()
        (context * weights).sum().backward()
        results.append([context * (weights != 0), *(x.grad for x in leaves)])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["deberta-v2", "deberta-v3", "deberta-c2p", "deberta-p2c"])
@pytest.mark.parametrize("window", [1, 4, 9])
@pytest.mark.parametrize("n_global", [1, 5])
def test_equals_the_stock_module_under_an_arrow_mask(name, window, n_global):
    config = tiny_config(name)
    encoder = stock_encoder(config).encoder
    stock = encoder.layer[0].attention.self
    lengths, n = [60, 41], 60
    hidden_states = torch.randn(2, n, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, n, n, dtype=torch.bool)
    for b, length in enumerate(lengths):
        mask[b, 0, :length, :length] = dense.visible(length, "arrow", window, n_global)
    table = encoder.get_rel_embedding()
    relative_pos = encoder.get_rel_pos(hidden_states)
    expected, _ = stock(hidden_states, mask, relative_pos=relative_pos, rel_embeddings=table)
    pattern = attention_pattern(
        torch.tensor(lengths), n, window=window, n_global=n_global, logn=False
    )
    attend = DisentangledArrowSelfAttention(stock).eval()(hidden_states, pattern, table)
    got = attend(hidden_states, 0)
    for b, length in enumerate(lengths):
        torch.testing.assert_close(got[b, :length], expected[b, :length], atol=1e-5, rtol=1e-5)


def test_dropout_is_drawn_again_alike_in_the_backward_pass():
    generator = torch.Generator().manual_seed(0)
    positions = RelativePositions(6, 8)
    shapes = [(1, HEADS, 40, HEAD_DIM)] * 3 + [(HEADS, 2 * positions.span, HEAD_DIM)] * 2
    inputs = [
        torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes
    ]
    pattern = attention_pattern(torch.tensor([40]), 40, window=5)

    def dropped(query, key, value, *tables):
        torch.manual_seed(0)
        relative = DisentangledScores(positions, *tables)
        return attend(query, key, value, pattern, dropout=0.5, relative=relative)

    assert torch.autograd.gradcheck(dropped, inputs, fast_mode=True)


@pytest.mark.parametrize("acting", ["dropout", "pos_dropout"])
def test_each_dropout_acts_in_training_only(acting):
    encoder = stock_encoder(tiny_config("deberta-v3")).encoder
    module = DisentangledArrowSelfAttention(encoder.layer[0].attention.self)
    for name in ("dropout", "pos_dropout"):
        getattr(module, name).p = 0.5 if name == acting else 0.0
    hidden_states = torch.randn(1, 40, 16, generator=torch.Generator().manual_seed(0))
    pattern = attention_pattern(torch.tensor([40]), 40, window=4)

    def attended():
        return module(hidden_states, pattern, encoder.get_rel_embedding())(hidden_states, 0)

    module.train()
    assert not attended().allclose(attended())
    module.eval()
    assert torch.equal(attended(), attended())


@pytest.mark.parametrize(("buckets", "max_distance"), [(256, 512), (8, 64), (7, 16), (-1, 16)])
def test_rows_of_the_table(buckets, max_distance):
    positions = RelativePositions(buckets, max_distance)
    distances = range(-6000, 6001)
    span = positions.span
    expected = [
        min(max(dense.bucket(d, buckets, max_distance) + span, 0), 2 * span - 1) for d in distances
    ]
    assert positions.rows(torch.tensor(distances)).tolist() == expected
    ends = torch.tensor([-6000, -positions.end, positions.end, 6000])
    assert positions.rows(ends).tolist() == [0, 0, 2 * span - 1, 2 * span - 1]
