"""Which documents are held out: decided by a hash of each, never by the order of a file."""

from collections.abc import Iterable
from hashlib import sha256


def held_out(keys: Iterable[str], share: float, seed: int = 0) -> set[str]:
    """About `share` of the different keys, at least one and never all.

    Equal keys are never parted, and a key keeps its rank when others come or go. Give texts as
    keys where documents may be there twice.
    Raises ValueError for fewer than two different keys, and for a share that is not in (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"the share that is held out should lie between 0 and 1, but is {share}")
    ranked = sorted(set(keys), key=lambda key: sha256(f"{seed} {key}".encode()).digest())
    if len(ranked) < 2:
        raise ValueError(f"two parts need two different documents, but there is {len(ranked)}")
    size = round(share * len(ranked))
    return set(ranked[: min(max(size, 1), len(ranked) - 1)])
