"""The factory "sener": a config block to the component."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import Config

from ..architectures import SpanModel
from ..decoding import LabelsPerSpan, Overlap
from .sener import SeNER

# The default encoder is small: LoRA, which the paper trains a large one with, costs it accuracy.
DEFAULT_MODEL = """
[model]
@architectures = "spacy-sener.SeNER.v1"

[model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
lora = null
"""


@Language.factory(
    "sener",
    assigns=["doc.spans"],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "spans_key": "sc",
        "threshold": 0.5,
        "overlap": "nested",
        "labels_per_span": "many",
        "set_ents": False,
        "max_pieces": 2048,
        "label_smoothing": 0.0,
        "scorer": {"@scorers": "spacy-sener.span_scorer.v1"},
    },
    default_score_weights={"spans_sc_f": 1.0, "spans_sc_p": 0.0, "spans_sc_r": 0.0},
)
def make_sener(
    nlp: Language,
    name: str,
    model: SpanModel,
    spans_key: str,
    threshold: float,
    overlap: Overlap,
    labels_per_span: LabelsPerSpan,
    set_ents: bool,
    max_pieces: int,
    label_smoothing: float,
    scorer: Callable[..., dict[str, Any]] | None,
) -> SeNER:
    """Build the component from its config block; the settings are those of `SeNER`."""
    return SeNER(
        nlp.vocab,
        model,
        name,
        spans_key=spans_key,
        threshold=threshold,
        overlap=overlap,
        labels_per_span=labels_per_span,
        set_ents=set_ents,
        max_pieces=max_pieces,
        label_smoothing=label_smoothing,
        scorer=scorer,
    )
