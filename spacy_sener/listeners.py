"""Layers whose vectors come from a component earlier in the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from spacy_transformers.layers.listener import TransformerListener
from thinc.api import Model


def require_vectors(tok2vec: Model[Any, Any], docs: Sequence[Doc]) -> None:
    """Raise ValueError if a listener is to predict from vectors that nobody has made.

    It would answer with zeros, and whoever reads them would find nothing, or learn that.
    """
    for node in tok2vec.walk():
        if isinstance(node, Tok2VecListener):
            has_vectors = all(doc.tensor.size for doc in docs if len(doc))
        elif isinstance(node, TransformerListener):
            # A process in which no transformer was made does not know the attribute.
            is_known = Doc.has_extension("trf_data")
            has_vectors = is_known and all(doc._.trf_data is not None for doc in docs if len(doc))
        else:
            continue
        if not has_vectors:
            name = "a tok2vec or transformer" if node.upstream_name == "*" else node.upstream_name
            raise ValueError(
                f"The span table listens to {name}, which has not run on these documents. Enable "
                "it, before this component, and while training put it into "
                "training.annotating_components if this one is there. For a component that stands "
                "alone, and for nlp.rehearse, call nlp.replace_listeners first."
            )
