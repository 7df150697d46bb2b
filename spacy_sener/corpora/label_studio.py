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
from .label_studio_texts import (
    Texts,
    is_json_min,
    is_labelled,
    n_matches,
    other_objects,
    stretch,
    strings_of,
    unescaped,
)
from .offsets import same_text
from .records import Record, TextRecord
from .report import Report
from .utf16 import in_characters, surrogate_pairs


def read_label_studio(path: Path, report: Report) -> Iterator[Record]:
    """The tasks that somebody annotated, or else a model.

    Of several annotations of a task, the one marked as ground truth is taken, or else the first.
    Cancelled ones are left out, as are regions of HTML and of dialogues, whose places are not in
    characters of a text. All that is in the report.
    """
    texts = Texts(path)
    for where, task in json_list(path):
        yield from read_fields(path, task, where, partial(_parse, texts=texts, report=report))


def _parse(
    fields: Fields, doc_id: Any, where: str, *, texts: Texts, report: Report
) -> TextRecord | None:
    place, key = f"{doc_id} ({where})", texts.key_of(fields)
    text = strings_of(fields)[key]
    if is_json_min(fields):
        items = list(_json_min_items(fields, report, place))
    else:
        results = _chosen_results(fields, report, place)
        if results is None:
            return None
        left_out = other_objects(results, fields, key)
        items = [item for result in results for item in _items(result, left_out, report, place)]
    return TextRecord(doc_id, where, text, _in_characters(text, items))


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


def _items(result: Any, left_out: set[str], report: Report, place: str) -> Iterator[dict[str, Any]]:
    kind = result.get("type") if isinstance(result, Mapping) else None
    if kind in ("hypertextlabels", "paragraphlabels"):
        report.add_problem("not in characters", place, result)
    elif is_labelled(result) and result.get("to_name") in left_out:
        report.add_problem("of another text", place, result)
    elif is_labelled(result):
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
    if pairs := surrogate_pairs(text):
        converted = [_converted(item, pairs) for item in items]
        items = max(items, converted, key=partial(n_matches, text))
    return [_with_line_breaks(item, text) for item in items]


def _with_line_breaks(item: Fields, text: str) -> Fields:
    """Some versions list a line break as a backslash and an n."""
    listed, there = item.get("text"), stretch(item, text)
    if isinstance(listed, str) and same_text(unescaped(listed), unescaped(there)):
        return {**item, "text": there}
    return item


def _converted(item: Fields, pairs: Sequence[int]) -> Fields:
    start, end = item.get("start"), item.get("end")
    if type(start) is int and type(end) is int:
        return {**item, "start": in_characters(start, pairs), "end": in_characters(end, pairs)}
    return item
