"""What the scripts start, without the seconds that a process of its own takes."""

import sys

from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_sener.cli  # noqa: F401 - the import adds the commands


def run_command(command: list[str]) -> None:
    """As weasel's: a command of spaCy that is to print what it has to say, and to succeed."""
    assert command[:3] == [sys.executable, "-m", "spacy"]
    result = CliRunner().invoke(app, command[3:])
    print(result.output)
    if result.exit_code:
        sys.exit(result.exit_code)
