"""Colours of labels, from where displaCy takes its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from spacy.displacy.render import DEFAULT_LABEL_COLORS
from spacy.errors import Errors
from spacy.util import registry

PALETTE = [
    "#4e9ecf", "#f4b942", "#e4695e", "#3fb58c", "#9b7bd4", "#d97fb6",
    "#7aa83e", "#56b8c9", "#c98a4b", "#6c7fd8", "#b3a125", "#8d99a6",
]  # fmt: skip
COLOR = re.compile(
    r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+|(?:rgb|hsl|hwb|lab|lch|oklab|oklch)a?\([-0-9a-z.,%/ ]+\)"
)


def label_colors(labels: Iterable[str], colors: Mapping[str, str]) -> list[str]:
    """A CSS colour for each label.

    As in displaCy, labels are compared in upper case; a colour in `colors` goes before one that a
    package registered (entry points `spacy_displacy_colors`), and that before spaCy's own. The
    other labels are coloured from `PALETTE` in turn.
    Raises ValueError for what is not a CSS colour.
    """
    known = {label.upper(): color for label, color in _known_colors(colors).items()}
    n_given = 0
    chosen = []
    for label in labels:
        color = known.get(label.upper())
        if color is None:
            color = _palette_color(n_given)
            n_given += 1
        if not isinstance(color, str) or not COLOR.fullmatch(color):
            raise ValueError(
                f"colors: {color!r} for label {label!r} is not a CSS colour such as '#4e9ecf' or "
                "'teal'"
            )
        chosen.append(color)
    return chosen


def _known_colors(colors: Mapping[str, str]) -> dict[str, str]:
    known = dict(DEFAULT_LABEL_COLORS)
    for registered in registry.displacy_colors.get_all().values():
        given = registered() if callable(registered) else registered
        if not isinstance(given, dict):
            raise ValueError(Errors.E925.format(obj=type(given)))
        known.update(given)
    return {**known, **colors}


def _palette_color(number: int) -> str:
    """Beyond the palette: hues that are far from the ones before (the golden angle)."""
    if number < len(PALETTE):
        return PALETTE[number]
    return f"oklch({0.55 + 0.12 * (number % 2):.2f} 0.12 {number * 137.5 % 360:.1f})"
