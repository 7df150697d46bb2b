"""What a pipeline's meta.json says of its scores, which `spacy package` publishes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def note_performance(
    meta: dict[str, Any], key: str, figures: Mapping[str, float | None] | None
) -> None:
    """Put precision, recall and F, if they are known, in place of all figures of a spans key.

    Those that were there are no longer the pipeline's own.
    """
    before = meta.get("performance", {})
    others = {name: before[name] for name in before if not name.startswith(f"spans_{key}_")}
    new = {f"spans_{key}_{name}": figures[name] for name in "prf"} if figures else {}
    meta["performance"] = {**others, **new}
