"""What goes wrong in one update, or around the network, does not go on in the next."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_sener
import torch
from spacy.tokens import Doc
from thinc.api import Adam, Optimizer
from toy_shim import X, backprop, build, gradients, make_adamw, make_shim, weights

from spacy_sener import shim as shim_module
from spacy_sener.nn import strips
from spacy_sener.shim import TorchShim


@pytest.mark.parametrize("keep_nothing", [False, True])
def test_a_gradient_that_fails_leaves_none(keep_nothing: bool) -> None:
    shim = make_shim()
    backprop(shim)  # of another window of the same update
    output, callback = shim.begin_update([X], keep_nothing=keep_nothing)

    def stop(gradient: torch.Tensor) -> None:
        raise KeyboardInterrupt

    shim.module.get_parameter("encoder.weight").register_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        callback(torch.ones_like(output))
    assert not gradients(shim)


@pytest.mark.parametrize("make_optimizer", [make_adamw, lambda: Adam(0.1)])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_change_nothing(
    make_optimizer: Callable[[], Optimizer], wrong: float
) -> None:
    shim = make_shim()
    before = weights(shim)
    output, callback = shim.begin_update([X])
    callback(torch.full_like(output, wrong))
    with pytest.raises(ValueError, match=r"have a norm of nan, so no weight of it was changed"):
        shim.finish_update(make_optimizer())
    assert not gradients(shim)
    for name, value in weights(shim).items():
        np.testing.assert_array_equal(value, before[name])


def test_the_default_of_another_library_is_not_ours() -> None:
    shim = make_shim()
    torch.set_default_dtype(torch.bfloat16)
    try:
        loaded = TorchShim(build).from_bytes(shim.to_bytes())
        assert torch.get_default_dtype() == torch.bfloat16
    finally:
        torch.set_default_dtype(torch.float32)
    assert {p.dtype for p in loaded.module.parameters()} == {torch.float32}
    assert torch.equal(loaded.predict([X]), shim.predict([X]))


def test_more_weights_than_can_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    module = make_shim().module
    n_bytes = sum(p.nbytes for p in module.parameters())
    monkeypatch.setattr(shim_module, "MAX_BYTES", n_bytes - 1)
    with pytest.raises(ValueError, match=r"Set save_encoder = false, with LoRA"):
        make_shim()
    make_shim(save_frozen=False)
    monkeypatch.setattr(shim_module, "MAX_BYTES", n_bytes)
    make_shim()


def test_training_between_two_parts_of_an_answer(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(strips.CELLS_AT_ONCE, "cpu", 100)
    nlp = tiny_sener.initialize(tiny_sener.blank(), tiny_encoder)
    model, example = nlp.get_pipe("sener").model, tiny_sener.example()
    doc = Doc(nlp.vocab, words=tiny_sener.TEXT.split() * 5)
    expected = [part.scores for part in model.predict([doc])]
    found = []
    for part in model.predict([doc]):
        found.append(part.scores)
        model.begin_update([example.predicted])
    assert len(expected) > 2
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
