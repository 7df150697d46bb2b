"""The `sener` group among spaCy's commands."""

import typer
from spacy.cli._util import app as spacy_app

app = typer.Typer(name="sener", help="Long, nested entities: corpora and checkpoints.")
# spaCy only imports the modules of its `spacy_cli` entry points: they add their own commands.
spacy_app.add_typer(app)


@app.callback()
def sener() -> None:
    """Long, nested entities: corpora and checkpoints."""
