"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest
from spacy.util import fix_random_seed

README = Path(__file__).parents[1] / "README.md"


def test_the_ten_lines_find_what_they_were_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf8"), re.DOTALL)
    fix_random_seed(0)
    exec(compile(code, str(README), "exec"), {})  # noqa: S102 - our own README
    labels = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["PERSON", "POST", "WORK"]
