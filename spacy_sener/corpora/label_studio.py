"""Label Studio's exports, JSON and JSON-MIN: tasks with labelled regions of a text.

Since 2021, Label Studio counts characters as Python does. Before, it counted UTF-16 units, of which
an emoji has two. Nothing in the file says which, so the texts listed with the regions decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
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
    texts = _Texts(path)
    for where, task in json_list(path):
        yield from read_fields(path, task, where, partial(_parse, texts=texts, report=report))


class _Texts:
    """Which string of a task is its text. Only the project's settings say so, which no file has."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def key_of(self, task: Fields) -> str:
        """`text`, or else the only string, or that at which most regions of the whole file stand.

        Raises ValueError where there is none.
        """
        strings = list(_strings(task))
        if "text" in _data(task):
            required(_data(task), "text", str, "a string")
            return "text"
        if len(strings) == 1:
            return strings[0]
        *_, second, best = ["", "", *sorted(strings, key=self._fits.__getitem__)]
        if self._fits[best] > self._fits[second]:
            return best
        raise ValueError(
            "the task's text should be its 'text', its only string, or the one with the texts of "
            f"the regions; its strings are {strings}. Rename the one that it is to 'text'"
        )

    @cached_property
    def _fits(self) -> Counter[str]:
        """Regions of the file whose listed text stands in a string, by the string's key."""
        fits: Counter[str] = Counter()
        for _, task in json_list(self.path):
            if isinstance(task, dict):
                regions = list(_regions(task))
                fits.update(
                    {key: _n_matches(text, regions) for key, text in _strings(task).items()}
                )
        return fits


def _data(task: Fields) -> Fields:
    """What was annotated: the task's `data`, or, in JSON-MIN, fields of the task itself."""
    data = task.get("data")
    return data if isinstance(data, dict) else task


def _strings(task: Fields) -> dict[str, str]:
    data = _data(task)
    left_out = JSON_MIN_STRINGS if data is task else ()
    return {k: v for k, v in data.items() if isinstance(v, str) and k not in left_out}


def _regions(task: Fields) -> Iterator[Fields]:
    """All that may be one, of all annotators."""
    if _data(task) is task:
        for value in task.values():
            yield from _objects(value)
        return
    for key in ("annotations", "completions", "predictions"):
        for annotation in _objects(task.get(key)):
            for result in _objects(annotation.get("result")):
                yield from _objects([result.get("value")])


def _objects(values: object) -> Iterator[Fields]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _parse(
    fields: Fields, doc_id: Any, where: str, *, texts: _Texts, report: Report
) -> TextRecord | None:
    place, key = f"{doc_id} ({where})", texts.key_of(fields)
    text = _strings(fields)[key]
    if _data(fields) is fields:
        items = list(_json_min_items(fields, report, place))
    else:
        results = _chosen_results(fields, report, place)
        if results is None:
            return None
        others = _others(results, fields, key)
        items = [item for result in results for item in _items(result, others, report, place)]
    return TextRecord(doc_id, where, text, _in_characters(text, items))


def _others(results: Iterable[Any], task: Fields, key: str) -> set[str]:
    """The names of what else in the task has labelled regions than its text, which has the key.

    A name is often the key of its string. Where none is that of the text, the text's is the one
    with the most regions that stand there.

    Raises ValueError where that may be several.
    """
    by_name: dict[str, list[Fields]] = {}
    for result in results:
        if _is_labelled(result) and isinstance(result.get("to_name"), str):
            by_name.setdefault(result["to_name"], []).append(result["value"])
    strings = _strings(task)
    fits = Counter({name: _n_matches(strings[key], by_name[name]) for name in by_name})
    names = [
        name
        for name in by_name
        if name not in strings or fits[name] > _n_matches(strings[name], by_name[name])
    ]
    names = [key] if key in by_name else names
    if len(names) > 1:
        names.sort(key=fits.__getitem__, reverse=True)
        if fits[names[0]] == fits[names[1]]:
            raise ValueError(
                f"the regions of the task are on several texts, {names}, and which of them is "
                f"'{key}' cannot be told: rename '{key}' to it"
            )
    return by_name.keys() - set(names[:1])


def _is_labelled(result: Any) -> bool:
    """Whether it is a region of a plain text."""
    is_region = isinstance(result, Mapping) and result.get("type") == "labels"
    return is_region and isinstance(result.get("value"), Mapping)


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


def _items(result: Any, others: set[str], report: Report, place: str) -> Iterator[dict[str, Any]]:
    kind = result.get("type") if isinstance(result, Mapping) else None
    if kind in ("hypertextlabels", "paragraphlabels"):
        report.add_problem("not in characters", place, result)
    elif _is_labelled(result) and result.get("to_name") in others:
        report.add_problem("of another text", place, result)
    elif _is_labelled(result):
        yield from _region_items(result["value"], result.get("score"))
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
