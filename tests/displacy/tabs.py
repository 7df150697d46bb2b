"""What can be seen and clicked in a tab of the browser."""

import re
from collections.abc import Callable
from typing import Any

from displacy.helpers import make_doc
from spacy.tokens import Doc

Open = Callable[..., Any]
LINE = " ".join(["word"] * 16) + "\n"


def nested() -> Doc:
    """Ten lines of 17 tokens: an outer block, one inside, one that crosses, and two short spans."""
    spans = [(17, 102, "outer"), (34, 68, "inner"), (60, 120, "cross"), (0, 3, "short")]
    spans.append((35, 37, "short"))
    return make_doc(LINE * 10, spans, [0.95, 0.6, 0.8, 0.9, 0.55])


def shown(tab: Any, selector: str) -> list[str]:
    """Text, or else the name, of the elements that can be seen."""
    return tab.evaluate(
        """(selector) => [...document.querySelectorAll(selector)]
          .filter((element) => element.checkVisibility({
            contentVisibilityAuto: false, visibilityProperty: true }))
          .map((element) => element.dataset.t || element.querySelector("b")?.textContent
            || element.textContent)""",
        selector,
    )


def box(tab: Any, name: str) -> Any:
    """The box of a label or verdict in the legend."""
    return tab.get_by_role("checkbox", name=re.compile(rf"{name} \d+$"))


def rows(tab: Any) -> list[str]:
    """Line numbers of the rows that can be seen."""
    return tab.evaluate(
        """() => [...document.querySelectorAll(".row")]
          .filter((row) => row.firstElementChild.checkVisibility())
          .map((row) => row.querySelector(".text").dataset.n)"""
    )
