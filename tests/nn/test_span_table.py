"""The whole head: against the dense reference, and what must not change its answer."""

import gc
from collections.abc import Iterable

import dense_span_table as dense
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spacy_sener.nn import band, biaffine, boundaries, strips
from spacy_sener.nn.scoring import ScoredPairs, ScoredRows, span_loss, span_scores
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


def logits_of(head: SpanTable, *args: torch.Tensor, recompute: bool = False) -> torch.Tensor:
    """The logits alone, where there is evidence beside them."""
    answer = head(*args, recompute=recompute)
    return answer if head.boundaries is None else answer[0]


@pytest.mark.parametrize(
    ("columns", "with_boundaries"), [("paper", False), ("released", False), ("paper", True)]
)
@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=3),
    window=st.integers(0, 5),
    cells=st.sampled_from([1, 60, 2**15]),
    recompute=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_the_dense_table_with_gradients(
    columns: str,
    with_boundaries: bool,
    lengths: list[int],
    window: int,
    cells: int,
    recompute: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    head = make_head(window, columns, boundaries=with_boundaries).double()
    params = dense.params_of(head)
    n_tokens = max(lengths)
    tokens = torch.randn(len(lengths), n_tokens, 5, dtype=torch.float64, requires_grad=True)
    same_tokens = tokens.detach().clone().requires_grad_()
    expected = []
    for text, length in zip(same_tokens, lengths, strict=True):
        table = dense.span_table(params, text[:length], window, depth=2, columns=columns)
        expected.append(dense.band_of(table, window, n_tokens))
    weight = torch.randn(len(lengths), n_tokens, 2 * window + 1, 3, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(biaffine, "BLOCK_SIZE", 3)
        patch.setitem(strips.CELLS_AT_ONCE, "cpu", cells)
        logits = logits_of(head, tokens, torch.tensor(lengths), recompute=recompute)
        (logits * weight).sum().backward()
    torch.testing.assert_close(logits, torch.stack(expected))

    (torch.stack(expected) * weight).sum().backward()
    torch.testing.assert_close(tokens.grad, same_tokens.grad)
    for name, parameter in head.named_parameters():
        if name.startswith("boundaries.pairs"):  # which spans of the table do not need
            assert not parameter.grad.any()
        else:
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


def whole(parts: Iterable[ScoredRows], lengths: list[int], window: int) -> torch.Tensor:
    """The streamed scores as one tensor, (batch_size, n_tokens, window + 1, n_labels)."""
    scores = torch.zeros(len(lengths), max(lengths), window + 1, 3)
    for part in parts:
        _, n_rows, n_distances, _ = part.scores.shape
        end = part.first_row + n_rows
        scores[part.texts, part.first_row : end, :n_distances] = part.scores
    return scores


@pytest.mark.parametrize(
    ("average", "with_boundaries"), [("logits", False), ("probabilities", False), ("logits", True)]
)
@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=4),
    window=st.integers(0, 5),
    cells=st.sampled_from([1, 60, 2**15]),
)
def test_streamed_scores_are_those_of_the_logits(
    average: str, with_boundaries: bool, lengths: list[int], window: int, cells: int
) -> None:
    torch.manual_seed(0)
    head = make_head(window, boundaries=with_boundaries).eval()
    tokens, token_lengths = torch.randn(len(lengths), max(lengths), 5), torch.tensor(lengths)
    logits = logits_of(head, tokens, token_lengths)
    valid = band.valid_cells(token_lengths, max(lengths), window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(strips.CELLS_AT_ONCE, "cpu", cells)
        parts = list(head.stream(tokens, token_lengths, average=average))
    expected = span_scores(logits, None, valid, average=average)
    torch.testing.assert_close(whole(parts, lengths, window), expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=4),
    window=st.integers(0, 5),
    extra=st.integers(1, 8),
)
def test_every_text_streams_its_spans_beyond_the_window(
    lengths: list[int], window: int, extra: int
) -> None:
    torch.manual_seed(0)
    head = make_head(window, boundaries=True, reach=window + extra).eval()
    tokens, token_lengths = torch.randn(len(lengths), max(lengths), 5), torch.tensor(lengths)
    with pytest.MonkeyPatch.context() as patch:  # all tokens are tried
        patch.setattr(boundaries, "GATE", 0.0)
        patch.setattr(boundaries, "SHARE_TRIED", 1.0)
        parts = list(head.stream(tokens, token_lengths, average="logits"))
    found = [
        (part.text, *span)
        for part in parts
        if isinstance(part, ScoredPairs)
        for span in zip(part.starts.tolist(), part.ends.tolist(), part.labels.tolist(), strict=True)
    ]
    assert sorted(found) == [
        (text, i, j, label)
        for text, n_tokens in enumerate(lengths)
        for i in range(n_tokens)
        for j in range(i + window + 1, min(n_tokens, i + window + extra + 1))
        for label in range(3)
    ]


def test_recomputing_draws_the_same_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(strips.CELLS_AT_ONCE, "cpu", 200)
    head = make_head(6, token_dropout=0.4, span_dropout=0.3).double()
    tokens, lengths = torch.randn(2, 40, 5, dtype=torch.float64), torch.tensor([40, 11])
    found = []
    for recompute in (False, True):
        torch.manual_seed(3)
        head.zero_grad()
        logits = head(tokens, lengths, recompute=recompute)
        logits.square().sum().backward()
        found.append([logits, *(p.grad for p in head.parameters())])
    for kept, again in zip(*found, strict=True):
        torch.testing.assert_close(kept, again)


def test_recomputing_keeps_less() -> None:
    def kept(recompute: bool) -> int:
        storages = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            logits = make_head(16)(torch.randn(1, 300, 5), torch.tensor([300]), recompute=recompute)
        assert logits.requires_grad
        return sum(storages.values())

    assert kept(recompute=True) < kept(recompute=False) / 3


def test_strips_are_let_go_while_streaming() -> None:
    """As many strips are alive at the end of a long text as near its beginning."""
    head = make_head(8).eval()
    tokens, lengths = torch.randn(1, 12_000, 5), torch.tensor([12_000])
    alive = []
    with torch.no_grad():
        for _ in head.stream(tokens, lengths, average="logits"):
            gc.collect()
            tensors = (x for x in gc.get_objects() if type(x) is torch.Tensor)
            alive.append(len({x.data_ptr() for x in tensors if x.shape[-2:] == (17, 4)}))
    assert len(alive) > 5
    assert 0 < alive[-3] <= alive[2]


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


def test_prior_is_the_first_answer_of_single_tokens_with_boundaries() -> None:
    head = make_head(3, boundaries=True)
    nn.init.zeros_(head.output.weight)
    nn.init.zeros_(head.boundaries.marks.weight)
    prior = torch.tensor([0.5, 0.01, 1e-5])
    head.set_prior(prior, torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.2, 0.01], [0.5, 0.02, 0.4]]))
    logits, _ = head(torch.randn(1, 6, 5), torch.tensor([6]))
    torch.testing.assert_close(logits[0, :, 3].sigmoid(), prior.expand(6, 3))


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 1.0, 0.5]])
def test_impossible_priors_are_refused(prior: list[float]) -> None:
    with pytest.raises(ValueError, match="prior"):
        make_head(3).set_prior(torch.tensor(prior))


@pytest.mark.parametrize(
    "option",
    [
        *({"columns": "both"}, {"span_size": 7}, {"span_window": -1}, {"depth": -1}),
        *({"token_dropout": 1.0}, {"span_dropout": -0.5}),
    ],
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
