"""`python -m spacy sener import-gliner`: a published GLiNER checkpoint as a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from ..corpora.files import folder_written_whole
from ..nn.attention_pattern import AttentionKind
from ..pipeline.imported_gliner import pipeline_from_gliner
from .app import app
from .messages import fail, failing, msg
from .options import Lang, blank, split_labels

KINDS = get_args(AttentionKind)


@app.command("import-gliner")
def import_gliner_cli(
    checkpoint: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Folder of a GLiNER checkpoint, or its hub name")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A new folder")],
    labels: Annotated[
        str, typer.Option(help="What to look for where a document does not say: a,b,c")
    ] = "",
    attention: Annotated[
        str, typer.Option(help=f"One of {', '.join(KINDS)}; it was trained with full")
    ] = "full",
    piece_window: Annotated[
        int, typer.Option(help="Attention to either side, in pieces, where it is not full")
    ] = 128,
    max_pieces: Annotated[
        int | None,
        typer.Option(
            help="Of a window  [default: what the checkpoint can read, at least 8192 if not full]"
        ),
    ] = None,
    lang: Lang = "en",
) -> None:
    """Turn a published GLiNER checkpoint into a pipeline folder for spacy.load()."""
    if attention not in KINDS:
        fail(f"--attention must be one of {', '.join(KINDS)}, not {attention}")
    with failing():
        blank(lang)  # is tried first: what is imported may be large
        with folder_written_whole(output_path) as part:
            nlp = pipeline_from_gliner(
                checkpoint,
                labels=split_labels(labels) if labels else [],
                attention=cast(AttentionKind, attention),
                piece_window=piece_window,
                max_pieces=max_pieces,
                lang=lang,
            )
            nlp.to_disk(part)
    msg.good(f"Wrote a pipeline to {output_path}")
