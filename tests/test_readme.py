"""What the README shows works as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest
from spacy.util import fix_random_seed

README = Path(__file__).parents[1] / "README.md"


def test_the_ten_lines_find_what_they_were_shown_and_draw_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ten_lines, block_view = re.findall(
        r"```python\n(.*?)```", README.read_text(encoding="utf8"), re.DOTALL
    )
    fix_random_seed(0)
    names: dict[str, Any] = {}
    exec(compile(ten_lines, str(README), "exec"), names)  # noqa: S102 - our own README
    labels = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["PERSON", "POST", "WORK"]
    exec(compile(block_view, str(README), "exec"), names)  # noqa: S102
    assert "{--given:teal}" in names["html"]
