"""A pipeline that marks names, and does what its texts say: it sleeps, raises, or dies."""

import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

NAME, BAD, DEADLY, SLOW = "Anna", "Bad", "Deadly", "Slow"


@Language.component("mark_names")
def mark_names(doc: Doc) -> Doc:
    words = [token.text for token in doc]
    if SLOW in words:
        time.sleep(0.05)
    if BAD in words:
        raise ValueError("this one is bad")
    if DEADLY in words:
        os.kill(os.getpid(), signal.SIGKILL)
    doc.spans["sc"] = [Span(doc, i, i + 1, "NAME") for i, word in enumerate(words) if word == NAME]
    doc.spans["sc"].attrs["scores"] = [0.5 for _ in doc.spans["sc"]]
    return doc


def save_pipeline(folder: Path) -> Path:
    nlp = spacy.blank("en")
    nlp.add_pipe("mark_names")
    nlp.to_disk(folder)
    return folder


def write_texts(path: Path, texts: Iterable[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def rows(folder: Path) -> list[dict[str, object]]:
    """All of the output, in its order."""
    return [row for part in sorted(folder.glob("part-*.jsonl")) for row in lines(part)]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
