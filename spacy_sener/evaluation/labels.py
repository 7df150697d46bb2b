"""Whether a pipeline and the data that it is held to speak of the same labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MOST = 10
"""Labels that a message lists."""


def no_common_label(
    per_type: Mapping[str, Mapping[str, Any]], known: Collection[str]
) -> str | None:
    """What to say if no gold span has a label that the pipeline can give, else None.

    per_type: of a report. known: the pipeline's labels; where there are none, those predicted.
    """
    gold = [label for label, row in per_type.items() if row["gold"]]
    known = known or [label for label, row in per_type.items() if row["predicted"]]
    if not gold or not known or set(gold) & set(known):
        return None
    return (
        "The data and the pipeline share no label, so nothing that is found can be right. The data "
        f"has {_listed(gold)}; the pipeline has {_listed(known)}. They have to be the same, letter "
        "by letter."
    )


def _listed(labels: Collection[str]) -> str:
    shown = sorted(labels)
    more = f" and {len(shown) - MOST} more" if len(shown) > MOST else ""
    return ", ".join(shown[:MOST]) + more
