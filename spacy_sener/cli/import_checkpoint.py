"""`python -m spacy sener import-checkpoint`: a published checkpoint as a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..corpora.files import folder_written_whole
from ..pipeline.imported import pipeline_from_checkpoint
from .app import app
from .messages import failing, msg
from .options import Lang, blank, split_labels


@app.command("import-checkpoint")
def import_checkpoint_cli(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A .pth file of the SeNER authors' code")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder")],
    encoder: Annotated[
        str,
        typer.Option(help="Folder or hub name of the encoder it was trained from"),
    ],
    labels: Annotated[str, typer.Option(help="Labels in the order of training: a,b,c")],
    span_window: Annotated[int, typer.Option(help="The authors' chunks_size")] = 128,
    piece_window: Annotated[int, typer.Option(help="Attention to either side, in pieces")] = 128,
    lang: Lang = "en",
) -> None:
    """Turn a published SeNER checkpoint into a pipeline folder for spacy.load()."""
    names = split_labels(labels)
    with failing():
        blank(lang)  # is tried first: what is imported may be large
        with folder_written_whole(output_path) as part:
            nlp = pipeline_from_checkpoint(
                checkpoint,
                encoder=encoder,
                labels=names,
                span_window=span_window,
                piece_window=piece_window,
                lang=lang,
            )
            nlp.to_disk(part)
    msg.good(f"Wrote a pipeline with {len(names)} labels to {output_path}")
