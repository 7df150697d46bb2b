"""A published GLiNER checkpoint as a whole pipeline."""

from pathlib import Path
from typing import Any, cast

import spacy
from spacy.language import Language

from ..checkpoints import read_gliner_config
from ..gliner import GLiNERSource
from ..nn.attention_pattern import AttentionKind
from ..nn.position_table import position_capacity
from .gliner_multitask import GLiNERMultitask, Labels

ARROW_MAX_PIECES = 8192
PIECES_PER_WORD = 4 / 3  # of English prose, about, and with a prompt before it


def pipeline_from_gliner(
    folder: str | Path,
    *,
    labels: Labels = (),
    attention: AttentionKind = "full",
    piece_window: int = 128,
    max_pieces: int | None = None,
    lang: str = "en",
) -> Language:
    """A blank pipeline with one component, `gliner_multitask`, that answers as GLiNER does.

    folder: of the checkpoint. labels: asked of documents that name none of their own; may be empty.
    attention: "full", as the checkpoint was trained, or "arrow". max_pieces: of a window; by
    default, for "full", as many as the encoder has positions for.
    """
    config = read_gliner_config(folder)
    if max_pieces is None:
        capacity = position_capacity(config.encoder) or int(config.max_words * PIECES_PER_WORD)
        max_pieces = capacity if attention == "full" else max(capacity, ARROW_MAX_PIECES)
    encoder: dict[str, Any] = {
        "@architectures": "spacy-sener.ArrowEncoder.v1",
        "attention": attention,
        "piece_window": piece_window,
        "logn": False,
        "lora": None,
    }
    model = {"@architectures": "spacy-sener.GLiNER.v1", "encoder": encoder}
    nlp = spacy.blank(lang)
    pipe_config = {"model": model, "max_pieces": max_pieces}
    gliner = cast(GLiNERMultitask, nlp.add_pipe("gliner_multitask", config=pipe_config))
    gliner.model.initialize(Y=GLiNERSource(checkpoint=str(folder)))
    if labels:
        gliner.set_labels(labels)
    return nlp
