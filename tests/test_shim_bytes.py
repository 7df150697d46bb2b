"""Modules in thinc's bytes and back, copies, and bytes that are refused."""

from typing import Any

import pytest
import srsly
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy_shim import Toy, X, backprop, build, make_adamw, make_shim

from spacy_sener.shim import TorchShim


def test_bytes_and_back() -> None:
    shim = make_shim()
    backprop(shim)
    shim.finish_update(make_adamw())
    again = TorchShim(build).from_bytes(shim.to_bytes())
    assert again.spec == shim.spec
    assert torch.equal(again.predict([X]), shim.predict([X]))
    assert again.to_bytes() == shim.to_bytes()
    assert [p.requires_grad for p in again.module.parameters()] == [
        p.requires_grad for p in shim.module.parameters()
    ]


def test_bytes_of_nothing() -> None:
    shim = TorchShim(build)
    assert shim.to_bytes() == b""
    with pytest.raises(ValueError, match=r"no weights yet: call nlp.initialize\(\)"):
        _ = shim.from_bytes(b"").module


GOOD = make_shim().to_bytes()


@settings(max_examples=60)
@given(length=st.integers(1, len(GOOD) - 1))
def test_bytes_cut_short_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="saved model is damaged"):
        TorchShim(build).from_bytes(GOOD[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 50,
        b"{}",
        b"<html>not found</html>",
        GOOD[1:],
        GOOD + b"\x00",
        srsly.msgpack_dumps({"spec": {}, "weights": "text"}),
        srsly.msgpack_dumps({"spec": {}, "weights": b""}),
        srsly.msgpack_dumps({"spec": {}}),
        srsly.msgpack_dumps([1, 2]),
        srsly.msgpack_dumps(7),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    shim = make_shim()
    before = shim.to_bytes()
    with pytest.raises(ValueError, match="saved model is damaged"):
        shim.from_bytes(data)
    assert shim.to_bytes() == before  # what was there is still there


class Deeper(Toy):
    def __init__(self, **spec: Any) -> None:
        super().__init__(**spec)
        self.extra = nn.Linear(2, 2)


def test_weights_that_do_not_fit_are_listed() -> None:
    wide = TorchShim(lambda spec: Toy(**{**spec, "width": 5}))
    with pytest.raises(
        ValueError, match=r"0 missing \[\], 0 unknown \[\], 7 of another shape"
    ) as e:
        wide.from_bytes(GOOD)
    assert "'encoder.weight'" in str(e.value)
    deeper = TorchShim(lambda spec: Deeper(**spec))
    with pytest.raises(ValueError, match=r"2 missing \['extra.bias', 'extra.weight'\], 0 unknown"):
        deeper.from_bytes(GOOD)
    spec = {"width": 4}
    deeper.set_module(Deeper(**spec), spec)
    with pytest.raises(ValueError, match=r"0 missing \[\], 2 unknown \['extra.bias'"):
        TorchShim(build).from_bytes(deeper.to_bytes())


def test_frozen_weights_may_be_left_to_their_source() -> None:
    shim = make_shim(save_frozen=False)
    backprop(shim)
    shim.finish_update(make_adamw())
    with pytest.warns(UserWarning, match="no longer knows where it came from"):
        assert len(shim.to_bytes()) >= len(GOOD)
    shim.spec["base"] = 0
    data = shim.to_bytes()
    assert len(data) < len(GOOD)
    again = TorchShim(build, save_frozen=False).from_bytes(data)
    assert torch.equal(again.predict([X]), shim.predict([X]))
    with pytest.raises(ValueError, match="trained over other weights than '0' has now"):
        TorchShim(lambda spec: Toy(**spec | {"base": 1}), save_frozen=False).from_bytes(data)
    # Without a base, or a trained weight, something is missing.
    with pytest.raises(ValueError, match="leaves weights out, and names '0'"):
        TorchShim(build).from_bytes(data)
    with pytest.raises(ValueError, match=r"2 missing \['extra.bias', 'extra.weight'\]"):
        TorchShim(lambda spec: Deeper(**spec), save_frozen=False).from_bytes(data)


def test_complete_bytes_replace_the_base() -> None:
    other = TorchShim(lambda spec: Toy(**spec, base=1), save_frozen=False).from_bytes(GOOD)
    assert torch.equal(other.predict([X]), make_shim().predict([X]))


def test_loading_starts_the_optimizer_anew() -> None:
    """The moments of the weights that were there before are not used for the loaded ones."""
    shim, fresh = make_shim(), make_shim()
    for _ in range(3):
        backprop(shim)
        shim.finish_update(make_adamw())
    shim.from_bytes(GOOD)
    for each in (shim, fresh):
        backprop(each)
        each.finish_update(make_adamw())
    assert shim.to_bytes() == fresh.to_bytes()


def test_a_copy_is_independent() -> None:
    shim = make_shim()
    earlier = shim.copy()
    answer = earlier.predict([X])
    backprop(shim)
    shim.finish_update(make_adamw())
    assert torch.equal(earlier.predict([X]), answer)
    assert not torch.equal(shim.predict([X]), answer)
