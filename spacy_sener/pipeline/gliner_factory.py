"""The factory "gliner_multitask": a config block to the component."""

from collections.abc import Callable, Mapping
from typing import Any

from spacy.language import Language
from thinc.api import Config

from ..decoding import LabelsPerSpan, Overlap
from ..gliner import MarkModel
from ..mark_decoding import SpanScore
from ..wordings import WordingName
from .asked import Labels
from .gliner_multitask import GLiNERMultitask

DEFAULT_MODEL = """
[model]
@architectures = "spacy-sener.GLiNER.v1"

[model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
attention = "arrow"
logn = false
lora = null
"""


@Language.factory(
    "gliner_multitask",
    assigns=["doc.spans"],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "labels": [],
        "spans_key": "sc",
        "threshold": 0.5,
        "overlap": "nested",
        "labels_per_span": "one",
        "span_score": "min",
        "set_ents": False,
        "max_pieces": 2048,
        "wording": "package",
        "alpha": 0.75,
        "gamma": 0.0,
        "label_smoothing": 0.0,
        "max_train_labels": 30,
        "scorer": {"@scorers": "spacy-sener.span_scorer.v1"},
    },
    default_score_weights={"spans_sc_f": 1.0, "spans_sc_p": 0.0, "spans_sc_r": 0.0},
)
def make_gliner_multitask(
    nlp: Language,
    name: str,
    model: MarkModel,
    labels: list[str] | dict[str, str],
    spans_key: str,
    threshold: float,
    overlap: Overlap,
    labels_per_span: LabelsPerSpan,
    span_score: SpanScore,
    set_ents: bool,
    max_pieces: int,
    wording: WordingName,
    alpha: float | None,
    gamma: float,
    label_smoothing: float,
    max_train_labels: int,
    scorer: Callable[..., dict[str, Any]] | None,
) -> GLiNERMultitask:
    """Build the component from its config block; the settings are those of `GLiNERMultitask`.

    Raises ValueError, beside what it raises, for labels that no config file can hold.
    """
    _check_saveable(labels, name)
    return GLiNERMultitask(
        nlp.vocab,
        model,
        name,
        labels=labels,
        spans_key=spans_key,
        threshold=threshold,
        overlap=overlap,
        labels_per_span=labels_per_span,
        span_score=span_score,
        set_ents=set_ents,
        max_pieces=max_pieces,
        wording=wording,
        alpha=alpha,
        gamma=gamma,
        label_smoothing=label_smoothing,
        max_train_labels=max_train_labels,
        scorer=scorer,
    )


def _check_saveable(labels: Labels, name: str) -> None:
    """Of labels that `Config` writes, but does not read, a pipeline could not be loaded."""
    readings = labels.values() if isinstance(labels, Mapping) else []
    wrong = [text for text in (*labels, *readings) if "${" in str(text)]
    wrong += [label for label in labels if isinstance(labels, Mapping) and "\n" in label]
    if wrong:
        raise ValueError(
            f"[components.{name}] labels has {wrong[0]!r}, and no config file can hold '${{' or a "
            "label with a line break: give it by set_labels()."
        )
