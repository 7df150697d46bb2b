"""What a model is asked: labels in plain words, and perhaps a task that stands before the text."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEAD_END = " <> "
"""Stands in a label between a head, which is some words of the text, and a relation."""


@dataclass(frozen=True)
class Prompt:
    """Labels, each once and in order, as they come out and as the model reads them."""

    labels: tuple[str, ...]
    """What comes out."""
    readings: tuple[str, ...]
    """What the model reads for each: its description, or the label itself."""
    task: str = ""
    """Words put before the text, such as "Who founded it?"; never part of a span of the text."""


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text: spaces, or characters without a width."""
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in text)


def make_prompt(labels: Sequence[str] | Mapping[str, str], *, task: str = "") -> Prompt:
    """A prompt that asks for labels, or for what their descriptions say: {label: description}.

    Of labels that are given twice the first one counts. Raises ValueError, which says what arrived,
    if there are no labels, or if a label, a description or the task is no string, holds a lone
    surrogate, or is blank (a task may be).
    """
    if isinstance(labels, str) or not isinstance(labels, Sequence | Mapping):
        raise ValueError(f"labels must be a list or a dict of strings, got {labels!r}")
    if not labels:
        raise ValueError(f"labels are empty ({labels!r}): name at least one, such as ['person']")
    if not isinstance(task, str):
        raise ValueError(f"the task must be a string, got {task!r}")
    _require_characters(task, "the task")
    names: Mapping[Any, Any] = labels if isinstance(labels, Mapping) else _as_they_are(labels)
    for name, reading in names.items():
        _require_text(name, "a label")
        _require_text(reading, f"the description of the label {name!r}")
    return Prompt(tuple(names), tuple(names.values()), task)


def _as_they_are(labels: Sequence[Any]) -> dict[Any, Any]:
    for label in labels:
        _require_text(label, "a label")  # what is no string may not go into a dict
    return {label: label for label in labels}


def _require_text(value: Any, what: str) -> None:
    if not isinstance(value, str) or is_blank(value):
        raise ValueError(f"{what} must be a string that is not blank, got {value!r}")
    _require_characters(value, what)


def _require_characters(text: str, what: str) -> None:
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} holds half a character, a surrogate: {text!r}") from error
