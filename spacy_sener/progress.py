"""A progress bar for whoever waits for a long document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

from .windows import AnyWindow

SECONDS = 1.0
"""What takes less has no bar."""

_wanted = ContextVar("_wanted", default=False)


@contextmanager
def progress_bar() -> Iterator[None]:
    """Show on stderr how much of its documents a pipeline has read, where that takes a while.

        with progress_bar():
            doc = nlp(long_text)

    This holds for the thread that asks for it, and for `nlp(text)` and `nlp.pipe(texts)` in its
    own process. There is a bar for each batch: a batch of one document is that document's.
    """
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def tracked(groups: Sequence[list[AnyWindow]]) -> Iterator[list[AnyWindow]]:
    """The groups of windows of a batch, as they are read, with a bar if one was asked for."""
    if not _wanted.get():
        yield from groups
        return
    n_pieces = sum(window.size for group in groups for window in group)
    with tqdm(desc="Reading", total=n_pieces, unit=" pieces", delay=SECONDS, leave=False) as bar:
        for group in groups:
            yield group
            bar.update(sum(window.size for window in group))
