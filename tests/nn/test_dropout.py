"""Dropout from random bytes is dropout."""

import pytest
import torch

from spacy_sener.nn.dropout import TableDropout


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_rate_and_expectation(rate: float) -> None:
    torch.manual_seed(0)
    table = torch.ones(3, 101, 333)  # not a multiple of 8
    dropped = TableDropout(rate)(table)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.006)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert len(dropped.unique()) == 2
    # Neighbours, which come from the same 64 bits, are dropped apart from each other.
    zero = (dropped == 0).flatten().float()
    for distance in (1, 2, 8):
        both = (zero[:-distance] * zero[distance:]).mean().item()
        assert both == pytest.approx(rate**2, abs=0.006)


def test_gradient_passes_where_the_value_does() -> None:
    torch.manual_seed(0)
    table = torch.randn(50, 9, requires_grad=True)
    dropped = TableDropout(0.3)(table)
    dropped.sum().backward()
    torch.testing.assert_close(dropped, table * table.grad)
    assert set((table.grad == 0).unique().tolist()) == {True, False}


def test_torch_s_seed_decides() -> None:
    def dropped(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return TableDropout(0.5)(torch.ones(100))

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))


def test_something_is_left_at_any_rate() -> None:
    torch.manual_seed(0)
    dropped = TableDropout(0.999)(torch.ones(100_000))
    assert dropped.isfinite().all()
    assert dropped.mean().item() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("dropout", [TableDropout(0.0), TableDropout(0.5).eval()])
def test_nothing_is_dropped_without_need(dropout: TableDropout) -> None:
    table = torch.randn(5, 5)
    assert dropout(table) is table


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        TableDropout(rate)
