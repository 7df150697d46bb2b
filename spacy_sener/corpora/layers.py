"""Layers of annotations in INCEpTION, WebAnno and other UIMA tools: which hold spans with labels.

Of DKPro Core's and UIMA's own layers (tokens, sentences, parts of speech, lemmas, metadata) only
named entities are spans of ours; so is every layer that a project defines for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

BUILT_IN = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro.core.", "org.apache.uima.")
NAMED_ENTITIES = "de.tudarmstadt.ukp.dkpro.core.api.ner.type."
LABEL_FEATURES = ("value", "label")


def has_spans(layer: str) -> bool:
    """Whether a span layer of this name is read."""
    return layer.startswith(NAMED_ENTITIES) or not layer.startswith(BUILT_IN)


def label_feature(features: Sequence[str]) -> str | None:
    """The feature whose value is the label: `value`, `label`, or else the first; None of none."""
    named = (name for name in LABEL_FEATURES if name in features)
    return next(named, features[0] if features else None)


def short_name(layer: str) -> str:
    """The label of annotations of a layer without features: "Clause" of "webanno.custom.Clause"."""
    return layer.rpartition(".")[2]
