"""CoNLL and its kin: one word a line, with columns of tags (IOB1, IOB2, IOBES, BILOU, BMES).

Columns stand apart by tabs, or else by spaces. The word comes first, or second after a column that
numbers the words of a sentence. Every other column of tags is a layer, and all layers are read, as
nested spans come in several; only phrase chunks (B-NP) beside other tags are counted and left out.

A document begins at `-DOCSTART-`, `# newdoc` or `# document_id`; else a file is one document. Blank
lines end sentences only: the words of a long span stay together.

spaCy's own converters read flat entities from the last column, a whole file at once, and give
documents of one or of ten sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import numbered_lines
from .records import Reader, WordsRecord
from .report import Report
from .tags import OUTSIDE, Scheme, is_tag, spans_of_tags, split_tag

NEW_DOCUMENT = re.compile(r"#\s*(?:newdoc(?:\s+id)?|document_id)\s*(?:=\s*(.*?)\s*)?")
# The labels of phrases in CoNLL 2000 and 2003, English and German.
CHUNKS = frozenset({"ADJP", "ADVP", "CONJP", "INTJ", "LST", "NC", "NP", "PC", "PP", "PRT", "SBAR"})
CHUNKS |= {"UCP", "VC", "VP"}
HEADER_WORDS = frozenset({"form", "token", "word"})


@dataclass
class Column:
    """What a column holds: how many tags, O, and other cells, and of which labels and scheme."""

    n_tags: int = 0
    n_outside: int = 0
    n_other: int = 0
    labels: set[str] = field(default_factory=set)
    scheme: Scheme = field(default_factory=Scheme)

    def add(self, cell: str) -> None:
        """Count the cell of a further word."""
        prefix, label = split_tag(cell)
        self.scheme.add(prefix, label)
        if label is not None:
            self.n_tags += 1
            self.labels.add(label)
        elif cell == "O":
            self.n_outside += 1
        elif cell not in OUTSIDE:
            self.n_other += 1

    @property
    def has_tags(self) -> bool:
        """Most cells are tags; one that is not is a mistake, and no reason to drop the others."""
        n_tags = self.n_tags + self.n_outside
        return n_tags > 0 and n_tags >= self.n_other

    @property
    def has_chunks(self) -> bool:
        """The tags mark phrases."""
        return bool(self.labels) and self.labels <= CHUNKS


@dataclass
class Layout:
    """Where the word and the tags stand in a file's rows of `width` cells."""

    width: int
    word: int
    tags: dict[int, Scheme]
    chunks: frozenset[int]


@dataclass
class Document:
    """The words read so far, and the tags of each column."""

    name: str
    line: int
    words: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    tags: dict[int, list[str]] = field(default_factory=dict)
    sentence_starts: set[int] = field(default_factory=set)

    def add(self, line: int, word: str, tags: dict[int, str]) -> None:
        """Add the word of a line."""
        self.words.append(word)
        self.lines.append(line)
        for column, tag in tags.items():
            self.tags.setdefault(column, []).append(tag)


def read_conll(path: Path, report: Report) -> Iterator[WordsRecord]:
    """The documents of a file, one by one. It is read twice: first to find the columns of tags."""
    layout = _find_layout(path, report)
    for document in _documents(path, layout):
        items = list(_items(document, layout, report))
        yield WordsRecord(document.name, f"line {document.line}", document.words, items)


def _items(document: Document, layout: Layout, report: Report) -> Iterator[dict[str, Any]]:
    starts = frozenset(document.sentence_starts)
    for column, tags in document.tags.items():
        spans = list(spans_of_tags(tags, scheme=layout.tags[column], sentence_starts=starts))
        if column in layout.chunks:
            report.add_unread(f"phrase chunks (column {column + 1})", len(spans))
            continue
        for span in spans:
            item = {"start": span.start, "end": span.end, "label": span.label}
            if not span.whole:
                line = document.lines[span.start]
                report.add_problem("broken tags", f"{document.name} (line {line})", item)
            yield item


def _documents(path: Path, layout: Layout) -> Iterator[Document]:
    document = Document(f"{path.name}:1", 1)
    for number, line in numbered_lines(path):
        name = _document_name(line)
        cells = _cells(line)
        if not line.strip():
            document.sentence_starts.add(len(document.words))
        elif name is not None:
            if document.words:
                yield document
            document = Document(name or f"{path.name}:{number}", number)
        elif not _is_comment(line, cells, layout) and not _is_header(document, cells, layout):
            tags = {column: cells[column] for column in layout.tags}
            _check_tags(path, number, tags)
            document.add(number, cells[layout.word], tags)
    if document.words:
        yield document


def _document_name(line: str) -> str | None:
    """The name of the document that begins here: "" if it has none, None if none begins."""
    if line.startswith("-DOCSTART-"):
        return ""
    match = NEW_DOCUMENT.fullmatch(line) if line.startswith("#") else None
    return (match[1] or "") if match else None


def _is_comment(line: str, cells: list[str], layout: Layout) -> bool:
    if not line.startswith("#"):
        return False
    if layout.word > 0:  # words are numbered, and a number comes first
        return True
    return len(cells) != layout.width or not all(is_tag(cells[column]) for column in layout.tags)


def _is_header(document: Document, cells: list[str], layout: Layout) -> bool:
    is_first = not document.words and cells[layout.word].lower() in HEADER_WORDS
    return is_first and not any(is_tag(cells[column]) for column in layout.tags)


def _check_tags(path: Path, number: int, tags: dict[int, str]) -> None:
    for column, tag in tags.items():
        if not is_tag(tag):
            raise ValueError(
                f"{path}, line {number}: column {column + 1} holds tags such as O, B-X and I-X, "
                f"but here {tag!r}"
            )


def _cells(line: str) -> list[str]:
    """Cells between tabs, or else between spaces; a tab may stand at the end."""
    if "\t" in line:
        return line.rstrip("\t").split("\t")
    return [cell for cell in line.split(" ") if cell]


def _find_layout(path: Path, report: Report) -> Layout:
    columns: list[Column] = []
    is_numbered, position = True, 0
    for number, line in numbered_lines(path):
        cells = _cells(line)
        if not line.strip():
            position = 0
        if not line.strip() or _document_name(line) is not None:
            continue
        # A comment, or the word "#", which is not the first cell where words are numbered.
        has_hash = line.startswith("#")
        if has_hash and (len(cells) != len(columns) or not any(map(is_tag, cells))):
            continue
        columns = columns or [Column() for _ in cells]
        if len(cells) != len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(cells)} columns, but {len(columns)} before it"
            )
        if not has_hash:
            position += 1
            is_numbered &= cells[0] == str(position)
        for column, cell in zip(columns, cells, strict=True):
            column.add(cell)
    word = int(is_numbered and len(columns) > 2)
    for place, column in enumerate(columns):
        if place > word and not column.has_tags:
            report.add_unread(f"tags (column {place + 1}, mostly of other cells)", column.n_tags)
    return _layout(path, columns, word=word)


def _layout(path: Path, columns: list[Column], *, word: int) -> Layout:
    tags = {place: column for place, column in enumerate(columns) if column.has_tags}
    tags = {place: column for place, column in tags.items() if place > word}
    if columns and not tags:
        raise ValueError(
            f"{path}: none of its {len(columns)} columns holds tags such as O, B-X and I-X"
        )
    chunks = {place for place, column in tags.items() if column.has_chunks}
    others = {place for place, column in tags.items() if column.labels} - chunks
    return Layout(
        width=len(columns),
        word=word,
        tags={place: column.scheme for place, column in tags.items()},
        chunks=frozenset(chunks if others else ()),
    )


READERS: dict[str, Reader] = {"conll": read_conll}
