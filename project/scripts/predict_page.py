"""Run a trained pipeline on the texts of a JSON lines file, and draw what it finds."""

from collections.abc import Iterator
from pathlib import Path

import spacy
import srsly
import typer
from spacy.language import Language
from spacy.tokens import Doc

from spacy_sener.displacy import render


def predict(nlp: Language, records: list[dict[str, str]]) -> Iterator[Doc]:
    """The documents with their predicted spans; annotations in the records are not looked at."""
    texts = ((record["text"], record["id"]) for record in records)
    for doc, doc_id in nlp.pipe(texts, as_tuples=True):
        doc.user_data["doc_id"] = doc_id
        yield doc


def main(model: Path, texts: Path, page: Path) -> None:
    """Load MODEL, read TEXTS, write PAGE."""
    docs = list(predict(spacy.load(model), list(srsly.read_jsonl(texts))))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(docs, title=f"{texts.stem}: what the model found"), encoding="utf8")


if __name__ == "__main__":
    typer.run(main)
