"""spaCy pipelines with untrained heads, which the programs measure."""

from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed

from benchmarks import texts
from benchmarks.models import N_LABELS

LABELS = [f"LABEL{i}" for i in range(N_LABELS)]
EXAMPLE_TOKENS = 240


def untrained(factory: str, config: dict[str, Any]) -> Language:
    """A blank English pipeline of one component, which knows `LABELS`; the same in each process."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(factory, config=config)
    doc = nlp.make_doc(texts.text(EXAMPLE_TOKENS))
    doc.spans["sc"] = _spans(doc)
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc)])
    return nlp


def sener(dtype: str = "float32") -> Language:
    """Ours with its default settings, MiniLM as its encoder."""
    return untrained("sener", {"model": {"mixed_precision": dtype == "bfloat16"}})


def _spans(doc: Doc) -> list[Span]:
    """Of each label one span, of different lengths."""
    starts = range(0, len(doc) - N_LABELS, len(doc) // N_LABELS)
    return [
        Span(doc, start, start + 1 + i, label=label)
        for i, (start, label) in enumerate(zip(starts, LABELS, strict=False))
    ]
