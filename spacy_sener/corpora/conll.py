"""CoNLL and its kin: one word a line, with columns of tags (IOB1, IOB2, IOBES, BILOU, BMES).

Columns stand apart by tabs, or else by spaces. The word comes first, or second after a column that
numbers the words. Where that is CoNLL-U's, rows of several words (1-2) and of none (1.1) are
counted and left out. Every other column of tags is a layer, and all layers are read, as nested
spans come in several; only phrase chunks (B-NP) beside other tags are counted and left out.

A document begins at `-DOCSTART-`, `# newdoc` or `# document_id`, also with a prefix as in
`# hipe2022:document_id`; else a file is one document. Blank lines end sentences only: the words of
a long span stay together.

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
from .records import WordsRecord
from .report import Report
from .tags import OUTSIDE, Scheme, is_tag, spans_of_tags, split_tag

NEW_DOCUMENT = re.compile(r"#\s*(?:newdoc(?:\s+id)?|(?:\w+:)?document_id)\s*(?:=\s*(.*?)\s*)?")
# Of a word; of several words or none, in CoNLL-U; of a sentence and its word, in WebAnno TSV 2.
NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
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
    """Where the word and the tags stand in a file's rows of `width` cells.

    is_conllu: Words are numbered 1, 2, ..., and a row with another number than that is none.
    """

    width: int
    word: int
    is_conllu: bool
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
    """The documents of a file, one by one. It is read before, too: to find the columns of tags."""
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
        elif not _is_comment(line, cells, layout) and _is_word(document, cells, layout):
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


def _is_word(document: Document, cells: list[str], layout: Layout) -> bool:
    if layout.is_conllu and not cells[0].isdecimal():
        return False
    return bool(document.words) or not _is_header(cells)


def _is_header(cells: list[str]) -> bool:
    names = {cell.lower() for cell in cells[:2]}
    return not names.isdisjoint(HEADER_WORDS) and not any(map(is_tag, cells))


def _check_tags(path: Path, number: int, tags: dict[int, str]) -> None:
    for column, tag in tags.items():
        if not is_tag(tag):
            raise ValueError(
                f"{path}, line {number}: column {column + 1} holds tags such as O, B-X and I-X, "
                f"but here {tag!r}"
            )


def _cells(line: str) -> list[str]:
    """Cells between tabs, or else spaces; a tab may stand at the end, and spaces beside tabs."""
    if "\t" in line:
        return [cell.strip(" ") for cell in line.rstrip("\t").split("\t")]
    return [cell for cell in line.split(" ") if cell]


def _find_layout(path: Path, report: Report) -> Layout:
    columns: list[Column] = []
    word, is_conllu = _word_column(path)
    n_no_words = 0
    for number, line, cells in _rows(path):
        # A comment, or the word "#", which is not the first cell where words are numbered.
        if line.startswith("#") and (len(cells) != len(columns) or not any(map(is_tag, cells))):
            continue
        columns = columns or [Column() for _ in cells]
        if len(cells) != len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(cells)} columns, but {len(columns)} before it"
            )
        if is_conllu and not cells[0].isdecimal():
            n_no_words += bool(NUMBER.fullmatch(cells[0]))
            continue
        for column, cell in zip(columns, cells, strict=True):
            column.add(cell)
    report.add_unread("rows of several words or none (1-2, 1.1)", n_no_words)
    for place, column in enumerate(columns):
        if place > word and not column.has_tags:
            report.add_unread(f"tags (column {place + 1}, mostly of other cells)", column.n_tags)
    return _layout(path, columns, word=word, is_conllu=is_conllu)


def _word_column(path: Path) -> tuple[int, bool]:
    """The column of the words, and whether the one before it is CoNLL-U's.

    Raises ValueError where there are only numbers: they are the words of no text.
    """
    has_rows = has_words = is_conllu = False
    for _, line, cells in _rows(path):
        if line.startswith("#") or _is_header(cells):
            continue
        if not NUMBER.fullmatch(cells[0]):
            return 0, False
        has_rows = True
        has_words |= len(cells) > 2 and not NUMBER.fullmatch(cells[1])
        is_conllu |= cells[0].isdecimal()
    if has_rows and not has_words:
        raise ValueError(
            f"{path}: where words should be, in column 1 or behind their numbers in column 2, are "
            "only numbers: put the words there"
        )
    return int(has_rows), is_conllu


def _rows(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Lines with their number and cells, but blank ones and those at which a document begins."""
    for number, line in numbered_lines(path):
        if line.strip() and _document_name(line) is None:
            yield number, line, _cells(line)


def _layout(path: Path, columns: list[Column], *, word: int, is_conllu: bool) -> Layout:
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
        is_conllu=is_conllu,
        tags={place: column.scheme for place, column in tags.items()},
        chunks=frozenset(chunks if others else ()),
    )
