"""Long lists in JSON, element by element, so that a large file needs little memory.

Of the libraries that do this, ijson puts "?" for half a surrogate pair, which changes a text and
says nothing, and takes memory by the square of the depth. Here the standard library reads the
elements.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from .files import MAX_TEXT, open_text
from .unique_keys import unique_keys

CHUNK = 1 << 16  # characters
NO_WHITESPACE = re.compile(r"[^ \t\r\n]")
# The longest that the decoder needs to see whole, beside strings: "-Infinity", "\\ud83d\\ude00".
LONGEST_UNIT = 12  # characters
DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


def json_list(path: Path, *, key: str | None = None) -> Iterator[tuple[str, Any]]:
    """Each element of a file that is one list, with its place, e.g. "record 2, line 40".

    A file that is not a list, but one object, or one after the other, has these as elements.
    key (str): The file is an object, and holds the list under this key.
    Raises ValueError, naming file and line, for what is not JSON, or not such a list.
    """
    with open_text(path) as file:
        text = JsonText(path, file)
        if key is not None:
            yield from text.elements_under(key)
        elif text.peek() == "{":
            yield from text.values()
        else:
            yield from text.elements()
        if text.peek():
            raise text.error("there is something after the list")


def top_level_keys(path: Path) -> Iterator[tuple[str, str]]:
    """The keys of the object that a JSON file is, or begins with if it is a list of objects.

    With each key comes the first character of its value. No more is read than is asked for.
    """
    with open_text(path) as file:
        text = JsonText(path, file)
        if text.peek() == "[":
            text.expect("[")
        if text.peek() == "{":
            for key in text.object_keys():
                yield key, text.peek()
                text.value()


class JsonText:
    """A JSON file that is read from its start to its end, value by value."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path, self._file = path, file
        self.line = 1
        self._buffer, self._at, self._chunk = "", 0, CHUNK

    def peek(self) -> str:
        """The next character that is not whitespace; "" at the end."""
        while True:
            found = NO_WHITESPACE.search(self._buffer, self._at)
            self._go_to(found.start() if found else len(self._buffer))
            if found:
                return found[0]
            if not self._read():
                return ""

    def expect(self, characters: str) -> str:
        """Go past the next character, which is one of these."""
        found = self.peek()
        if not found or found not in characters:
            expected = " or ".join(repr(character) for character in characters)
            what = repr(found) if found else "the end of the file"
            raise self.error(f"expected {expected}, but found {what}")
        self._go_to(self._at + 1)
        return found

    def value(self) -> Any:
        """Read the next value."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._is_cut_off(error) or not self._read():
                    self._go_to(error.pos)
                    raise self.error(error.msg) from error
            except (ValueError, RecursionError) as error:
                raise self.error(str(error)) from error
            else:
                # A number at the end of what is read may go on.
                if end < len(self._buffer) or not self._read():
                    self._go_to(end)
                    return value

    def values(self) -> Iterator[tuple[str, Any]]:
        """Read values up to the end, and give each with its place."""
        for number in count(1):
            if not self.peek():
                return
            place = f"record {number}, line {self.line}"
            yield place, self.value()

    def elements(self) -> Iterator[tuple[str, Any]]:
        """Read a list, and give each element with its place."""
        self.expect("[")
        if self.peek() == "]":
            self.expect("]")
            return
        for place, element in self.values():
            yield place, element
            if self.expect(",]") == "]":
                return
        raise self.error("expected ']', but found the end of the file")

    def object_keys(self) -> Iterator[str]:
        """Read an object, and give each key; whoever asks for the next has to read its value."""
        self.expect("{")
        if self.peek() == "}":
            self.expect("}")
            return
        while self.peek() == '"':
            key = self.value()
            self.expect(":")
            yield key
            if self.expect(",}") == "}":
                return
        raise self.error("expected a key in double quotes")

    def elements_under(self, key: str) -> Iterator[tuple[str, Any]]:
        """Read an object, and give each element of the list under a key with its place."""
        seen = []
        for found in self.object_keys():
            if found == key and key in seen:
                raise self.error(f"'{key}' comes a second time")
            seen.append(found)
            if found == key:
                yield from self.elements()
            else:
                self.value()
        if key not in seen:
            raise self.error(f"there is no '{key}', only {seen}")

    def error(self, message: str) -> ValueError:
        """An error that names file and line."""
        return ValueError(f"{self.path}, line {self.line}: {message}")

    def _is_cut_off(self, error: json.JSONDecodeError) -> bool:
        """Whether what is wrong may be only that the value goes on behind what is read so far."""
        is_near_end = error.pos >= len(self._buffer) - LONGEST_UNIT
        return is_near_end or error.msg.startswith("Unterminated string")

    def _go_to(self, at: int) -> None:
        self.line += self._buffer.count("\n", self._at, at)
        self._at = at

    def _read(self) -> bool:
        """Read on, twice as much while a value goes on, and drop what is done; False at the end."""
        self._chunk = CHUNK if self._at else 2 * self._chunk
        if len(self._buffer) - self._at > MAX_TEXT:
            raise self.error(f"a value is longer than {MAX_TEXT} characters")
        more = self._file.read(self._chunk)
        if more:
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)
