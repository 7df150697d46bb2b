"""GLiNER's training data: JSON of words and labelled spans, for every task of the multi-task model.

A task's prompt ("Who founded it?", "Summarize the given text ...") is the first of the words, and
a relation's label is "head <> relation". That is how the model is trained, so it stays as it is.
Since such a label is of its text alone, a text that has some is asked for its own labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..extensions import LABELS
from ..prompts import HEAD_END
from ..scores import span_scores
from .asked_labels import AskedLabels, joined, read_labels
from .json_lists import json_list
from .jsonl import Fields, count_unread, read_fields, required, required_words
from .records import Record, WordsRecord
from .report import Report


def read_gliner(path: Path, report: Report) -> Iterator[Record]:
    """`{"tokenized_text": [words], "ner": [[first word, last word, label], ...]}`, or a list.

    The labels that a text is asked for are `ner_labels` (in older files `label`); where there are
    none, those of its spans and its `ner_negatives`, if it has these or a label with a head.
    Relations between spans, which another of GLiNER's models learns, are counted.
    """
    parse = partial(_parse, report=report)
    for where, fields in json_list(path):
        yield from read_fields(path, fields, where, parse)


def _parse(fields: Fields, doc_id: Any, where: str, *, report: Report) -> WordsRecord:
    words = required_words(fields, "tokenized_text")
    place = f"{doc_id} ({where})"
    items = list(_items(required(fields, "ner", list, "a list"), report, place))
    count_unread(fields, {"relations": "relations"}, report)
    return WordsRecord(doc_id, where, words, items, _asked(fields, items, report, place))


def _items(spans: list[Any], report: Report, where: str) -> Iterator[Fields]:
    for span in spans:
        if isinstance(span, list) and len(span) == 3 and type(span[1]) is int:
            first, last, label = span
            yield {"start": first, "end": last + 1, "label": label, "ner": span}
        else:
            report.add_problem("malformed", where, span)


def _asked(fields: Fields, items: list[Fields], report: Report, where: str) -> AskedLabels | None:
    named, older, negatives = (
        read_labels(fields, key, report, where) for key in ("ner_labels", "label", "ner_negatives")
    )
    named = named or older
    labels = list(dict.fromkeys(item["label"] for item in items if _is_label(item["label"])))
    if not named and not negatives and not any(HEAD_END in label for label in labels):
        return None
    for label in labels:
        if named and label not in named:
            report.add_problem("not asked for", where, label)
    return joined(joined(named, labels), negatives)


def _is_label(label: Any) -> bool:
    return isinstance(label, str) and bool(label.strip())


def gliner_record(doc: Doc, spans_key: str, left_out: Counter[str]) -> Fields:
    """`{"doc_id", "tokenized_text", "ner", "ner_labels"}`, the words being the document's tokens.

    Tokens of whitespace are left out: GLiNER's tokenizer makes nothing of them, and its trainer
    then takes the marks of all that follow for those of other words. `ner_labels` is there if the
    document says what it is asked for, with the labels of its spans.

    left_out: Counts what has no place in the format: scores, and spans of whitespace only.
    """
    kept = [token.i for token in doc if token.text.strip()]
    place = {token: number for number, token in enumerate(kept)}
    ner: list[tuple[int, int, str]] = []
    for span in doc.spans[spans_key]:
        places = [place[token.i] for token in span if token.i in place]
        if places:
            ner.append((places[0], places[-1], span.label_))
        else:
            left_out["spans of whitespace only"] += 1
    left_out["scores"] += sum(score is not None for score in span_scores(doc.spans[spans_key]))
    name = {"doc_id": doc.user_data["doc_id"]} if "doc_id" in doc.user_data else {}
    record = {**name, "tokenized_text": [doc[token].text for token in kept], "ner": ner}
    labels = doc._.get(LABELS)
    if labels:
        asked = dict(labels) if isinstance(labels, dict) else list(labels)
        record["ner_labels"] = joined(asked, [label for *_, label in ner])
    return record
