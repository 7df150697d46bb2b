"""A tiny `sener` that is half trained, and documents of which it is sure of few spans."""

from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from tiny_sener import BY_HEART, SPAN_WINDOW

from spacy_sener.optimizers import build_adamw_v1

# Words, and spans as (first token, token after the last, label).
DATA: list[tuple[str, list[tuple[int, int, str]]]] = [
    (f"{name} worked at the {school} in {place} .", [(0, 2, "PER"), (4, 7, "ORG"), (8, 9, "LOC")])
    for name in ("Anna Keller", "Peter Brown", "Mary Stone")
    for school in ("University of Zurich", "Library of Science", "Court of Delaware")
    for place in ("London", "Berlin", "Zurich")
]
THRESHOLD = 0.8
# The same spans of one label: in seconds a prompted network learns no more.
NAMES = [(text, [(start, end, "name") for start, end, _ in spans]) for text, spans in DATA]
EMPTY = "They sell small books to many other people ."
TEXTS = [*(text for text, _ in DATA), EMPTY]


def gold_doc(nlp: Language, text: str, spans: list[tuple[int, int, str]]) -> Doc:
    doc = Doc(nlp.vocab, words=text.split())
    doc.spans["sc"] = [Span(doc, start, end, label) for start, end, label in spans]
    return doc


def gold_examples(
    nlp: Language, data: list[tuple[str, list[tuple[int, int, str]]]]
) -> list[Example]:
    return [
        Example(Doc(nlp.vocab, words=text.split()), gold_doc(nlp, text, spans))
        for text, spans in data
    ]


def make_pipeline(encoder: Path, *, steps: int, max_pieces: int = 60) -> Language:
    """A pipeline that is trained for some steps, and gives the spans that it is quite sure of."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    model = BY_HEART | {"reach": SPAN_WINDOW}
    config = {"max_pieces": max_pieces, "threshold": THRESHOLD, "model": model}
    nlp.add_pipe("sener", config=config)
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(encoder)}
    examples = gold_examples(nlp, [*DATA, (EMPTY, [])])
    nlp.initialize(lambda: examples)
    _train(nlp, examples, steps)
    return nlp


def save_half_trained(encoder: Path, folder: Path) -> Path:
    """With a component before it, and figures of before."""
    nlp = make_pipeline(encoder, steps=6)
    nlp.add_pipe("sentencizer", first=True)
    nlp.meta["performance"] = {"spans_sc_f": 0.99, "spans_sc_per_type": {}, "speed": 5.0}
    nlp.to_disk(folder)
    return folder


def make_gliner_pipeline(encoder: Path, *, steps: int, max_pieces: int = 64) -> Language:
    """The same with the other component, which is asked for names."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-sener.GLiNER.v1",
        "dropout": 0.0,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "attention": "full",
            "logn": False,
            "lora": None,
            "dropout": 0.0,
        },
    }
    config = {"max_pieces": max_pieces, "threshold": THRESHOLD, "model": model}
    nlp.add_pipe("gliner_multitask", config=config)
    nlp.config["initialize"]["components"]["gliner_multitask"] = {"encoder": str(encoder)}
    examples = gold_examples(nlp, [*NAMES, (EMPTY, [])])
    nlp.initialize(lambda: examples)
    _train(nlp, examples, steps)
    return nlp


def _train(nlp: Language, examples: list[Example], steps: int) -> None:
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.002, warmup_steps=0, total_steps=0
    )
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)


def save_gold(path: Path, data: list[tuple[str, list[tuple[int, int, str]]]]) -> Path:
    nlp = spacy.blank("en")
    docs = [gold_doc(nlp, text, spans) for text, spans in data]
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path
