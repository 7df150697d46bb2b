"""What both components check, with errors that name the component and the setting."""

import gc
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

from spacy.errors import Errors
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples

from ..decoding import LABELS_PER_SPAN, OVERLAPS
from ..gold import describe
from ..nn.position_table import position_capacity
from ..shim import torch_shim


def begin_update(
    pipe: TrainablePipe,
    examples: Iterable[Example],
    losses: dict[str, float] | None,
    *,
    method: str = "update",
) -> tuple[list[Example], dict[str, float]]:
    """The examples, and the losses with the component's among them.

    Raises what spaCy does for what are no examples, and ValueError before nlp.initialize().
    """
    losses = {} if losses is None else losses
    losses.setdefault(pipe.name, 0.0)
    examples = list(examples)
    validate_examples(examples, f"{type(pipe).__name__}.{method}")
    require_initialized(pipe)
    return examples, losses


def require_initialized(pipe: TrainablePipe) -> None:
    """Raise ValueError if the component has no weights yet."""
    if not pipe.model.has_dim("nO"):
        raise ValueError(Errors.E109.format(name=pipe.name))


def check_choice(name: str, setting: str, value: str, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that there is not."""
    if value not in choices:
        raise ValueError(
            f"[components.{name}] {setting} = '{value}' is not one of {', '.join(choices)}."
        )


def check_decoding(
    name: str, settings: Mapping[str, Any], overlaps: Sequence[str] = OVERLAPS
) -> None:
    """Raise ValueError for settings of `decode` that there are not. overlaps: what may overlap."""
    check_share(name, "threshold", settings["threshold"])
    check_choice(name, "overlap", settings["overlap"], overlaps)
    check_choice(name, "labels_per_span", settings["labels_per_span"], LABELS_PER_SPAN)


def check_share(name: str, setting: str, value: float) -> None:
    """Raise ValueError for what is no number from 0 to 1."""
    if not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(
            f"[components.{name}] {setting} must be a number in [0, 1], not {value!r}."
        )


def check_least(name: str, setting: str, value: int, least: int) -> None:
    """Raise ValueError for what is less."""
    if value < least:
        raise ValueError(f"[components.{name}] {setting} must be at least {least}, not {value}.")


def check_positions(pipe: TrainablePipe) -> None:
    """Raise ValueError where windows may be longer than the encoder has positions for."""
    module: Any = torch_shim(pipe.model).module if pipe.model.has_dim("nO") else None
    encoder = getattr(module, "encoder", None)  # a table over a tok2vec has none
    capacity = None if encoder is None else position_capacity(encoder.config)
    max_pieces = pipe.model.attrs["max_pieces"]
    if capacity is not None and max_pieces > capacity:
        raise ValueError(
            f"[components.{pipe.name}] max_pieces = {max_pieces}, but the encoder has positions "
            f"for {capacity} word pieces: set it to that or less. An encoder gets more positions "
            "when it is loaded: set max_pieces before training, for nlp.initialize(), or import a "
            f"checkpoint of GLiNER with --max-pieces {max_pieces}."
        )


def keys_with_spans(name: str, keys: Iterable[str]) -> str:
    """What an error says of the keys of doc.spans, where there are no spans under the one set."""
    found = sorted(keys)
    if not found:
        return "The keys that have some: none."
    setting = f"[components.{name}] spans_key"
    return f"The keys that have some: {found}. If yours is one of them, set {setting} to it."


def require_finite(name: str, loss: float, docs: Sequence[Doc], *, number: int) -> None:
    """Raise ValueError if the loss is not a finite number, naming the update and the documents.

    number: of the calls of `update` so far.
    """
    if not math.isfinite(loss):
        documents = "; ".join(describe(doc) for doc in docs)
        raise ValueError(
            f"At call {number} the loss of '{name}' is {loss}, in these "
            f"documents: {documents}. This call changed no weights. Lower the learning rates, "
            "or set mixed_precision to false."
        )


@contextmanager
def loading(name: str, where: str) -> Iterator[None]:
    """Name the component and the place in errors of what is damaged."""
    collects = gc.isenabled()
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"'{name}' cannot be loaded from {where}, which may be damaged or incomplete: {error}"
        ) from error
    finally:
        if collects:
            gc.enable()  # srsly leaves it switched off where it fails


class Warner:
    """Says the first of its warnings, and no other."""

    def __init__(self) -> None:
        self.warned = False

    def warn(self, message: str | None) -> None:
        """Warn, if there is a message and there was none before."""
        if message and not self.warned:
            self.warned = True
            warnings.warn(message, stacklevel=3)
