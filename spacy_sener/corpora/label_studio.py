"""Label Studio's exports, JSON and JSON-MIN: tasks with labelled regions of a text.

Since 2021, Label Studio counts characters as Python does. Before, it counted UTF-16 units, of which
an emoji has two. Nothing in the file says which, so the texts listed with the regions decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .json_lists import json_list
from .jsonl import Fields, read_fields, required
from .offsets import same_text
from .records import Reader, Record, TextRecord
from .report import Report

# Strings of a JSON-MIN record that are not the task's data.
JSON_MIN_STRINGS = ("agreement", "created_at", "updated_at")
FIRST_ASTRAL = 0x10000  # from here on, a character is two UTF-16 units


def read_label_studio(path: Path, report: Report) -> Iterator[Record]:
    """The tasks that somebody annotated, or else a model.

    Of several annotations of a task, the one marked as ground truth is taken, or else the first.
    Cancelled ones are left out, as are regions of HTML and of dialogues, whose places are not in
    characters of a text. All that is in the report.
    """
    for where, task in json_list(path):
        yield from read_fields(path, task, where, partial(_parse, report=report))


def _parse(fields: Fields, doc_id: Any, where: str, *, report: Report) -> TextRecord | None:
    place = f"{doc_id} ({where})"
    if isinstance(fields.get("data"), dict):
        text = _text(fields["data"])
        results = _chosen_results(fields, report, place)
        if results is None:
            return None
        items = [item for result in results for item in _items(result, report, place)]
    else:
        strings = {key: fields[key] for key in fields if key not in JSON_MIN_STRINGS}
        text, items = _text(strings), list(_json_min_items(fields, report, place))
    return TextRecord(doc_id, where, text, _in_characters(text, items))


def _text(data: Fields) -> str:
    """The task's text: `text`, or else its only string, as the project's settings name it."""
    strings = [key for key, value in data.items() if isinstance(value, str)]
    if "text" not in strings and len(strings) != 1:
        raise ValueError(
            f"the task's text should be its 'text', or its only string; its strings are {strings}"
        )
    return data["text" if "text" in strings else strings[0]]


def _chosen_results(task: Fields, report: Report, place: str) -> list[Any] | None:
    given = [
        annotation
        for key in ("annotations", "completions")  # the name before 1.0
        if key in task
        for annotation in required(task, key, list, "a list")
    ]
    annotations = [annotation for annotation in given if not _cancelled(annotation)]
    predictions = task.get("predictions")
    predictions = predictions if isinstance(predictions, list) else []
    predictions = [one for one in predictions if isinstance(one, dict)]
    if not annotations and given:
        report.add_problem("rejected", place, given)
        return None
    if not annotations and not predictions:
        report.add_problem("not annotated", place, task["data"])
        return None
    if not annotations:
        report.add_problem("predicted", place, predictions[0])
        return _results(predictions[0])
    report.add_unread("predictions", len(predictions))
    chosen = next((one for one in annotations if one.get("ground_truth")), annotations[0])
    for other in annotations:
        if other is not chosen:
            report.add_problem("second annotator", place, other)
    return _results(chosen)


def _cancelled(annotation: Any) -> bool:
    if not isinstance(annotation, dict):
        raise ValueError(f"an annotation should be an object, but is {type(annotation).__name__}")
    return bool(annotation.get("was_cancelled") or annotation.get("skipped"))


def _results(annotation: Any) -> list[Any]:
    """Its regions; of a prediction, each with its score, or else that of the whole."""
    results = required(annotation, "result", list, "a list")
    if annotation.get("score") is None:
        return results
    score = {"score": annotation["score"]}
    return [{**score, **result} if isinstance(result, dict) else result for result in results]


def _items(result: Any, report: Report, place: str) -> Iterator[dict[str, Any]]:
    kind = result.get("type") if isinstance(result, Mapping) else None
    value = result.get("value") if isinstance(result, Mapping) else None
    if kind in ("hypertextlabels", "paragraphlabels"):
        report.add_problem("not in characters", place, result)
    elif kind == "labels" and isinstance(value, Mapping):
        yield from _region_items(value, result.get("score"))
    elif isinstance(kind, str) and kind != "labels":
        report.add_unread(kind, 1)
    else:
        yield {"result": result}  # is malformed


def _json_min_items(fields: Fields, report: Report, place: str) -> Iterator[dict[str, Any]]:
    """The regions of a record, under the names of the project's controls."""
    for name, regions in fields.items():
        for region in regions if isinstance(regions, list) else []:
            if not isinstance(region, Mapping):
                continue
            if "hypertextlabels" in region or "paragraphlabels" in region:
                report.add_problem("not in characters", place, region)
            elif "labels" in region:
                yield from _region_items(region, region.get("score"))
            else:
                report.add_unread(f"entries of '{name}' without labels", 1)


def _region_items(region: Mapping[str, Any], score: Any) -> Iterator[dict[str, Any]]:
    labels = region["labels"] if isinstance(region.get("labels"), list) else [None]
    for label in labels or [None]:
        item = {key: region.get(key) for key in ("start", "end", "text") if key in region}
        scored = {} if score is None else {"score": score}
        yield {**item, "label": label, **scored}


def _in_characters(text: str, items: Sequence[Fields]) -> list[Fields]:
    """The items with offsets in characters, and listed texts as they stand there."""
    if any(ord(character) >= FIRST_ASTRAL for character in text):
        at = [at for at, character in enumerate(text) for _ in range(_n_units(character))]
        at.append(len(text))
        converted = [_converted(item, at) for item in items]
        items = max(items, converted, key=partial(_n_matches, text))
    return [_with_line_breaks(item, text) for item in items]


def _with_line_breaks(item: Fields, text: str) -> Fields:
    """Some versions list a line break as a backslash and an n."""
    listed, stretch = item.get("text"), _stretch(item, text)
    if isinstance(listed, str) and same_text(_unescaped(listed), _unescaped(stretch)):
        return {**item, "text": stretch}
    return item


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n")


def _stretch(item: Fields, text: str) -> str:
    start, end = item.get("start"), item.get("end")
    in_text = type(start) is int and type(end) is int and 0 <= start < end <= len(text)
    return text[start:end] if in_text else ""


def _n_units(character: str) -> int:
    return 1 + (ord(character) >= FIRST_ASTRAL)


def _converted(item: Fields, at: Sequence[int]) -> Fields:
    start, end = item.get("start"), item.get("end")
    if type(start) is int and type(end) is int and 0 <= start < len(at) and 0 <= end < len(at):
        return {**item, "start": at[start], "end": at[end]}
    return item


def _n_matches(text: str, items: Sequence[Fields]) -> int:
    stretches = ((item.get("text"), _stretch(item, text)) for item in items)
    return sum(
        isinstance(listed, str) and _unescaped(listed) == _unescaped(stretch)
        for listed, stretch in stretches
    )


READERS: dict[str, Reader] = {"label-studio": read_label_studio}
