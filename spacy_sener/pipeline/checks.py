"""What both components check, with errors that name the component and the setting."""

import gc
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from spacy.tokens import Doc

from ..gold import describe


def check_choice(name: str, setting: str, value: str, choices: Sequence[str]) -> None:
    """Raise ValueError for a value that there is not."""
    if value not in choices:
        raise ValueError(
            f"[components.{name}] {setting} = '{value}' is not one of {', '.join(choices)}."
        )


def check_threshold(name: str, threshold: float) -> None:
    """Raise ValueError for what is no probability."""
    check_share(name, "threshold", threshold)


def check_share(name: str, setting: str, value: float) -> None:
    """Raise ValueError for what is not from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"[components.{name}] {setting} must lie in [0, 1], not {value}.")


def require_finite(name: str, loss: float, docs: Sequence[Doc], *, step: int) -> None:
    """Raise ValueError if the loss is not a finite number, naming the update and the documents."""
    if not math.isfinite(loss):
        documents = "; ".join(describe(doc) for doc in docs)
        raise ValueError(
            f"At step {step} the loss of '{name}' is {loss}, in these "
            f"documents: {documents}. This step changed no weights. Lower the learning rates, "
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
