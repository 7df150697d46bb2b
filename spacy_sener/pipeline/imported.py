"""A published checkpoint as a whole pipeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import spacy
from spacy.language import Language

from ..checkpoints import load_sener_checkpoint
from ..encoders import encoder_spec, own_spec
from ..nn.encoder import ArrowEncoder
from ..nn.position_table import position_capacity
from ..nn.sener import SeNER
from ..shim import torch_shim
from ..sources import resolve_source

# The longest input that the authors trained with.
RELEASED_MAX_PIECES = 5120


def pipeline_from_checkpoint(
    path: str | Path,
    *,
    encoder: str,
    labels: Sequence[str],
    span_window: int = 128,
    piece_window: int = 128,
    lang: str = "en",
) -> Language:
    """A blank pipeline with one component, `sener`, that answers as the authors' code does.

    path: the `.pth` file. encoder: hub name, folder or "package:NAME" of the encoder that was
    trained, for its config and its tokenizer. labels: in the order of training. span_window: the
    authors' `chunks_size`. Raises what `load_sener_checkpoint` does, and ValueError for an encoder
    without a fast tokenizer.

    One thing of the authors' decoder is not taken over: where spans clash, the score of the span
    itself decides, and not that of another cell.
    """
    module = load_sener_checkpoint(
        path,
        encoder_config=resolve_source(encoder),
        labels=labels,
        span_window=span_window,
        piece_window=piece_window,
    )
    nlp = spacy.blank(lang)
    max_pieces = _max_pieces(module.encoder)
    config = {**_RELEASED, "max_pieces": max_pieces, "model": _model_config(module)}
    sener = cast(Any, nlp.add_pipe("sener", config=config))
    for label in labels:
        sener.add_label(label)
    shim = torch_shim(sener.model)
    spec = {**encoder_spec(encoder, max_pieces), "n_labels": len(labels)}
    spec = own_spec(spec, module.encoder)
    # Built anew from the config, so that what is saved is known to load.
    built = shim.build(spec)
    built.load_state_dict(module.state_dict())
    shim.set_module(built, spec)
    sener.model.set_dim("nO", len(labels))
    return nlp


_RELEASED = {"overlap": "released", "labels_per_span": "one"}


def _max_pieces(encoder: ArrowEncoder) -> int:
    """As many as were trained with, or as the encoder has positions for, if they are fewer."""
    return min(RELEASED_MAX_PIECES, position_capacity(encoder.config) or RELEASED_MAX_PIECES)


def _model_config(module: SeNER) -> dict[str, Any]:
    settings, table = module.encoder.settings, module.table
    return {
        "@architectures": "spacy-sener.SeNER.v1",
        "span_window": table.span_window,
        "hidden_size": table.biaffine.head.out_features,
        "span_size": table.output.in_features,
        "depth": len(table.blocks),
        "columns": "released",
        "average": "probabilities",
        "token_dropout": 0.4,
        "span_dropout": 0.2,
        "masking": 0.15,
        "boundaries": False,
        "reach": 0,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "piece_window": settings.piece_window,
            "logn_multiple": settings.logn_multiple,
            "lora": settings.lora and {"rank": settings.lora.rank, "alpha": settings.lora.alpha},
        },
    }
