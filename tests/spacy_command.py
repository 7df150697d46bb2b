"""spaCy's commands, in this process."""

from spacy.cli._util import app
from typer.testing import CliRunner


def run(*arguments: object) -> str:
    """Run a command of spaCy that must succeed; gives what it printed."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exit_code:
        raise AssertionError(result.output) from result.exception
    return result.output
