"""AdamW as SeNER is trained: two learning rates, warm-up and decay, clipping by the global norm."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from thinc.api import Optimizer
from thinc.types import FloatsXd, Generator

PATIENCE = 10
"""Updates after which somebody should have called `AdamW.step_schedules`."""


class TorchKey(tuple[int, str]):
    """What optimizers know a torch parameter by, and how an AdamW that comes later updates it.

    `nlp.rehearse` has components give their gradients to a function of its own, and only then,
    one by one, to the optimizer.
    """

    take: Callable[[AdamW, FloatsXd], None]


class AdamW(Optimizer):
    """Settings of a torch AdamW that `shim.TorchShim` runs over the torch parameters.

    Weights of other components of a pipeline (no torch in them) are updated by thinc's Adam with
    the head's learning rate. `learn_rate` is the head's, `encoder_scale` the encoder's share of it,
    and after `total_steps` updates both stay at their last; 0: they never change.
    """

    def __init__(
        self,
        *,
        head_learn_rate: float,
        encoder_learn_rate: float,
        warmup_steps: int,
        total_steps: int,
        weight_decay: float,
        grad_clip: float,
        use_averages: bool,
    ) -> None:
        super().__init__(
            cast(Generator, WarmupLinear(head_learn_rate, warmup_steps, total_steps)),
            L2=weight_decay,
            grad_clip=grad_clip,
            use_averages=use_averages,
        )
        self.encoder_scale = encoder_learn_rate / head_learn_rate
        self.total_steps = total_steps
        self._is_stepped = False
        self._n_updates: Counter[int] = Counter()

    def step_schedules(self) -> None:
        """Go on to the rates of the next update."""
        self._is_stepped = True
        super().step_schedules()  # type: ignore[no-untyped-call]  # thinc types it not

    def note_update(self, network: int) -> None:
        """Count an update of a network. Warns where the rates should change by now, and do not."""
        if self._is_stepped or self.total_steps == 0:
            return
        self._n_updates[network] += 1
        if self._n_updates[network] == PATIENCE:
            warnings.warn(
                f"After {PATIENCE} updates the rates of AdamW are still those of the first, "
                f"{self.learn_rate:.2g} for the head: call optimizer.step_schedules() after every "
                "update, or set warmup_steps and total_steps to 0.",
                stacklevel=2,
            )

    def __call__(
        self,
        key: tuple[int, str],
        weights: FloatsXd,
        gradient: FloatsXd,
        *,
        lr_scale: float = 1.0,
    ) -> tuple[FloatsXd, FloatsXd]:
        """Update a weight: one of torch with all others of its module, any other by thinc's Adam.

        Those of a module are updated when the last of them has come: they share one gradient norm.
        """
        if not isinstance(key, TorchKey):
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        key.take(self, gradient)
        return weights, gradient


def build_adamw_v1(
    head_learn_rate: float = 7e-4,
    encoder_learn_rate: float = 4e-4,
    warmup_steps: int = 100,
    total_steps: int = 1000,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    use_averages: bool = False,
) -> AdamW:
    """Registered as `spacy-sener.AdamW.v1`. The learning rates are the paper's for scholar-xl.

    Both learning rates rise over `warmup_steps` updates and then fall, nearly to zero at
    `total_steps`; set that to what `training.max_steps` allows. `grad_clip` bounds the norm of all
    gradients of a component together. `use_averages` evaluates and saves a moving average of the
    weights, at the cost of a copy of what is trained. Raises ValueError on a rate, step count or
    bound that cannot be, and where warm-up leaves no update to fall in; with both step counts 0 the
    rates stay as they are.

    In a training loop of your own call `optimizer.step_schedules()` after every update, as spaCy
    does in its own: the rates change there.
    """
    for name, value in [("head_learn_rate", head_learn_rate), ("grad_clip", grad_clip)]:
        if value <= 0:
            raise ValueError(f"[training.optimizer] {name} must be above 0, not {value}.")
    for name, value in [("encoder_learn_rate", encoder_learn_rate), ("weight_decay", weight_decay)]:
        if value < 0:
            raise ValueError(f"[training.optimizer] {name} must be 0 or more, not {value}.")
    if not (0 <= warmup_steps < total_steps or warmup_steps == total_steps == 0):
        raise ValueError(
            "[training.optimizer] warmup_steps must be 0 or more and below total_steps, so that "
            f"the rates fall; they are {warmup_steps} and {total_steps}."
        )
    return AdamW(
        head_learn_rate=head_learn_rate,
        encoder_learn_rate=encoder_learn_rate,
        warmup_steps=warmup_steps,
        total_steps=total_steps,
        weight_decay=weight_decay,
        grad_clip=grad_clip,
        use_averages=use_averages,
    )


@dataclass
class WarmupLinear:
    """Linear from rate / (warmup_steps + 1) up to `rate`, then linear down to a last small rate.

    No update is made at a rate of zero: the first would be lost, and a run that goes on past
    `total_steps` would train nothing without a word. No generator, as a pipeline keeps its
    optimizer, and is pickled for a spawned worker.
    """

    rate: float
    warmup_steps: int
    total_steps: int
    step: int = 0

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        self.step += 1
        if self.step <= self.warmup_steps:
            return self.rate * self.step / (self.warmup_steps + 1)
        decay_steps = max(1, self.total_steps - self.warmup_steps)
        decayed = min(self.step - self.warmup_steps - 1, decay_steps - 1)
        return self.rate * (1 - decayed / decay_steps)
