"""A tiny multi-task pipeline that was taught every task on a few sentences, by nlp.update alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_sener.prompts import make_prompt
from spacy_sener.wordings import WORDINGS

BORN = "Anna Keller was born in London and works in Berlin ."
MOVED = "The director was born in Zurich and works in New York ."
SCIENCE = "The university has a course of computer science ."
COURT = "The court held that there was a violation of the law ."
BOTH = "The university has a court that held a course of law ."
OFFICE, BIRTH, CITIES = "Where is the office?", "What is the city of birth?", "Find all cities"
CLASSES = ["art", "art history", "science", "law, order", "law"]
"""Some hold commas or each other."""

WHO_WHERE = {
    BORN: ("Anna Keller", "London", "Berlin"),
    MOVED: ("The director", "Zurich", "New York"),
}
CLASSES_OF = {
    SCIENCE: ["science"],
    COURT: ["law, order"],
    BOTH: ["science", "law, order"],
    BORN: ["art history"],
    MOVED: [],
}
UNSURE = 0.0001
"""A threshold that even a model which knows its answers finds others over."""


def taught_pipeline(encoder: Path) -> Language:
    """Over the tiny encoder, in some seconds. It knows the texts, questions and classes above."""
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-sener.GLiNER.v1",
        "dropout": 0.0,
        "encoder_rate": 1.0,  # it is as new as the head
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "attention": "full",
            "logn": False,
            "lora": None,
        },
    }
    config = {"model": model, "labels": ["place"], "max_pieces": 128}
    nlp.add_pipe("gliner_multitask", config=config)
    nlp.config["initialize"]["components"] = {"gliner_multitask": {"encoder": str(encoder)}}
    fix_random_seed(0)
    optimizer = nlp.initialize()
    nlp.config["initialize"]["components"] = {}
    optimizer.learn_rate = 0.008
    examples = list(lessons(nlp))
    for _ in range(100):
        nlp.update(examples, sgd=optimizer)
    return nlp


def lessons(nlp: Language) -> Iterator[Example]:
    """As the authors train: the prompt is a part of the text."""
    words = WORDINGS["package"]
    for text, (who, born, works) in WHO_WHERE.items():
        for task, label, spans in (
            (words.ask(OFFICE), "answer", [works]),
            (words.ask(BIRTH), "answer", [born]),
            (words.extract(CITIES), "match", [born, works]),
            (words.relations, f"{who} <> office", [works]),
            (words.relations, f"{who} <> born in", [born]),
        ):
            yield lesson(nlp, task, text, label, spans)
    task = words.classes.format(", ".join(CLASSES))
    for text, classes in CLASSES_OF.items():
        yield lesson(nlp, task, text, "match", classes)


def lesson(nlp: Language, task: str, text: str, label: str, spans: list[str]) -> Example:
    """One to be asked for a label, which has the spans of these texts."""
    reference = nlp.make_doc(task + text)
    reference._.gliner_labels = [label]
    starts = [(reference.text.index(span), len(span)) for span in spans]
    reference.spans["sc"] = [reference.char_span(i, i + n, label) for i, n in starts]
    return Example(nlp.make_doc(reference.text), reference)


def everything(nlp: Language) -> Any:
    """What it answers to every task, as lists that JSON can hold."""
    gliner: Any = nlp.get_pipe("gliner_multitask")
    docs = [nlp.make_doc(text) for text in CLASSES_OF]
    heads = [[doc[0:2], *(doc[i : i + 1] for i in range(len(doc)))] for doc in docs]
    groups = gliner.answer(docs, OFFICE, threshold=UNSURE)
    groups += gliner.find(docs, [make_prompt(CLASSES)] * len(docs), threshold=UNSURE)
    related = gliner.relations(docs, ["office", "near"], heads=heads, threshold=UNSURE)
    classes = gliner.classify(docs, CLASSES, multi=True, threshold=UNSURE)
    return [
        [[[span.start, span.end, span.label_] for span in group] for group in groups],
        [[round(float(score), 4) for score in group.attrs["scores"]] for group in groups],
        [[[r.head.start, r.label, r.tail.start, round(r.score, 4)] for r in of] for of in related],
        [[[label, round(score, 4)] for label, score in each.items()] for each in classes],
    ]


if __name__ == "__main__":
    print(json.dumps(everything(spacy.load(sys.argv[1]))))
