"""Which string of a Label Studio task is its text, and which regions are on another one.

The project's settings say so, which no export has. An object of a task, which regions are on
(`to_name`), often has the name of its string, but need not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from .json_lists import json_list
from .jsonl import Fields

# Strings of a JSON-MIN record that are not the task's data.
JSON_MIN_STRINGS = ("agreement", "created_at", "updated_at")
# Of a task beside its data.
LISTS = ("annotations", "completions", "predictions")


class Texts:
    """The keys of the texts of one file's tasks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key_of(self, task: Fields) -> str:
        """`text`, or else that at which most regions of the whole file stand, or the only string.

        Raises ValueError where there is none.
        """
        strings = strings_of(task)
        if "text" in strings:
            return "text"
        (best, most), (_, second), *_ = [*self._fits.most_common(2), ("", 0), ("", 0)]
        if best in strings and most > second:
            return best
        if len(strings) == 1 and not most:
            return next(iter(strings))
        raise ValueError(
            "the task's text should be its 'text', its only string, or the one with the texts of "
            f"the file's regions; its strings are {list(strings)}. Rename the one that it is to "
            "'text', or leave the task out"
        )

    @cached_property
    def _fits(self) -> Counter[str]:
        """Regions of the file whose listed text stands in a string, by the string's key."""
        fits: Counter[str] = Counter()
        for _, task in json_list(self.path):
            if isinstance(task, dict):
                regions = list(_regions(task))
                for key, text in strings_of(task).items():
                    fits[key] += n_matches(text, regions)
        return fits


def is_json_min(task: Fields) -> bool:
    """Whether what was annotated is in fields of the task itself, beside the regions."""
    return not isinstance(task.get("data"), dict)


def strings_of(task: Fields) -> dict[str, str]:
    """The strings of what was annotated, by their keys."""
    data, left_out = (task, JSON_MIN_STRINGS) if is_json_min(task) else (task["data"], ())
    return {k: v for k, v in data.items() if isinstance(v, str) and k not in left_out}


def other_objects(results: Iterable[Any], task: Fields, key: str) -> set[str]:
    """The objects of the task that are not its text, which has the key.

    An object is the string at which most of its regions stand, or else that of its name, or else
    the text.
    """
    strings = strings_of(task)
    by_name: dict[str, list[Fields]] = {}
    for result in results:
        if is_labelled(result) and isinstance(result.get("to_name"), str):
            by_name.setdefault(result["to_name"], []).append(result["value"])

    def key_of(name: str) -> str:
        regions = by_name[name]
        return max(strings, key=lambda k: (n_matches(strings[k], regions), k == name, k == key))

    return {name for name in by_name if name != key and key_of(name) != key}


def is_labelled(result: Any) -> bool:
    """Whether it is a region of a plain text."""
    is_region = isinstance(result, Mapping) and result.get("type") == "labels"
    return is_region and isinstance(result.get("value"), Mapping)


def n_matches(text: str, regions: Iterable[Fields]) -> int:
    """How many regions stand where the text is what is listed with them."""
    stretches = ((region.get("text"), stretch(region, text)) for region in regions)
    return sum(
        isinstance(listed, str) and unescaped(listed) == unescaped(there)
        for listed, there in stretches
    )


def stretch(region: Fields, text: str) -> str:
    """What stands there; nothing where its ends are not in the text."""
    start, end = region.get("start"), region.get("end")
    in_text = type(start) is int and type(end) is int and 0 <= start < end <= len(text)
    return text[start:end] if in_text else ""


def unescaped(text: str) -> str:
    """Some versions list a line break as a backslash and an n."""
    return text.replace("\\n", "\n")


def _regions(task: Fields) -> Iterator[Fields]:
    """All that may be one, of all annotators."""
    if is_json_min(task):
        for value in task.values():
            yield from _objects(value)
        return
    for key in LISTS:
        for annotation in _objects(task.get(key)):
            for result in _objects(annotation.get("result")):
                yield from _objects([result.get("value")])


def _objects(values: object) -> Iterator[Fields]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))
