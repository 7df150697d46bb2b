"""Files of spaCy's binary format, of which no more is unpacked than the memory may take."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.vocab import Vocab

from . import files
from .files import plain_path, read_bytes

# A file may unpack to so many times its size, whatever that is. zlib can pack a thousandfold.
USUAL_RATIO = 100


def require_docbin(path: Path) -> None:
    """Raise ValueError, with what to do, for a file of another kind. A folder may hold some."""
    if path.is_file() and path.suffix != ".spacy":
        name = plain_path(path).with_suffix(".spacy").name
        raise ValueError(
            f"{path} is no .spacy file. Make one of it: python -m spacy sener convert {path} {name}"
        )


class BoundedCorpus(Corpus):
    """spaCy's `Corpus`, but that files are read as `load_docbin` does."""

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        """The documents of these files but for empty ones, and no more than `limit`. 0: all."""
        docs = (doc for path in locs for doc in load_docs(Path(path), vocab) if len(doc))
        return islice(docs, max(self.limit, 0) or None)


def read_examples(path: Path, nlp: Language) -> Iterator[Example]:
    """What spaCy's corpus reads of a .spacy file, or of all in a folder.

    Raises ValueError, naming the file, as `load_docbin` does.
    """
    return BoundedCorpus(path)(nlp)


def load_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """The documents of a .spacy file as they are, one by one; raises as `load_docbin` does."""
    docs = load_docbin(path).get_docs(vocab)
    with damage_named(path):
        yield from docs


def load_docbin(path: Path) -> DocBin:
    """What a .spacy file holds. Raises ValueError if it is damaged, or a small one unpacks to more
    than is held in memory."""
    data = read_bytes(path)
    limit = max(files.MAX_UNPACKED, USUAL_RATIO * len(data))
    try:
        if _unpacks_to_more(data, limit):
            raise ValueError(f"it is larger than {limit} bytes, unpacked")
        return DocBin().from_bytes(data)
    except Exception as error:  # whatever zlib or msgpack make of other bytes
        raise ValueError(f"{path}: not a whole .spacy file: {error}") from error


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise ValueError for what spaCy makes of documents in a damaged file."""
    try:
        yield
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path}: not a whole .spacy file: {error}") from error


def _unpacks_to_more(data: bytes, limit: int) -> bool:
    """Whether what zlib packed is larger than that; no more than a chunk of it is held at once."""
    unpacker, size = zlib.decompressobj(), 0
    for start in range(0, len(data), files.CHUNK):
        rest = data[start : start + files.CHUNK]  # of a short piece, what is left is soon copied
        while rest and size <= limit:
            size += len(unpacker.decompress(rest, files.CHUNK))
            rest = unpacker.unconsumed_tail
    return size > limit
