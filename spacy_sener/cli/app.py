"""The `sener` group among spaCy's commands."""

import typer
from spacy.cli._util import app as spacy_app

from .messages import take_any_text

app = typer.Typer(
    name="sener",
    help="Long, nested entities: from annotated files to a pipeline, a report and a page.",
    no_args_is_help=True,
    callback=take_any_text,
)
# spaCy only imports the modules of its `spacy_cli` entry points: they add their own commands.
spacy_app.add_typer(app)
