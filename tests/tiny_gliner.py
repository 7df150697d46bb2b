"""Tiny pipelines of `gliner_multitask` over a tiny BERT: real parts, made without any download."""

from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.language import Language
from spacy.training import Example

from spacy_sener.nn.gliner import GLiNER
from spacy_sener.pieces import PieceTokenizer
from spacy_sener.prompts import make_prompt

FIRST, INNER, LAST, ALONE, OTHER = "award", "science", "paper", "berlin", "the"
"""To a marking pipeline: a span starts, goes on, ends, is one word, and is not."""

SPREAD = 0.3
"""Of random weights: so wide that words and labels lie well apart."""
TEXT = "Anna Keller was born in Zurich , and the library in Berlin made her a fellow in 2014 ."
LOGITS = {"start": (-1.0, 1.5), "end": (-1.0, 1.5), "inside": (1.5, 1.5)}
"""Of random weights, mean and deviation of the marks in that text: some spans, of all lengths."""


def pipeline(encoder: Path, model: dict[str, Any] | None = None, **config: Any) -> Language:
    """A new network over the encoder, with random weights. config: of the component."""
    nlp = spacy.blank("en")
    architecture = {
        "@architectures": "spacy-sener.GLiNER.v1",
        "dropout": 0.0,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "attention": "full",
            "logn": False,
            "lora": None,
        },
        **(model or {}),
    }
    settings = {"labels": ["thing"], "max_pieces": 64, **config}
    nlp.add_pipe("gliner_multitask", config={"model": architecture, **settings})
    nlp.config["initialize"]["components"] = {"gliner_multitask": {"encoder": str(encoder)}}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        nlp.initialize()
        for name, weights in module_of(nlp).named_parameters():
            if "encoder" not in name:
                weights.data.normal_(0, SPREAD)
        _spread_marks(nlp)
    nlp.config["initialize"]["components"] = {}
    return nlp


def _spread_marks(nlp: Language) -> None:
    prompt = make_prompt(["person", "place", "house", "date"])
    batch = component(nlp).model.predict([(nlp.make_doc(TEXT), prompt)])
    logits = torch.cat([band.logits.flatten(0, 2) for band in batch.bands])
    mean, deviation = torch.tensor(list(LOGITS.values())).T
    factor = deviation / logits.std(0)
    marks = module_of(nlp).scores.marks
    marks.weight.data *= factor[:, None]
    marks.bias.data.copy_((marks.bias.data - logits.mean(0)) * factor + mean)


def marking_pipeline(encoder: Path, **options: Any) -> Language:
    """One that marks a word by what it is, wherever it stands and whatever the label."""
    model = {**options.pop("model", {}), "n_lstm_layers": 0}
    nlp = pipeline(encoder, model, **options)
    module = module_of(nlp)
    with torch.no_grad():
        _see_pieces_only(module, first_pieces(nlp))
        _mark_by_piece(module)
    return nlp


def module_of(nlp: Language) -> Any:
    """The torch module of its component."""
    return component(nlp).model.shims[0].module


def component(nlp: Language) -> Any:
    """The `gliner_multitask` of the pipeline."""
    return nlp.get_pipe("gliner_multitask")


def first_pieces(nlp: Language) -> dict[str, int]:
    """Of the words that count."""
    tokenizer = PieceTokenizer.from_dict(component(nlp).model.shims[0].spec["tokenizer"])
    words = (FIRST, INNER, LAST, ALONE)
    return {word: tokenizer.encode([[word]])[0].ids[0] for word in words}


def _see_pieces_only(module: GLiNER, pieces: dict[str, int]) -> None:
    """A piece's vector is its own: a large number at place 0 to 3 for the pieces that count."""
    model = module.encoder.model
    for layer in model.encoder.layer:
        for linear in (layer.attention.output.dense, layer.output.dense):
            linear.weight.zero_()
            linear.bias.zero_()
    model.embeddings.position_embeddings.weight.zero_()
    model.embeddings.token_type_embeddings.weight.zero_()
    table = model.embeddings.word_embeddings.weight
    table.zero_()
    table[:, -1] = 1
    assert len(set(pieces.values())) == len(pieces)
    for place, word in enumerate((FIRST, INNER, LAST, ALONE)):
        table[pieces[word]] = torch.eye(table.shape[1])[place]


def _mark_by_piece(module: GLiNER) -> None:
    scores, size = module.scores, module.settings.hidden_size
    for parameter in scores.parameters():
        parameter.zero_()
    scores.word.weight[:size] = torch.eye(size)
    for place in range(4):
        scores.pair.weight[place, place] = 1
    first, inner, last, alone = range(4)
    for mark, places in enumerate(([first, alone], [last, alone], [first, inner, last, alone])):
        scores.marks.weight[mark, places] = 4
    scores.marks.bias.fill_(-10)


def gold(nlp: Language, text: str, spans: list[tuple[str, str]]) -> Example:
    """An example with the spans of these texts, at their first place, and their labels."""
    reference = nlp.make_doc(text)
    reference.spans["sc"] = [
        reference.char_span(text.index(part), text.index(part) + len(part), label=label)
        for part, label in spans
    ]
    return Example(nlp.make_doc(text), reference)


def answers(doc: Any, key: str = "sc") -> list[tuple[int, int, str]]:
    """The spans that were found: first token, the one after the last, label."""
    return [(span.start, span.end, span.label_) for span in doc.spans[key]]
