"""Which format a file is of, from its name and from how it begins."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

from .brat import ANNOTATIONS
from .files import files_below, open_text, plain_path, plain_suffix
from .json_lists import top_level_keys
from .label_studio_texts import LISTS
from .tags import is_tag
from .uima import holds_cas

BY_SUFFIX = {
    ".spacy": "spacy",
    **dict.fromkeys(ANNOTATIONS, "brat"),
    ".xmi": "uima",
    ".zip": "uima",
    **dict.fromkeys((".bio", ".conll", ".iob", ".iob2"), "conll"),
}
FOLDER_FORMATS = ("brat", "uima")  # the others are of one file
HEAD = 4096  # characters
JSON_LINE_ENDS = frozenset('{}[],"')
# In JSON lines, a pair of a text and its annotations, as spaCy 2 was trained on.
PAIR = re.compile(r'\[ *"')


def detect_format(path: Path) -> str:
    """The name of the format of a file or folder.

    Raises ValueError, saying what is there, where no format fits.
    """
    if path.is_dir():
        return _folder_format(path)
    by_suffix = BY_SUFFIX.get(plain_suffix(path))
    if by_suffix is not None:
        return by_suffix
    if plain_suffix(path) == ".txt" and _has_annotations(path):
        return "brat"
    with open_text(path) as file:
        head = file.read(HEAD).lstrip()
    if head.startswith(("{", "[")) and not _begins_with_tagged(head):
        return "jsonl" if PAIR.match(head) else _json_format(path, is_list=head.startswith("["))
    if head.startswith("#FORMAT=WebAnno TSV 3"):
        return "webanno"
    if head.startswith("<") and "xmi:XMI" in head:
        return "uima"
    if any(_is_tagged(line) for line in head.splitlines()):
        return "conll"
    if not head:
        return "jsonl"  # of no documents
    raise _unknown(path, f"it begins with {head[:40]!r}")


def _folder_format(path: Path) -> str:
    files = files_below(path)
    firsts = ((name, _first_of(name, files)) for name in FOLDER_FORMATS)
    found = [(name, file) for name, file in firsts if file is not None]
    if not found:
        suffixes = sorted({plain_suffix(file) for file in files})
        raise ValueError(
            f"{path} is a folder, of which those in the formats {' and '.join(FOLDER_FORMATS)} are "
            f"read, and in the folder are files that end in {suffixes}: name one of them"
        )
    if len(found) > 1:
        examples = ", ".join(f"{name} ({file.relative_to(path)})" for name, file in found)
        raise ValueError(
            f"{path} is a folder of several formats, of which one is read: {examples}. Name it "
            "with --format"
        )
    return found[0][0]


def _first_of(name: str, files: list[Path]) -> Path | None:
    by_suffix = (file for file in files if BY_SUFFIX.get(plain_suffix(file)) == name)
    as_json = (file for file in files if name == "uima" and _is_json_of_uima(file))
    return next(chain(by_suffix, as_json), None)


def _is_json_of_uima(path: Path) -> bool:
    try:
        return plain_suffix(path) == ".json" and holds_cas(path)
    except (OSError, ValueError):  # whoever reads the file says what is wrong with it
        return False


def _has_annotations(text: Path) -> bool:
    """Whether there are annotations beside a text."""
    names = {text.with_name(plain_path(text).stem + suffix).name for suffix in ANNOTATIONS}
    return any(plain_path(file).name in names for file in text.parent.iterdir())


def _json_format(path: Path, *, is_list: bool) -> str:
    seen = {}
    for key, value_begins_with in top_level_keys(path):
        if key.startswith("%"):
            return "uima"
        if key == "data" and value_begins_with == "[":
            return "squad"
        seen[key] = value_begins_with
    is_task = seen.get("data") == "{" and seen.keys() & LISTS
    if is_task or (is_list and "annotation_id" in seen):
        return "label-studio"
    if {"words", "ner"} <= seen.keys() and not is_list:
        return "scirex"
    if "tokenized_text" in seen:
        return "gliner"
    # A single document may fill a file of that name, over several lines.
    return "json" if is_list or plain_suffix(path) == ".json" else "jsonl"


def _begins_with_tagged(head: str) -> bool:
    """Whether a bracket is the first word of CoNLL: its rows end in other signs than lines of JSON.

    A line that is longer than the head is no row.
    """
    line, newline, _ = head.partition("\n")
    return bool(newline) and line.rstrip()[-1] not in JSON_LINE_ENDS and _is_tagged(line)


def _is_tagged(line: str) -> bool:
    """Whether it is a row of CoNLL: tags come last, or anywhere behind the word after tabs."""
    cells = line.split()
    if len(cells) < 2:
        return False
    tags = cells[1:] if "\t" in line else cells[-1:]
    return cells[0] == "-DOCSTART-" or any(is_tag(tag) and tag != "_" for tag in tags)


def _unknown(path: Path, seen: str) -> ValueError:
    return ValueError(f"the format of {path} is not known, {seen}: name it with --format")
