"""SQuAD's JSON, which CUAD takes for its contracts: answers to questions are labelled spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .json_lists import json_list
from .jsonl import Fields, count_unread, required
from .records import Record, TextRecord
from .report import Report

# CUAD's file of separate questions numbers the answers to each, which quotes the label without one.
ANSWER_NUMBER = re.compile(r"_\d+$")


def read_squad(path: Path, report: Report) -> Iterator[Record]:
    """A document for each paragraph of each article, with its answers.

    The label is what follows the title and "__" in the question's id, as in CUAD ("..__Document
    Name"), or what follows the last "__", or else the question itself. A number behind it, as in
    "..__Parties_0", is left out where the question has "Parties" in such quotes. The document's
    name is the article's title, with the paragraph's number behind a "#" if there are several.
    """
    for where, article in json_list(path, key="data"):
        try:
            yield from _paragraphs(article, where, report)
        except ValueError as error:
            raise ValueError(f"{path}, {where}: {error}") from error


def _paragraphs(article: Any, where: str, report: Report) -> Iterator[TextRecord]:
    paragraphs = required(article, "paragraphs", list, "a list")
    title = article.get("title") or where.partition(",")[0]
    for number, paragraph in enumerate(paragraphs, 1):
        text = required(paragraph, "context", str, "a string")
        questions = required(paragraph, "qas", list, "a list")
        name = title if len(paragraphs) == 1 else f"{title}#{number}"
        items = [item for question in questions for item in _items(question, title, report)]
        yield TextRecord(name, where, text, items)


def _items(question: Any, title: Any, report: Report) -> Iterator[Any]:
    answers = required(question, "answers", list, "a list")
    count_unread(question, {"plausible_answers": "plausible answers"}, report)
    label = _label(question, title)
    for answer in answers:
        yield _item(answer, label) if isinstance(answer, dict) else answer


def _item(answer: Fields, label: Any) -> Fields:
    start, text = answer.get("answer_start"), answer.get("text")
    end = start + len(text) if type(start) is int and isinstance(text, str) else None
    score = {"score": answer["score"]} if "score" in answer else {}
    return {"start": start, "end": end, "label": label, "text": text, **score}


def _label(question: Fields, title: Any) -> Any:
    name, text = question.get("id"), question.get("question")
    if not isinstance(name, str) or "__" not in name:
        return text
    prefix = f"{title}__"
    label = name.removeprefix(prefix) if name.startswith(prefix) else name.rpartition("__")[2]
    unnumbered = ANSWER_NUMBER.sub("", label)
    return unnumbered if f'"{unnumbered}"' in str(text) else label
