"""The learning rate at each step, and settings that cannot be."""

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest
from spacy.util import registry
from thinc.api import Linear
from toy_shim import backprop, make_shim

from spacy_sener.optimizers import AdamW, build_adamw_v1


def rates(optimizer: AdamW, n: int) -> list[float]:
    """As spaCy's training loop reads them: one value for each update, then a step."""

    def each() -> Iterator[float]:
        while True:
            yield optimizer.learn_rate
            optimizer.step_schedules()

    return list(islice(each(), n))


def test_warm_up_and_decay() -> None:
    optimizer = build_adamw_v1(2.0, 0.5, warmup_steps=3, total_steps=8)
    rising, falling = [0.5, 1.0, 1.5], [2.0, 1.6, 1.2, 0.8, 0.4]
    assert rates(optimizer, 11) == pytest.approx([*rising, *falling, 0.4, 0.4, 0.4])
    assert optimizer.encoder_scale == pytest.approx(0.25)


@pytest.mark.parametrize(("warmup_steps", "total_steps"), [(0, 10), (1, 10), (9, 10), (100, 1000)])
def test_no_update_is_made_at_a_rate_of_zero(warmup_steps: int, total_steps: int) -> None:
    optimizer = build_adamw_v1(3.0, warmup_steps=warmup_steps, total_steps=total_steps)
    found = np.array(rates(optimizer, total_steps + 5))
    assert found.min() > 0
    assert found.max() == found[warmup_steps] == 3.0
    assert (np.diff(found[: warmup_steps + 1]) > 0).all()
    assert (np.diff(found[warmup_steps:total_steps]) < 0).all()
    # The steps down are equal, and the last of them would lead to zero.
    assert np.allclose(
        np.diff(found[warmup_steps:total_steps]), -3.0 / (total_steps - warmup_steps)
    )


def test_without_steps_the_rate_stays() -> None:
    assert rates(build_adamw_v1(3.0, warmup_steps=0, total_steps=0), 4) == [3.0] * 4


def pickled(optimizer: AdamW) -> AdamW:
    sent: AdamW = pickle.loads(pickle.dumps(optimizer))  # noqa: S301 - our own
    return sent


@pytest.mark.parametrize("send", [copy.deepcopy, pickled])
def test_a_copy_goes_on_where_it_was_made(send: Callable[[AdamW], AdamW]) -> None:
    optimizer = build_adamw_v1(2.0, 0.5, warmup_steps=3, total_steps=8)
    rates(optimizer, 4)
    sent = send(optimizer)
    assert rates(sent, 6) == rates(optimizer, 6)


def updates_warned_of(optimizer: AdamW, n: int, *, stepped: bool) -> list[int]:
    """Those of two networks at which somebody is told that the rates do not change."""
    shims = make_shim(), make_shim()
    warned = []
    for number in range(n):
        for shim in shims:
            backprop(shim)
            with warnings.catch_warnings(record=True) as found:
                warnings.simplefilter("always")
                shim.finish_update(optimizer)
            warned += [number for each in found if "step_schedules" in str(each.message)]
        if stepped:
            optimizer.step_schedules()
    return warned


def test_a_loop_that_does_not_step_is_told() -> None:
    optimizer = build_adamw_v1(warmup_steps=5, total_steps=100)
    assert updates_warned_of(optimizer, 25, stepped=False) == [9, 9]  # once for each network
    assert optimizer.learn_rate == pytest.approx(7e-4 / 6)
    optimizer = build_adamw_v1(warmup_steps=5, total_steps=100)
    assert not updates_warned_of(optimizer, 25, stepped=True)
    constant = build_adamw_v1(warmup_steps=0, total_steps=0)
    assert not updates_warned_of(constant, 25, stepped=False)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("head_learn_rate", 0.0),
        ("head_learn_rate", -1e-3),
        ("encoder_learn_rate", -1e-3),
        ("grad_clip", 0.0),
        ("weight_decay", -0.1),
        ("warmup_steps", -1),
        ("warmup_steps", 1001),
        ("total_steps", 99),
        ("total_steps", 100),
    ],
)
def test_a_setting_that_cannot_be_is_named(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"\[training.optimizer\].*{setting}.* {value}\b"):
        build_adamw_v1(**{setting: value})


def test_it_is_registered() -> None:
    config = {"optimizer": {"@optimizers": "spacy-sener.AdamW.v1", "warmup_steps": 0}}
    optimizer = registry.resolve(config)["optimizer"]
    assert isinstance(optimizer, AdamW)
    assert optimizer.learn_rate == 7e-4
    assert optimizer.averages is None
    assert build_adamw_v1(use_averages=True).averages == {}


def test_it_trains_layers_without_torch() -> None:
    """A tagger in the same pipeline learns at the head's rate, by thinc's Adam."""
    optimizer = build_adamw_v1(head_learn_rate=0.01, warmup_steps=0, weight_decay=0.0)
    model = Linear(2, 3).initialize()
    before = model.get_param("W").copy()
    _, backprop = model.begin_update(np.ones((1, 3), dtype="f"))
    backprop(np.full((1, 2), 0.1, dtype="f"))
    model.finish_update(optimizer)
    # The first step of Adam is as long as the rate.
    np.testing.assert_allclose(model.get_param("W"), before - 0.01, atol=1e-5)
