"""The labels that a document is asked for, as they stand in a file: for `doc._.gliner_labels`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .report import Report

AskedLabels = list[str] | dict[str, str]
"""Labels, or {label: its description}."""


def read_labels(fields: Mapping[str, Any], key: str, report: Report, where: str) -> AskedLabels:
    """The usable labels under a key, each once; none where the key is missing.

    Raises ValueError for what is neither a list nor an object.
    """
    value = fields.get(key)
    if isinstance(value, dict):
        return dict(_usable(value.items(), report, where))
    if value is not None and not isinstance(value, list):
        raise ValueError(f"'{key}' should be a list of labels, but is {type(value).__name__}")
    return list(dict(_usable(((label, label) for label in value or []), report, where)))


def joined(labels: AskedLabels, others: AskedLabels) -> AskedLabels:
    """The labels, and behind them those others that are not among them."""
    if isinstance(labels, list) and isinstance(others, list):
        return list(dict.fromkeys([*labels, *others]))
    first = _described(labels)
    return {**first, **{k: v for k, v in _described(others).items() if k not in first}}


def _described(labels: AskedLabels) -> dict[str, str]:
    return labels if isinstance(labels, dict) else {label: label for label in labels}


def _usable(
    pairs: Iterable[tuple[Any, Any]], report: Report, where: str
) -> Iterator[tuple[str, str]]:
    for label, description in pairs:
        if all(isinstance(text, str) and text.strip() for text in (label, description)):
            yield label, description
        else:
            report.add_problem("unusable label", where, [label, description])
