"""JSON objects in which a key comes twice: which of its values was meant, nobody can tell."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """As `object_pairs_hook` of `json`: the object. Raises ValueError for a key that comes twice.

    The `json` module keeps the last value and does not say so.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} comes twice in one object")
    return found
