"""A published GLiNER checkpoint as a whole pipeline."""

from pathlib import Path
from typing import Any, cast

import spacy
from spacy.language import Language

from ..checkpoints import GLiNERConfig, gliner_folder, read_gliner_config
from ..gliner import GLiNERSource
from ..nn.attention_pattern import AttentionKind
from ..nn.position_table import position_capacity
from .asked import Labels
from .gliner_multitask import GLiNERMultitask

ARROW_MAX_PIECES = 8192
"""Of a window with attention whose cost is linear."""

PIECES_PER_WORD = 4 / 3
"""Of English prose, about: how the length that a checkpoint was trained on, in words, is read."""


def pipeline_from_gliner(
    source: str | Path,
    *,
    labels: Labels = (),
    attention: AttentionKind = "full",
    piece_window: int = 128,
    max_pieces: int | None = None,
    lang: str = "en",
) -> Language:
    """A blank pipeline with one component, `gliner_multitask`, that answers as GLiNER does.

    It differs from GLiNER in reading all of a text: what is longer than a window is covered by
    several, and a word without pieces does not shift those after it. Spans may stand inside of each
    other, as `overlap` is "nested"; GLiNER's `predict_entities` keeps flat ones unless told not to.

    source: folder of the checkpoint, or its hub name. labels: asked of documents that name none of
    their own; may be empty. attention: "full", as the checkpoint was trained, or "arrow" with a
    global prompt. piece_window: of "arrow", to either side, in pieces. max_pieces: of a window; by
    default, for "full", as many as the checkpoint has positions for, or was trained on, and 8192
    for "arrow".
    Raises what `load_gliner_checkpoint` does, and ValueError for a checkpoint without a fast
    tokenizer.
    """
    folder = gliner_folder(source)
    config = read_gliner_config(folder)
    nlp = spacy.blank(lang)
    pipe_config = {
        "model": _model_config(config, attention, piece_window),
        "max_pieces": _max_pieces(config, attention) if max_pieces is None else max_pieces,
    }
    gliner = cast(GLiNERMultitask, nlp.add_pipe("gliner_multitask", config=pipe_config))
    gliner.model.initialize(Y=GLiNERSource(checkpoint=str(folder)))
    if labels:
        gliner.set_labels(labels)
    return nlp


def _max_pieces(config: GLiNERConfig, attention: AttentionKind) -> int:
    trained = position_capacity(config.encoder) or round(config.max_words * PIECES_PER_WORD)
    return trained if attention == "full" else max(trained, ARROW_MAX_PIECES)


def _model_config(
    config: GLiNERConfig, attention: AttentionKind, piece_window: int
) -> dict[str, Any]:
    settings = config.settings
    return {
        "@architectures": "spacy-sener.GLiNER.v1",
        "hidden_size": settings.hidden_size,
        "pooling": settings.pooling,
        "label_after_marker": settings.label_after_marker,
        "n_lstm_layers": settings.n_lstm_layers,
        "dropout": settings.dropout,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "attention": attention,
            "piece_window": piece_window,
            "logn": False,
            "lora": None,
        },
    }
