"""A band worked through in strips: consecutive rows, few enough for a processor's cache.

What a layer computes of a strip needs the strips beside it at most. So layers are chained as
generators: each asks the one below for the next strip when it needs one, and no table is ever
whole. Memory stays flat in the text, and small tensors are used again instead of being mapped and
zeroed by the kernel for every operation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .band import valid_cells

CELLS_AT_ONCE = {"cpu": 2**15, "cuda": 2**20}
"""Cells of a strip: what fits the cache of a CPU, and what occupies a GPU."""
MARGIN = 2
"""Rows of its neighbours that a strip may need even where the window is narrower."""

Neighbours = tuple[Tensor | None, Tensor, Tensor | None]
"""A strip between the one before and the one after it, None at the ends of the text."""


@dataclass(frozen=True)
class Strips:
    """How the bands of some texts are cut, the same for each of their layers."""

    lengths: Tensor
    """(batch_size,), in tokens."""
    n_tokens: int
    """Rows of each band: tokens of the longest text."""
    window: int
    recompute: bool = False
    """Compute the inside of a layer again in the backward pass instead of keeping it."""

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """First row and end of each strip. All but the last have at least as many rows as the
        window, and `MARGIN`."""
        rows = cells_at_once(self.lengths) // (len(self.lengths) * (2 * self.window + 1))
        step = max(rows, self.window, MARGIN)
        return [(i, min(i + step, self.n_tokens)) for i in range(0, self.n_tokens, step)]

    def valid(self, margin: int = 0) -> Iterator[Tensor | None]:
        """For each strip with `margin` rows around it the cells that join two tokens of the text.

        Yields (batch_size, rows, 2 * window + 1), True where valid; None if all are.
        """
        for begin, end in self.bounds:
            begin, end = begin - margin, end + margin
            if begin >= self.window and end + self.window <= self._shortest:
                yield None
            else:
                yield valid_cells(self.lengths, end - begin, self.window, first_row=begin)

    def map(
        self, layer: Callable[..., Tensor], *inputs: Iterable[Tensor | Neighbours | None]
    ) -> Iterator[Tensor]:
        """Apply a layer to one strip after the other, which it takes from each of the inputs.

        Neighbours become three arguments. No gradient reaches what the layer gets in another way.
        """
        for arguments in zip(*inputs, strict=True):
            tensors = [x for each in arguments for x in (each if type(each) is tuple else [each])]
            if self.recompute and any(x is not None and x.requires_grad for x in tensors):
                # Reentrant: the graph of each layer that the other kind builds and throws away
                # leaves small objects between the large tensors, and the heap full of holes.
                yield checkpoint(layer, *tensors, use_reentrant=True)
            else:
                yield layer(*tensors)

    @cached_property
    def _shortest(self) -> int:
        return int(self.lengths.min())


def cells_at_once(like: Tensor) -> int:
    """Cells that a strip may have on the device of `like`."""
    return CELLS_AT_ONCE.get(like.device.type, CELLS_AT_ONCE["cuda"])


def cut(lengths: Tensor, window: int, *, recompute: bool = False) -> Iterator[tuple[slice, Strips]]:
    """Texts of a batch that share strips, in order, and these.

    Short texts stand together, as many as a strip holds; a longer one stands alone, without
    padding. No table is wider than its longest text.

    lengths: (batch_size,), in tokens. window: one-sided, in tokens.
    """
    first, longest = 0, 0
    sizes = lengths.tolist()
    for i, size in enumerate(sizes):
        widest = max(longest, size)
        cells = (i + 1 - first) * widest * (2 * min(window, widest) + 1)
        if i > first and cells > cells_at_once(lengths):
            yield _group(lengths, first, i, longest, window, recompute)
            first, widest = i, size
        longest = widest
    if sizes:
        yield _group(lengths, first, len(sizes), longest, window, recompute)


def _group(
    lengths: Tensor, first: int, end: int, longest: int, window: int, recompute: bool
) -> tuple[slice, Strips]:
    texts = slice(first, end)
    return texts, Strips(lengths[texts], longest, min(window, max(longest - 1, 0)), recompute)


def twice(strips: Iterable[Tensor]) -> tuple[Iterator[Tensor], Iterator[Tensor]]:
    """Two iterators over the same strips, of which each is let go when both have passed it.

    `itertools.tee` keeps up to 57 items that are long done with.
    """
    source = iter(strips)
    waiting: tuple[deque[Tensor], deque[Tensor]] = deque(), deque()

    def read(own: deque[Tensor]) -> Iterator[Tensor]:
        while True:
            if not own:
                try:
                    strip = next(source)
                except StopIteration:
                    return
                for queue in waiting:
                    queue.append(strip)
                del strip  # or this frame would hold it as long as the next one is not asked for
            yield own.popleft()

    return read(waiting[0]), read(waiting[1])


def neighbours(strips: Iterable[Tensor]) -> Iterator[Neighbours]:
    """Each strip with those beside it."""
    strips = iter(strips)
    before, current = None, next(strips, None)
    for after in strips:
        assert current is not None
        yield before, current, after
        before, current = current, after
    if current is not None:
        yield before, current, None
