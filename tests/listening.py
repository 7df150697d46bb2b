"""Pipelines whose taggers and span tables listen to one `ArrowTransformer.v1`."""

from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from torch import Tensor

from spacy_sener.optimizers import build_adamw_v1

# Words, their tags, and spans as (first, last, label).
DATA: list[tuple[str, str, list[tuple[int, int, str]]]] = [
    (
        "Anna Keller worked at the University of Zurich from 2009 until 2014 .",
        "NNP NNP VBD IN DT NNP IN NNP IN CD IN CD .",
        [(0, 1, "PERSON"), (5, 7, "SCHOOL"), (3, 11, "JOB")],
    ),
    (
        "She received her PhD from Stanford University in London .",
        "PRP VBD PRP$ NN IN NNP NNP IN NNP .",
        [(5, 6, "SCHOOL"), (1, 8, "DEGREE")],
    ),
    (
        "Peter Brown is director of the Royal Society .",
        "NNP NNP VBZ NN IN DT NNP NNP .",
        [(0, 1, "PERSON"), (3, 7, "JOB")],
    ),
    (
        "He has been a visiting scholar in Berlin since 1972 .",
        "PRP VBZ VBN DT JJ NN IN NNP IN CD .",
        [(3, 9, "JOB")],
    ),
    ("They sell small books to many other countries .", "PRP VBP JJ NNS IN JJ JJ NNS .", []),
]
LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "pooling": {"@layers": "reduce_mean.v1"},
}
LONG_TEXT = " ".join(text for text, _, _ in DATA) + "\n\n" + "The children  play ! " * 30


def add_transformer(nlp: Language, source: Path, encoder: Any = None, **settings: Any) -> None:
    block = {"@architectures": "spacy-sener.ArrowEncoder.v1", "piece_window": 8, **(encoder or {})}
    model = {
        "@architectures": "spacy-sener.ArrowTransformer.v1",
        "source": str(source),
        "encoder": block,
        "max_pieces": 64,
        **settings,
    }
    nlp.add_pipe("transformer", config={"model": model})


def pipeline(source: Path, *pipes: str, **settings: Any) -> Language:
    """A transformer, and a tagger or sener or both that listen to it."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    add_transformer(nlp, source, **settings)
    models = {
        "tagger": {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER},
        "sener": {
            "@architectures": "spacy-sener.SpanTable.v1",
            "tok2vec": LISTENER,
            "span_window": 12,
            "hidden_size": 32,
            "span_size": 16,
            "token_dropout": 0.0,
            "span_dropout": 0.0,
        },
    }
    for name in pipes:
        nlp.add_pipe(name, config={"model": models[name]})
    return nlp


def examples(nlp: Language) -> list[Example]:
    result = []
    for text, tags, spans in DATA:
        reference = Doc(nlp.vocab, words=text.split(), tags=tags.split())
        reference.spans["sc"] = [Span(reference, i, j + 1, label) for i, j, label in spans]
        result.append(Example(nlp.make_doc(reference.text), reference))
    return result


def initialized(source: Path, *pipes: str, **settings: Any) -> Language:
    nlp = pipeline(source, *pipes, **settings)
    nlp.initialize(lambda: examples(nlp))
    return nlp


def train(nlp: Language, steps: int, rate: float = 0.03) -> list[dict[str, float]]:
    """The losses of each step."""
    optimizer = build_adamw_v1(
        head_learn_rate=0.1 / 6, encoder_learn_rate=rate / 6, warmup_steps=0, total_steps=0
    )
    return [nlp.update(examples(nlp), sgd=optimizer) for _ in range(steps)]


def transformer_module(nlp: Language) -> torch.nn.Module:
    return nlp.get_pipe("transformer").model.shims[0].module


def weights(nlp: Language) -> dict[str, Tensor]:
    return {k: v.detach().clone() for k, v in transformer_module(nlp).named_parameters()}


def found_spans(doc: Doc) -> list[tuple[int, int, str]]:
    return sorted((span.start, span.end - 1, span.label_) for span in doc.spans["sc"])


def assert_learned(nlp: Language) -> None:
    for text, tags, spans in DATA:
        doc = nlp(text)
        if nlp.has_pipe("tagger"):
            assert [token.tag_ for token in doc] == tags.split()
        if nlp.has_pipe("sener"):
            assert found_spans(doc) == sorted(spans)


def token_vectors(doc: Doc) -> list[np.ndarray]:
    """The vectors of each token's pieces, read as spacy-transformers reads them."""
    data = doc._.trf_data
    flat = data.model_output.last_hidden_state.reshape(-1, data.width)
    return [flat[data.align[i].dataXd.ravel()] for i in range(len(doc))]
