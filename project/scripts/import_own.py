"""Your own annotated files as a training and a development part, which share no text."""

import sys
from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.tokens import Doc, DocBin
from splits import held_out
from wasabi import msg
from weasel.util import run_command


def converted(source: str, output: Path, options: list[str]) -> list[Doc]:
    """The documents of an annotated file, which are written to OUTPUT as well."""
    convert = [sys.executable, "-m", "spacy", "sener", "convert"]
    run_command([*convert, source, str(output), *options])
    return list(DocBin().from_disk(output).get_docs(spacy.blank("xx").vocab))


def write(path: Path, docs: list[Doc]) -> None:
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    msg.good(f"{path}: {len(docs)} documents")


def main(
    train: str,
    dev: Annotated[str, typer.Argument(help="'' to hold out a share of TRAIN")],
    output: Annotated[Path, typer.Argument(help="Folder for train.spacy and dev.spacy")],
    record_format: Annotated[str, typer.Option("--format", help="As in 'sener convert'")] = "auto",
    lang: Annotated[str, typer.Option(help="The language whose tokenizer is used")] = "en",
    share: Annotated[float, typer.Option(help="Share of the texts that is held out")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed holds out other texts")] = 0,
) -> None:
    """Convert TRAIN and DEV. Documents of TRAIN whose text is in DEV as well are left out."""
    options = ["--format", record_format, "--lang", lang]
    docs = converted(train, output / "train.spacy", options)
    if dev:
        held = {doc.text for doc in converted(dev, output / "dev.spacy", options)}
    else:
        try:
            held = held_out([doc.text for doc in docs], share, seed)
        except ValueError as error:
            msg.fail(f"{train} cannot be split", error, exits=1)
        write(output / "dev.spacy", [doc for doc in docs if doc.text in held])
    kept = [doc for doc in docs if doc.text not in held]
    if not kept:
        msg.fail(f"All documents of {train} are in {dev} as well: nothing is left", exits=1)
    if dev and len(kept) < len(docs):
        msg.warn(f"{len(docs) - len(kept)} documents of {train} are in {dev} as well: left out")
    write(output / "train.spacy", kept)


if __name__ == "__main__":
    typer.run(main)
