"""Documents as JSON, as the readers of this package take it, or for GLiNER's trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..extensions import LABELS
from ..scores import span_scores
from .files import create_text, plain_suffix
from .gliner import gliner_record

Fields = dict[str, Any]


def write_jsonl(path: Path, docs: Iterable[Doc], *, spans_key: str) -> None:
    """Write a record for each document, as `write_records` does."""
    write_records(path, (doc_record(doc, spans_key) for doc in docs))


def write_gliner(path: Path, docs: Iterable[Doc], *, spans_key: str) -> Counter[str]:
    """Write training data of GLiNER likewise, and count what has no place in its records.

    Its trainer wants `.json`.
    """
    left_out = Counter[str]()
    write_records(path, (gliner_record(doc, spans_key, left_out) for doc in docs))
    return left_out


def write_records(path: Path, records: Iterable[Fields]) -> None:
    """Write a list if the name ends in `.json`, else one record a line; all or nothing.

    The file is packed if the name ends in `.gz` or `.xz`.
    """
    begin, between, end = (
        ("[\n", ",\n", "\n]\n") if plain_suffix(path) == ".json" else ("", "\n", "\n")
    )
    with create_text(path) as file:
        file.write(begin)
        for number, record in enumerate(records):
            file.write((between if number else "") + json.dumps(record, ensure_ascii=False))
        file.write(end)


def doc_record(doc: Doc, spans_key: str) -> Fields:
    """`{"doc_id", "text", "spans": [{"start", "end", "label", "score"}, ...]}`, in characters.

    A document that was made of words keeps them: `{"doc_id", "text": [words], "entity": [[start,
    end, [words], label], ...]}`, or such mappings where there are scores. `gliner_labels` is there
    if the document says what it is asked for.
    """
    head = {"doc_id": doc.user_data["doc_id"]} if "doc_id" in doc.user_data else {}
    if doc._.get(LABELS):
        head[LABELS] = doc._.get(LABELS)
    words = [token.text for token in doc]
    in_words, group = doc.has_unknown_spaces, doc.spans[spans_key]
    spans = [
        {
            "start": span.start if in_words else span.start_char,
            "end": span.end if in_words else span.end_char,
            "label": span.label_,
            **({} if score is None else {"score": score}),
        }
        for span, score in zip(group, span_scores(group), strict=True)
    ]
    if not in_words:
        return {**head, "text": doc.text, "spans": spans}
    return {**head, "text": words, "entity": [_word_item(span, words) for span in spans]}


def _word_item(span: Fields, words: list[str]) -> Fields | list[Any]:
    if "score" in span:
        return span
    return [span["start"], span["end"], words[span["start"] : span["end"]], span["label"]]


@contextmanager
def problems_to(path: Path | None) -> Iterator[Callable[[str, str, str, object], None] | None]:
    """What `Report.on_problem` can be to write every problem to a file of JSON lines."""
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8") as file:

        def write(problem: str, done: str, where: str, item: object) -> None:
            fields = {"problem": problem, "done": done, "where": where}
            try:
                line = json.dumps({**fields, "item": item}, default=repr)
            except RecursionError:
                line = json.dumps({**fields, "item": "nested too deeply to be shown"})
            file.write(line + "\n")

        yield write
