"""Say where the model, the reports and the page are, and how to use the model."""

import sys
from pathlib import Path

import srsly
import typer

MESSAGE = """
The pipeline is in  {model}
The page to look at {page}
The reports are     {reports}

On a text of your own, in Python ({python}):

    from pathlib import Path
    import spacy
    doc = spacy.load("{model}")(Path("page.txt").read_text(encoding="utf8"))
    for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"]):
        print(f"{{score:.2f}} {{span.label_}}: {{span.text}}")

or as a page, for a text file or a folder of them, from the command line:

    {python} -m spacy sener render {model} TEXTS found.html
"""


def scores(folder: Path) -> str:
    """Precision, recall and F of a report, and of how much; "-" where nothing can be divided."""
    found = srsly.read_json(folder / "report.json")
    figures = [(name, found["micro"][name.lower()]) for name in "PRF"]
    values = "  ".join(f"{n} {'    -' if v is None else f'{100 * v:5.1f}'}" for n, v in figures)
    return f"{folder.name:10} {values}  ({found['documents']['count']} documents)"


def main(model: Path, page: Path, reports: list[Path]) -> None:
    """Print the scores in REPORTS and how to use MODEL."""
    print("\n".join(scores(folder) for folder in reports))
    places = ("\n" + 20 * " ").join(str(folder.resolve() / "report.md") for folder in reports)
    path = model.resolve().as_posix()  # in a string of Python a backslash is no separator
    named = {"python": sys.executable, "model": path, "page": page.resolve().as_uri()}
    print(MESSAGE.format(**named, reports=places))


if __name__ == "__main__":
    typer.run(main)
