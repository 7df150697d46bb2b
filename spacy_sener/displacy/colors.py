"""Colours of labels, from where displaCy takes its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from spacy.displacy.render import DEFAULT_LABEL_COLORS
from spacy.errors import Errors
from spacy.util import registry

PALETTE = [
    "#4e9ecf", "#f4b942", "#e4695e", "#3fb58c", "#9b7bd4", "#d97fb6",
    "#7aa83e", "#56b8c9", "#c98a4b", "#6c7fd8", "#b3a125", "#8d99a6",
]  # fmt: skip
ALIKE = 70
"""Distance of two colours in red, green and blue, below which they are easily taken for another."""
COLOR = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]+"
    r"|(?:rgb|hsl|hwb|lab|lch|oklab|oklch)a?\([-0-9a-z.,%/ ]+\)",
    re.ASCII | re.IGNORECASE,
)
"""What has the form of a CSS colour, and nothing that could end a rule. Any word may be a name."""


def label_colors(labels: Sequence[str], colors: Mapping[str, str]) -> list[str]:
    """A CSS colour for each label.

    As in displaCy, labels are compared in upper case; a colour in `colors` goes before one that a
    package registered (entry points `spacy_displacy_colors`), and that before spaCy's own. The
    other labels are coloured from `PALETTE` in turn.
    Raises ValueError for what has not the form of a CSS colour; whether there is a colour of a name
    is not looked up, and a browser takes none for a misspelt one.
    """
    known = {label.upper(): color for label, color in _known_colors(colors).items()}
    chosen = {label: known[label.upper()] for label in labels if label.upper() in known}
    for label, color in chosen.items():
        if not isinstance(color, str) or not COLOR.fullmatch(color):
            raise ValueError(
                f"colors: {color!r} for label {label!r} is not a CSS colour such as '#4e9ecf' or "
                "'teal'"
            )
    others = _other_colors(list(chosen.values()))
    return [chosen.get(label) or next(others) for label in labels]


def _known_colors(colors: Mapping[str, str]) -> dict[str, str]:
    known = dict(DEFAULT_LABEL_COLORS)
    for registered in registry.displacy_colors.get_all().values():
        given = registered() if callable(registered) else registered
        if not isinstance(given, dict):
            raise ValueError(Errors.E925.format(obj=type(given)))
        known.update(given)
    return {**known, **colors}


def _other_colors(taken: list[str]) -> Iterator[str]:
    """The palette less what looks like colours taken, then hues far from the ones before."""
    yield from (color for color in PALETTE if not any(_alike(color, one) for one in taken))
    for number in count():  # in steps of the golden angle
        yield f"oklch({0.55 + 0.12 * (number % 2):.2f} 0.12 {number * 137.5 % 360:.1f})"


def _alike(color: str, other: str) -> bool:
    """Whether one of the palette and another are nearly the same, if that is a #rrggbb, too."""
    if len(other) != 7 or other[0] != "#":
        return False
    channels = [(int(color[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return sum((one - two) ** 2 for one, two in channels) < ALIKE**2
