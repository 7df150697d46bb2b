"""Say where the model, the scores and the page are, and how to use the model."""

from pathlib import Path

import srsly
import typer

MESSAGE = """
The pipeline is in  {model}
The page to look at {page}

On a text of your own, in Python:

    import spacy
    doc = spacy.load("{model}")(open("page.txt", encoding="utf8").read())
    for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"]):
        print(f"{{score:.2f}} {{span.label_}}: {{span.text}}")

or for a folder of texts, from the command line:

    python -m spacy apply {model} TEXTS_FOLDER found.spacy
"""


def scores(metrics: Path) -> str:
    """Micro precision, recall and F of every part that was evaluated."""
    lines = []
    for path in sorted(metrics.glob("*.json")):
        found = srsly.read_json(path)
        values = "  ".join(
            f"{name} {100 * found[f'spans_sc_{name.lower()}']:5.1f}" for name in "PRF"
        )
        lines.append(f"{path.stem:5} {values}")
    return "\n".join(lines)


def main(model: Path, metrics: Path, page: Path) -> None:
    """Print the scores in METRICS and how to use MODEL."""
    print(scores(metrics))
    print(MESSAGE.format(model=model.resolve(), page=page.resolve().as_uri()))


if __name__ == "__main__":
    typer.run(main)
