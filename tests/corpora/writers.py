"""Small writers of the formats that the package only reads, as the tools write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corpora.documents import Labelled, Text

Writer = Callable[[Path, Sequence[Text]], Path]


def write_lines(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf8")
    return path


def write_json(path: Path, value: Any, indent: int | None = 2) -> Path:
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False), encoding="utf8")
    return path


def prodigy(folder: Path, documents: Sequence[Text]) -> Path:
    return write_lines(folder / "prodigy.jsonl", [_prodigy(one) for one in documents])


def doccano(folder: Path, documents: Sequence[Text]) -> Path:
    records = [
        {"id": number, "text": one.text, "label": _triples(one), "Comments": []}
        for number, one in enumerate(documents)
    ]
    return write_lines(folder / "doccano.jsonl", records)


def doccano_with_relations(folder: Path, documents: Sequence[Text]) -> Path:
    return write_lines(folder / "all.jsonl", [_doccano(one) for one in documents])


def doccano_json(folder: Path, documents: Sequence[Text]) -> Path:
    records = [{"text": one.text, "labels": _triples(one)} for one in documents]
    return write_json(folder / "doccano.json", records)


def spacy_2(folder: Path, documents: Sequence[Text]) -> Path:
    records = [{"text": one.text, "entities": _triples(one)} for one in documents]
    return write_lines(folder / "train.jsonl", records)


def spacy_2_pairs(folder: Path, documents: Sequence[Text]) -> Path:
    """The training data of its documentation."""
    records = [[one.text, {"entities": _triples(one)}] for one in documents]
    return write_json(folder / "train.json", records)


def spacy_2_pair_lines(folder: Path, documents: Sequence[Text]) -> Path:
    records = [[one.text, {"entities": _triples(one)}] for one in documents]
    return write_lines(folder / "train.jsonl", records)


def label_studio(folder: Path, documents: Sequence[Text]) -> Path:
    tasks = [_task(number, one, one.spans) for number, one in enumerate(documents)]
    return write_json(folder / "project-1.json", tasks)


def label_studio_of_2020(folder: Path, documents: Sequence[Text]) -> Path:
    """Its offsets count UTF-16 units; text of one unit is always listed."""
    tasks = []
    for number, one in enumerate(documents):
        units = [
            Labelled(_n_units(one.text[: span.start]), _n_units(one.text[: span.end]), span.label)
            for span in one.spans
        ]
        task = _task(number, one, units)
        task["completions"] = task.pop("annotations")
        tasks.append(task)
    return write_json(folder / "completions.json", tasks)


def label_studio_min(folder: Path, documents: Sequence[Text]) -> Path:
    records = [
        {
            "my_text": one.text,
            "id": number,
            "ner": [_region(one.text, span, span) for span in one.spans],
            "annotator": 1,
            "annotation_id": number,
            "created_at": "2024-01-30T02:40:43.893565Z",
        }
        for number, one in enumerate(documents)
    ]
    return write_json(folder / "min.json", records, indent=None)


def squad(folder: Path, documents: Sequence[Text]) -> Path:
    articles = [_article(number, one) for number, one in enumerate(documents)]
    return write_json(folder / "CUAD_v1.json", {"version": "aok_v1.0", "data": articles})


def brat(folder: Path, documents: Sequence[Text]) -> Path:
    corpus = folder / "brat"
    (corpus / "sub").mkdir(parents=True, exist_ok=True)
    for old in corpus.rglob("*.*"):
        old.unlink()
    for number, one in enumerate(documents):
        stem = corpus / ("sub" if number % 2 else ".") / f"doc{number:03}"
        # newline="": line breaks stay what they are
        with stem.with_suffix(".txt").open("w", encoding="utf8", newline="") as text:
            text.write(one.text)
        lines = (_brat_line(one.text, number, span) for number, span in enumerate(one.spans))
        with stem.with_suffix(".ann").open("w", encoding="utf8", newline="") as ann:
            ann.write("".join(lines))
    return corpus


def _triples(document: Text) -> list[list[Any]]:
    return [[span.start, span.end, span.label] for span in document.spans]


def _prodigy(document: Text) -> dict[str, Any]:
    spans = [
        {"start": span.start, "end": span.end, "token_start": 0, "token_end": 0}
        | {"label": span.label, "text": document.text[span.start : span.end]}
        | ({} if span.score is None else {"score": span.score})
        for span in document.spans
    ]
    return {"text": document.text, "_input_hash": 1, "spans": spans, "answer": "accept"}


def _doccano(document: Text) -> dict[str, Any]:
    entities = [
        {"id": number, "label": one.label, "start_offset": one.start, "end_offset": one.end}
        for number, one in enumerate(document.spans)
    ]
    return {"text": document.text, "entities": entities, "relations": [{"id": 0}]}


def _task(number: int, document: Text, in_units: Sequence[Labelled]) -> dict[str, Any]:
    pairs = zip(document.spans, in_units, strict=True)
    result = [
        {"value": _region(document.text, span, units), "from_name": "label", "type": "labels"}
        for span, units in pairs
    ]
    annotation = {"id": 1, "result": result, "was_cancelled": False}
    return {"id": number, "annotations": [annotation], "data": {"text": document.text}}


def _region(text: str, span: Labelled, in_units: Labelled) -> dict[str, Any]:
    listed = text[span.start : span.end].replace("\n", "\\n")
    return {"start": in_units.start, "end": in_units.end, "text": listed, "labels": [span.label]}


def _n_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _article(number: int, document: Text) -> dict[str, Any]:
    """Every second article has ids as CUAD has; in the others, the question is the label."""
    title, questions = f"contract {number}", []
    for span in document.spans:
        answer = {"text": document.text[span.start : span.end], "answer_start": span.start}
        named = {"id": f"{title}__{span.label}", "question": "Highlight the parts"}
        asked = {"id": "q1", "question": span.label}
        questions.append({**(named if number % 2 else asked), "answers": [answer]})
    return {"title": title, "paragraphs": [{"context": document.text, "qas": questions}]}


def _brat_line(text: str, number: int, span: Labelled) -> str:
    """As brat does, an annotation in pieces where there is a line break in it."""
    stretch = text[span.start : span.end]
    pieces = [
        (span.start + piece.start(), span.start + piece.end())
        for piece in re.finditer(r"[^\r\n]+", stretch)
    ]
    offsets = ";".join(f"{start} {end}" for start, end in pieces)
    listed = " ".join(text[start:end] for start, end in pieces).replace("\t", " ")
    return f"T{number}\t{span.label} {offsets}\t{listed}\n"
