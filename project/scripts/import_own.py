"""Your own annotated files as a training and a development part, which share no text."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.tokens import Doc, DocBin
from splits import held_out
from wasabi import msg

from spacy_sener.cli.corpora import print_report, read_corpus
from spacy_sener.cli.messages import fail
from spacy_sener.corpora.files import files_written_whole
from spacy_sener.corpora.report import Report


def read(source: str, record_format: str, lang: str) -> list[Doc]:
    """The documents of an annotated file, of which `spacy sener convert` says the same."""
    report = Report()
    options = {"record_format": record_format, "spans_key": "sc", "lang": lang, "strict": False}
    try:
        docs = list(read_corpus(Path(source), report, **options))
    except (OSError, ValueError) as error:
        fail(error)
    print_report(report)
    return docs


def write(output: Path, parts: dict[str, list[Doc]]) -> None:
    """Both parts at the end: of an import that fails, those before it stay as they were."""
    with files_written_whole(output) as folder:
        for part, docs in parts.items():
            DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{part}.spacy")
    for part, docs in parts.items():
        msg.good(f"{output / part}.spacy: {len(docs)} documents")


def main(
    train: str,
    dev: Annotated[str, typer.Argument(help="'' to hold out a share of TRAIN")],
    output: Annotated[Path, typer.Argument(help="Folder for train.spacy and dev.spacy")],
    record_format: Annotated[str, typer.Option("--format", help="As in 'sener convert'")] = "auto",
    lang: Annotated[str, typer.Option(help="The language whose tokenizer is used")] = "en",
    share: Annotated[float, typer.Option(help="Share of the texts that is held out")] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed holds out other texts")] = 0,
    package_name: Annotated[
        str, typer.Option(help="Of what is trained, in the end")
    ] = "own_blocks",
) -> None:
    """Convert TRAIN and DEV. Documents of TRAIN whose text is in DEV as well are left out."""
    if not package_name.isidentifier():  # as spaCy demands, when all is trained
        msg.fail(
            f"own_name is {package_name!r}: a package needs a name of letters, digits and _, "
            "that begins with no digit",
            exits=1,
        )
    given = read(dev, record_format, lang) if dev else []
    docs = read(train, record_format, lang)
    try:
        texts = [doc.text for doc in docs]
        held = {doc.text for doc in given} if dev else held_out(texts, share, seed)
    except ValueError as error:
        msg.fail(f"{train} cannot be split", error, exits=1)
    kept = [doc for doc in docs if doc.text not in held]
    if not kept:
        msg.fail(f"All documents of {train} are in {dev} as well: nothing is left", exits=1)
    if dev and len(kept) < len(docs):
        msg.warn(f"{len(docs) - len(kept)} documents of {train} are in {dev} as well: left out")
    write(output, {"train": kept, "dev": given or [doc for doc in docs if doc.text in held]})


if __name__ == "__main__":
    typer.run(main)
