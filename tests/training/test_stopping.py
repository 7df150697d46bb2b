"""A signal is noted, for the step that is going on to end; a second one does as it always did."""

import os
import signal
from typing import Any

import pytest

from spacy_sener.training.stopping import stopping


def handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number: int) -> None:
    before = handlers()
    with stopping() as stopped:
        assert stopped() is None
        assert all(handler != before[each] for each, handler in handlers().items())
        os.kill(os.getpid(), number)
        assert stopped() == number
        assert handlers() == before
    assert handlers() == before


def test_the_second_ctrl_c_ends_at_once() -> None:
    # A shell may have started us in the background, where Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _ask_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def _ask_twice() -> None:
    with stopping() as stopped:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stopped() == signal.SIGINT


def test_without_a_signal_all_is_as_before() -> None:
    before = handlers()
    with stopping():
        pass
    assert handlers() == before
