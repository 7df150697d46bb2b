"""The torch module inside a thinc model, against updates computed by hand in float64."""

import copy
import gc
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from thinc.api import Adam, Optimizer
from toy_shim import (
    DECAY,
    ENCODER_RATE,
    HEAD_RATE,
    Array,
    X,
    backprop,
    build,
    gradients,
    make_adamw,
    make_shim,
    weights,
)

from spacy_sener.shim import TorchShim


def adam(moments: dict[str, list[Array]], name: str, gradient: Array, step: int) -> Array:
    """The step of Adam for one parameter, without its rate."""
    first, second = moments.setdefault(name, [np.zeros_like(gradient), np.zeros_like(gradient)])
    first = moments[name][0] = 0.9 * first + 0.1 * gradient
    second = moments[name][1] = 0.999 * second + 0.001 * gradient**2
    return first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)


def adamw_by_hand(
    before: dict[str, Array],
    found: dict[str, Array],
    moments: dict[str, list[Array]],
    step: int,
    rate: float,
    grad_clip: float,
) -> dict[str, Array]:
    norm = np.sqrt(sum((gradient**2).sum() for gradient in found.values()))
    scale = min(1.0, grad_clip / norm)
    after = dict(before)
    for name, gradient in found.items():
        own_rate = rate * (ENCODER_RATE / HEAD_RATE if name.startswith("encoder.") else 1)
        decay = DECAY if name in ("encoder.weight", "head.weight") else 0
        kept = before[name] * (1 - own_rate * decay)
        after[name] = kept - own_rate * adam(moments, name, scale * gradient, step)
    return after


def gather_and_update(shim: TorchShim, optimizer: Optimizer) -> None:
    """As `nlp.rehearse` has it."""
    gathered = {}

    def gather(key: Any, weights: Any, gradient: Any) -> tuple[Any, Any]:
        gathered[key] = weights, gradient
        return weights, gradient

    shim.finish_update(gather)
    assert gradients(shim) == {}
    for key, (weights_, gradient) in gathered.items():
        optimizer(key, weights_, gradient)


@pytest.mark.parametrize("grad_clip", [0.01, 1.0, 1e6])
def test_updates_are_those_of_adamw(grad_clip: float) -> None:
    """Two rates, no decay of vectors, one norm of all gradients; warm-up and decay of the rate."""
    shim, optimizer = make_shim(), make_adamw(grad_clip=grad_clip)
    moments: dict[str, list[Array]] = {}
    for step, share in enumerate([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4], start=1):
        backprop(shim)
        before, found = weights(shim), gradients(shim)
        assert set(found) == {
            *("encoder.weight", "encoder.bias", "norm.weight", "norm.bias"),
            *("head.weight", "head.bias", "scale"),
        }
        expected = adamw_by_hand(before, found, moments, step, share * HEAD_RATE, grad_clip)
        shim.finish_update(optimizer)
        optimizer.step_schedules()
        for name, value in weights(shim).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
        assert gradients(shim) == {}


@pytest.mark.parametrize(
    "make_optimizer",
    [lambda: make_adamw(grad_clip=0.01, use_averages=True), lambda: Adam(0.1)],
)
def test_gradients_may_reach_the_optimizer_later(make_optimizer: Callable[[], Optimizer]) -> None:
    """`nlp.rehearse` gathers them; in between are updates as always."""
    once, gathering = make_shim(), make_shim()
    optimizers = make_optimizer(), make_optimizer()
    for gathers in (True, False, True):
        for shim in (once, gathering):
            backprop(shim)
        once.finish_update(optimizers[0])
        if gathers:
            gather_and_update(gathering, optimizers[1])
        else:
            gathering.finish_update(optimizers[1])
        assert gradients(gathering) == {}
        for name, expected in weights(once).items():
            np.testing.assert_array_equal(weights(gathering)[name], expected, err_msg=name)
    with once.use_params(optimizers[0].averages), gathering.use_params(optimizers[1].averages):
        for name, expected in weights(once).items():
            np.testing.assert_array_equal(weights(gathering)[name], expected, err_msg=name)


def test_an_optimizer_of_thinc_keeps_no_network_alive() -> None:
    shim, optimizer = make_shim(), Adam(0.1)
    backprop(shim)
    shim.finish_update(optimizer)
    network = weakref.ref(shim.module)
    assert optimizer.mom1
    del shim
    gc.collect()
    assert network() is None


def test_an_optimizer_of_thinc_trains_the_encoder_at_a_share_of_its_rate() -> None:
    """Of a first update by Adam that is the rate, whatever the gradients."""
    shim, optimizer = make_shim(encoder_rate=0.25), Adam(0.1, L2=0.0, grad_clip=0.0)
    backprop(shim)
    before = weights(shim)
    shim.finish_update(optimizer)
    for name, value in weights(shim).items():
        if name in ("unused", "frozen.weight", "frozen.bias"):
            rate = 0.0
        else:
            rate = 0.025 if name.startswith("encoder.") else 0.1
        change = np.abs(value - before[name])
        np.testing.assert_allclose(change, rate, rtol=1e-3, atol=1e-9, err_msg=name)


def test_an_optimizer_that_comes_later_knows_no_share_and_leaves_the_encoder() -> None:
    shim, optimizer = make_shim(encoder_rate=0.25), Adam(0.1)
    backprop(shim)
    before = weights(shim)
    gather_and_update(shim, optimizer)
    for name, value in weights(shim).items():
        stays = name.startswith(("encoder.", "frozen.")) or name == "unused"
        assert np.array_equal(value, before[name]) == stays, name


@pytest.mark.parametrize("gathers", [False, True])
def test_adamw_has_a_rate_for_the_encoder_and_asks_for_no_share(gathers: bool) -> None:
    shims = make_shim(), make_shim(encoder_rate=0.25)
    for shim in shims:
        backprop(shim)
        (gather_and_update if gathers else TorchShim.finish_update)(shim, make_adamw())
    for name, expected in weights(shims[0]).items():
        np.testing.assert_array_equal(weights(shims[1])[name], expected, err_msg=name)


def test_updates_by_an_optimizer_of_thinc() -> None:
    """Also of parameters without dimensions. thinc clips each gradient by itself, if at all."""
    shim, optimizer = make_shim(), Adam(0.1, L2=0.0, grad_clip=0.0)
    moments: dict[str, list[Array]] = {}
    for step in (1, 2, 3):
        backprop(shim)
        before, found = weights(shim), gradients(shim)
        shim.finish_update(optimizer)
        for name, value in weights(shim).items():
            expected = before[name]
            if name in found:
                expected = expected - 0.1 * adam(moments, name, found[name], step)
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6, err_msg=name)
    assert shim.module.scale.shape == ()


@pytest.mark.parametrize("make_optimizer", [make_adamw, lambda: Adam(0.1)])
def test_nothing_changes_without_gradients(make_optimizer: Callable[[], Optimizer]) -> None:
    shim = make_shim()
    before = weights(shim)
    shim.finish_update(make_optimizer())
    for name, value in weights(shim).items():
        assert (value == before[name]).all(), name


def test_gradients_of_calls_add_up() -> None:
    shim = make_shim()
    backprop(shim, X)
    first = gradients(shim)
    shim.module.zero_grad()
    backprop(shim, 2 * X)
    second = gradients(shim)
    shim.module.zero_grad()
    backprop(shim, X)
    backprop(shim, 2 * X)
    for name, value in gradients(shim).items():
        np.testing.assert_allclose(value, first[name] + second[name], rtol=1e-5, atol=1e-5)


def test_the_gradient_of_the_inputs() -> None:
    """By central differences, one input at a time."""
    shim = make_shim()
    shim.module.double()
    x = X[:2].double().requires_grad_()
    d_output = torch.arange(6.0, dtype=torch.float64).view(2, 3)
    _, callback = shim.begin_update([x])
    [d_x] = callback(d_output)
    assert d_x is not None
    for i in np.ndindex(2, 4):
        step = torch.zeros_like(x)
        step[i] = 1e-6
        ends = [(shim.predict([x.detach() + sign * step]) * d_output).sum() for sign in (1, -1)]
        assert d_x[i].item() == pytest.approx((ends[0] - ends[1]).item() / 2e-6, abs=1e-5)


@pytest.mark.parametrize("keep_nothing", [False, True])
def test_an_answer_in_between_changes_no_gradient(keep_nothing: bool) -> None:
    """A listener's gradient comes late: the component may have been asked for an answer before."""
    found = []
    for asked in (False, True):
        shim = make_shim(dropout=0.5)
        torch.manual_seed(1)
        output, callback = shim.begin_update([X], keep_nothing=keep_nothing)
        if asked:
            shim.predict([X])
        callback(torch.ones_like(output))
        found.append(gradients(shim))
    for name, gradient in found[0].items():
        np.testing.assert_array_equal(gradient, found[1][name])


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_streaming_gives_the_answer_in_parts(mixed_precision: bool) -> None:
    """The network computes without gradients, the caller between two parts as the caller likes."""
    shim = make_shim(dropout=0.5, mixed_precision=mixed_precision)
    shim.module.train()
    parts = []
    for part in shim.stream([X], n_parts=len(X)):
        assert part.is_inference()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        parts.append(part)
    assert len(parts) == len(X) > 1
    assert torch.equal(torch.cat(parts), shim.predict([X]))


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_running_again_for_the_gradient_changes_nothing(mixed_precision: bool) -> None:
    """The same dropout is drawn, though other numbers were drawn in between."""
    found = {}
    for keep_nothing in (False, True):
        shim = make_shim(dropout=0.5, mixed_precision=mixed_precision)
        x = X.clone().requires_grad_()
        torch.manual_seed(1)
        output, callback = shim.begin_update([x], keep_nothing=keep_nothing)
        torch.rand(7)
        [d_x] = callback(torch.ones_like(output))
        assert shim.module.n_calls == 1 + keep_nothing
        assert not output.requires_grad
        found[keep_nothing] = [output, d_x, *(p.grad for p in shim.module.parameters())]
        torch.manual_seed(2)
        other, _ = shim.begin_update([x], keep_nothing=keep_nothing)
        assert not torch.equal(other, output)
    for kept, again in zip(found[False], found[True], strict=True):
        assert (kept is None) == (again is None)
        assert kept is None or torch.equal(kept, again)


def test_mixed_precision_is_bfloat16_with_weights_in_single() -> None:
    plain, mixed = make_shim(), make_shim(mixed_precision=True)
    output = mixed.predict([X])
    assert output.dtype == torch.bfloat16 or not torch.equal(output, plain.predict([X]))
    torch.testing.assert_close(output.float(), plain.predict([X]), rtol=0.05, atol=0.05)
    backprop(mixed)
    assert {p.dtype for p in mixed.module.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in mixed.module.parameters() if p.grad is not None} == {
        torch.float32
    }


def test_predictions_are_made_without_dropout_or_gradients() -> None:
    shim = make_shim(dropout=0.5)
    shim.begin_update([X])
    first, second = shim.predict([X]), shim.predict([X])
    assert torch.equal(first, second)
    assert not first.requires_grad


def averaged_by_hand(history: list[dict[str, Array]]) -> dict[str, Array]:
    averages = {name: np.zeros_like(value) for name, value in history[0].items()}
    for n, values in enumerate(history, start=1):
        kept = min((1 + n) / (10 + n), 0.9999)
        for name, value in values.items():
            averages[name] = kept * averages[name] + (1 - kept) * value
    return averages


@pytest.mark.parametrize(
    "make_optimizer", [lambda: make_adamw(use_averages=True), lambda: Adam(0.1)]
)
def test_averages_stand_in_for_the_weights(make_optimizer: Callable[[], Optimizer]) -> None:
    shim, optimizer = make_shim(), make_optimizer()
    history = []
    for _ in range(4):
        backprop(shim)
        shim.finish_update(optimizer)
        history.append(weights(shim))
    for first, second in pairwise(history):
        assert (first["scale"] != second["scale"]).all()
    expected = averaged_by_hand(history)
    for name in ("unused", "frozen.weight", "frozen.bias"):  # never updated: never averaged
        expected[name] = history[0][name]
    before, answer = weights(shim), shim.predict([X])
    with shim.use_params(optimizer.averages):
        for name, value in weights(shim).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
        assert not torch.equal(shim.predict([X]), answer)
    with pytest.raises(ZeroDivisionError), shim.use_params(optimizer.averages):
        _ = 1 / 0
    for name, value in weights(shim).items():
        assert (value == before[name]).all(), name


def test_averages_of_others_are_left_alone() -> None:
    shim = make_shim()
    before = weights(shim)
    with shim.use_params({(shim.id + 1, "scale"): np.zeros(1, dtype="f"), (0, "W"): None}):
        assert weights(shim)["scale"] == before["scale"]
    with TorchShim(build).use_params({(1, "scale"): None}):
        pass


def test_a_new_optimizer_starts_anew_and_a_copy_goes_its_own_way() -> None:
    shim, fresh = make_shim(), make_shim()
    backprop(shim)
    shim.finish_update(make_adamw())
    copied = shim.copy()
    with torch.no_grad():
        for ours, theirs in zip(fresh.module.parameters(), shim.module.parameters(), strict=True):
            ours.copy_(theirs)
    for each in (shim, fresh, copied):
        backprop(each)
        each.finish_update(make_adamw(weight_decay=0.5))
    for name, expected in weights(fresh).items():
        np.testing.assert_array_equal(weights(shim)[name], expected)
        np.testing.assert_array_equal(weights(copied)[name], expected)


def test_a_copy_shares_the_memory_of_frozen_weights_alone() -> None:
    shim = make_shim()
    copied = copy.deepcopy([shim, shim])[1]
    pairs = zip(shim.module.named_parameters(), copied.module.named_parameters(), strict=True)
    for (name, ours), (_, theirs) in pairs:
        assert torch.equal(ours, theirs)
        assert ours.requires_grad == theirs.requires_grad
        assert (ours.data_ptr() == theirs.data_ptr()) == name.startswith("frozen."), name
    copied.module.double()  # as moving it to a GPU does: it gets memory of its own
    assert {p.dtype for p in shim.module.parameters()} == {torch.float32}
    assert copied.module.frozen.weight.dtype == torch.float64
    assert TorchShim(build).copy()._model is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_one_thread_and_does_not_hang() -> None:
    make_shim()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    x = torch.ones(400, 400)
    try:
        _ = x @ x  # starts the pool of threads that a child does not have
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            signal.alarm(20)
            product = float((x @ x).exp().neg()[0, 0].exp() + x.sum())
            os.write(writer, f"{torch.get_num_threads()} {product}".encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as answer:
            assert answer.read() == "1 160000.0"
        assert os.waitpid(child, 0)[1] == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


NO_NETWORK = """
import os, spacy, torch
torch.set_num_threads(2)
spacy.blank("en")  # imports all components that are installed
import spacy_sener.pipeline.sener
child = os.fork()
if not child:
    os._exit(torch.get_num_threads() != 2 or "TOKENIZERS_PARALLELISM" in os.environ)
raise SystemExit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_programs_without_a_network_of_ours_fork_as_they_did() -> None:
    env = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    subprocess.run([sys.executable, "-c", NO_NETWORK], env=env, check=True)


def test_apples_gpu_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spacy_sener.shim.get_torch_default_device", lambda: torch.device("mps"))
    assert make_shim().device.type == "cpu"
