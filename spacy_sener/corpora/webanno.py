"""WebAnno TSV 3 (3.0 to 3.3), as WebAnno and INCEpTION write it; one document a file.

Offsets count UTF-16 units, and become offsets in characters. The text is that of the `#Text=`
lines, placed at the offset of their first token; text between two sentences is not in the format,
and becomes a line break and spaces, as in INCEpTION.

The label is the value of one feature of a layer, see `layers`; other features, relations, chains
and layers of linguistic annotations are not read. There is no kept library to read the format: the
packages that do are on no index, or take one annotation for each token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import numbered_lines
from .layers import has_spans, label_feature, short_name
from .records import TextRecord
from .report import Report
from .utf16 import in_characters, surrogate_pairs

FORMAT = re.compile(r"#FORMAT=WebAnno TSV 3\.(\d+)\s*")
LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]*)(?:\|(.*))?")
UNIT = re.compile(r"\d+-\d+(\.\d+)?")
OFFSETS = re.compile(r"(\d+)-(\d+)")
UNREAD = {"SP": "annotations", "CH": "entries of the chains", "RL": "relations"}
NO_ANNOTATION, NO_VALUE = "_", "*"
# The number of an annotation of several tokens comes last; brackets of a value are escaped.
NUMBERED = re.compile(r"((?:\\.|[^\\])*)\[(\d+)\]", re.DOTALL)
STACK_PIECE = re.compile(r"\\.|\||[^\\|]+|\\", re.DOTALL)
ESCAPED_VALUE = re.compile(r"\\(->|[\\\[\]|_;tn*])")
# Up to 3.1 texts are escaped as in Java; later control characters and backslashes only.
ESCAPED_JAVA = re.compile(r"\\(?:u+([0-9a-fA-F]{4})|(.))")
ESCAPED_TEXT = re.compile(r"\\([\\tnfrb\x00-\x07\x0e-\x1f])")
# The text between sentences is not in a file, only how much of it there is: believed up to here.
MAX_LENGTH = 1 << 26  # UTF-16 units
CONTROL = {"t": "\t", "n": "\n", "f": "\f", "r": "\r", "b": "\b"}


@dataclass(frozen=True)
class Layer:
    """A layer and its columns; `label` is the column of the label, None for one without features.

    kind (str): "SP", spans; "CH", chains; "RL", relations.
    """

    kind: str
    name: str
    columns: range
    label: int | None


@dataclass
class Annotation:
    """An annotation of a layer, in UTF-16 units, and the last token (counted from 1) it covers."""

    layer: Layer
    start: int
    end: int
    label: str | None
    line: int
    last_token: int


@dataclass
class Document:
    """What was read so far; all offsets are in UTF-16 units."""

    minor: int
    layers: list[Layer] = field(default_factory=list)
    width: int = 3
    text: list[str] = field(default_factory=list)
    length: int = 0
    # Text of the sentence whose tokens come next, then the sentence itself and where it begins.
    lines: list[str] = field(default_factory=list)
    sentence: bytes = b""
    begin: int = 0
    n_tokens: int = 0
    annotations: list[Annotation] = field(default_factory=list)
    numbered: dict[tuple[str, str], Annotation] = field(default_factory=dict)

    def add(self, line: str, number: int, report: Report) -> None:
        """Read a further line; raises ValueError for what is not of the format."""
        if line.startswith("#Text="):
            self.lines.append(_unescape_text(line.removeprefix("#Text="), self.minor))
        elif line.startswith("#T_"):
            self.add_layer(line)
        elif not line:
            self.check_complete()
        elif not line.startswith("#"):
            self.add_unit(line.split("\t"), number, report)

    def add_layer(self, line: str) -> None:
        """Read the declaration of a layer."""
        match = LAYER.fullmatch(line)
        if match is None:
            raise ValueError(f"expected a layer, #T_SP=layer|feature..., but found {line!r}")
        features = (match[3] or "").split("|")
        columns = range(self.width, self.width + len(features))
        # Slots have a column ROLE_... and one of the target's type, with dots.
        plain = [name for name in features if name and not name.startswith("ROLE_")]
        label = label_feature([name for name in plain if "." not in name])
        place = None if label is None else columns[features.index(label)]
        self.layers.append(Layer(match[1], match[2], columns, place))
        self.width = columns.stop

    def check_complete(self) -> None:
        """Raise ValueError if the last sentence has no tokens."""
        if self.lines:
            raise ValueError("the sentence has no tokens: its place in the text is not known")

    def add_unit(self, cells: list[str], number: int, report: Report) -> None:
        """Read the row of a token, or of a part of the token before it."""
        unit, offsets = UNIT.fullmatch(cells[0]), OFFSETS.fullmatch("".join(cells[1:2]))
        if unit is None or offsets is None:
            raise ValueError("expected a token: its number, such as 1-1, its offsets, and its text")
        if not self.width <= len(cells) <= self.width + 1:  # there is a tab after the last one
            raise ValueError(f"expected {self.width} columns, but found {len(cells)}")
        start, end = int(offsets[1]), int(offsets[2])
        if self.lines:
            self.add_sentence(start, cells[2])
        self.check_text(start, end, cells[2])
        self.n_tokens += unit[1] is None
        for layer in self.layers:
            for label, key in _entries(layer, cells):
                annotation = Annotation(layer, start, end, label, number, self.n_tokens)
                self.add_annotation(annotation, key, report)

    def add_sentence(self, begin: int, word: str) -> None:
        """Put the text of a sentence where its first token begins, after whitespace if there is."""
        sentence = "\n".join(self.lines)
        if not sentence.startswith((word, _unescape_text(word, self.minor))):
            begin -= len(sentence) - len(sentence.lstrip())  # of one UTF-16 unit each
        gap = begin - self.length
        if gap < 0:
            raise ValueError(f"the sentence begins at {begin}, before the last ends: {self.length}")
        if begin > MAX_LENGTH:
            raise ValueError(f"the sentence begins at {begin}: texts end before {MAX_LENGTH}")
        before = "\n" if self.length else " "
        self.text += [before + " " * (gap - 1) if gap else "", sentence]
        self.sentence, self.begin = sentence.encode("utf-16-le"), begin
        self.length = begin + len(self.sentence) // 2
        self.lines = []

    def check_text(self, start: int, end: int, word: str) -> None:
        """Raise ValueError if the sentence has another text at these offsets."""
        if not self.begin <= start <= end <= self.length:
            raise ValueError(f"{start}-{end} is outside its sentence, {self.begin}-{self.length}")
        units = self.sentence[2 * (start - self.begin) : 2 * (end - self.begin)]
        found = units.decode("utf-16-le", errors="replace")
        if found not in (word, _unescape_text(word, self.minor)):
            raise ValueError(
                f"the text at {start}-{end}, in UTF-16 units, is {found!r}, not {word!r}"
            )

    def add_annotation(self, annotation: Annotation, key: str | None, report: Report) -> None:
        """Add an annotation, or make one longer that has the same number in the token before.

        A number that comes again later is another annotation: some tools count in each sentence.
        """
        layer = annotation.layer
        known = self.numbered.get((layer.name, key)) if key else None
        if known and known.label == annotation.label and self.n_tokens - known.last_token <= 1:
            known.end = max(known.end, annotation.end)
            known.last_token = self.n_tokens
            return
        if key:
            self.numbered[layer.name, key] = annotation
        if layer.kind == "SP" and has_spans(layer.name):
            self.annotations.append(annotation)
        else:
            report.add_unread(f"{layer.name}, {UNREAD[layer.kind]}", 1)

    def items(self) -> Iterator[dict[str, Any]]:
        """The annotations with offsets in characters."""
        pairs = surrogate_pairs("".join(self.text))
        for annotation in self.annotations:
            yield {
                "start": in_characters(annotation.start, pairs),
                "end": in_characters(annotation.end, pairs),
                "label": annotation.label,
                "line": annotation.line,
                "layer": annotation.layer.name,
            }


def read_webanno(path: Path, report: Report) -> Iterator[TextRecord]:
    """The document of a file."""
    document, number = None, 1
    for number, line in numbered_lines(path):
        with _line_in_errors(path, number):
            if document is None:
                document = _begin(line)
            else:
                document.add(line, number, report)
    if document is not None:
        with _line_in_errors(path, number):
            document.check_complete()
        yield TextRecord(path.name, "line 1", "".join(document.text), list(document.items()))


@contextmanager
def _line_in_errors(path: Path, number: int) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from error


def _begin(line: str) -> Document:
    match = FORMAT.fullmatch(line)
    if match is None:
        raise ValueError(f"expected '#FORMAT=WebAnno TSV 3.' and a number, but found {line!r}")
    return Document(minor=int(match[1]))


def _entries(layer: Layer, cells: list[str]) -> Iterator[tuple[str | None, str | None]]:
    """Label (None if it is null) and number (None if it covers one token) of each annotation."""
    row = [cells[column] for column in layer.columns]
    present = next((cell for cell in row if cell != NO_ANNOTATION), None)
    if present is None:
        return
    labels = _stack(cells[layer.label]) if layer.label is not None else []
    for place, (_, key) in enumerate(_stack(present)):
        if layer.label is None:
            yield short_name(layer.name), key
        else:
            yield (labels[place][0] if place < len(labels) else None), key


def _stack(cell: str) -> list[tuple[str | None, str | None]]:
    """The values of a cell, unescaped, with their numbers."""
    entries = [""]
    for piece in STACK_PIECE.findall(cell):
        if piece == "|":
            entries.append("")
        else:
            entries[-1] += piece
    return [_value_and_number(entry) for entry in entries]


def _value_and_number(entry: str) -> tuple[str | None, str | None]:
    match = NUMBERED.fullmatch(entry)
    value, number = (match[1], match[2]) if match else (entry, None)
    if value in (NO_ANNOTATION, NO_VALUE):
        return None, number
    return ESCAPED_VALUE.sub(lambda escape: CONTROL.get(escape[1], escape[1]), value), number


def _unescape_text(text: str, minor: int) -> str:
    if minor > 1:
        return ESCAPED_TEXT.sub(lambda escape: CONTROL.get(escape[1], escape[1]), text)
    text = ESCAPED_JAVA.sub(
        lambda escape: chr(int(escape[1], 16)) if escape[1] else CONTROL.get(escape[2], escape[2]),
        text,
    )
    # Characters of two UTF-16 units are escaped as two.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
