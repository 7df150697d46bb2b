"""The public corpora, each as its repository publishes it: parts of annotated documents.

Every function takes the archive that `project.yml` names and gives the parts "train", "dev" and
"test" as lists of records that `spacy sener convert` reads as JSON lines: offsets where the
repository has the untouched text, words where it has words.
"""

import csv
import json
from ast import literal_eval
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from archives import archived_texts
from splits import held_out

Record = dict[str, Any]
Parts = dict[str, list[Record]]

# A paragraph's labels are one field of a table: far longer than the csv module expects.
csv.field_size_limit(2**24)

# RMU-ECHR's labels, by a word of the German ones, which are not always written the same way.
ARGUMENTS = {
    "Subsumtion": "application",
    "Entscheidung": "decision",
    "Rechtsprechung": "precedents",
    "Einschätzungsspielraum": "margin_of_appreciation",
    "Distinguishing": "distinguishing",
    "Overruling": "overruling",
    "Angemessenheit": "proportionality",
    "Geeignetheit": "suitability",
    "Legitimer": "legitimate_purpose",
    "Rechtsgrundlage": "legal_basis",
    "Rechtsvergleichung": "comparative_law",
    "Sinn": "teleological_interpretation",
    "Systematische": "systematic_interpretation",
    "Historische": "historical_interpretation",
    "Wortlaut": "textual_interpretation",
    "Konsens": "non_contestation",
}


def read_litbank(archive: Path) -> Parts:
    """Novels, as brat's text and annotation files; the parts are cut here, 80 : 10 : 10."""
    files = {path.name: text for path, text in archived_texts(archive, "*/entities/brat/*")}
    records = [
        {"id": name.removesuffix("_brat.txt"), "text": text, "spans": brat_spans(files, name)}
        for name, text in sorted(files.items())
        if name.endswith(".txt")
    ]
    test = held_out([record["id"] for record in records], 0.1)
    dev = held_out([record["id"] for record in records if record["id"] not in test], 1 / 9)
    parts = defaultdict(list)
    for record in records:
        name = record["id"]
        parts["test" if name in test else "dev" if name in dev else "train"].append(record)
    return parts


def brat_spans(files: dict[str, str], text_name: str) -> list[Record]:
    """The text-bound annotations (`T1<tab>PER 126 171<tab>words`) that belong to a text."""
    rows = (line.split("\t") for line in files[text_name[:-4] + ".ann"].split("\n"))
    places = [row[1].split(" ") for row in rows if row[0].startswith("T")]
    return [{"start": int(start), "end": int(end), "label": label} for label, start, end in places]


def read_scirex(archive: Path) -> Parts:
    """Machine-learning papers, as JSON lines that the converter knows; the published parts."""
    return {
        path.stem: [json.loads(line) for line in text.split("\n") if line.strip()]
        for path, text in archived_texts(archive, "*.jsonl")
    }


def read_cuad(archive: Path) -> Parts:
    """Contracts, as questions and answers: a question is a label, an answer is a span.

    The published test part; an eighth of the other contracts is held out.
    """
    files = {path.name: json.loads(text) for path, text in archived_texts(archive, "*.json")}
    tested = {contract["title"] for contract in files["test.json"]["data"]}
    records = [cuad_record(contract) for contract in files["CUADv1.json"]["data"]]
    dev = held_out([record["text"] for record in records if record["id"] not in tested], 1 / 8)
    parts = defaultdict(list)
    for record in records:
        other = "dev" if record["text"] in dev else "train"
        parts["test" if record["id"] in tested else other].append(record)
    return parts


def cuad_record(contract: Record) -> Record:
    """One contract; the same span may answer several questions."""
    (paragraph,) = contract["paragraphs"]
    spans = [
        {"start": start, "end": start + len(text), "label": question["id"].rpartition("__")[2]}
        for question in paragraph["qas"]
        for start, text in sorted({(a["answer_start"], a["text"]) for a in question["answers"]})
    ]
    return {"id": contract["title"], "text": paragraph["context"], "spans": spans}


def read_rmu_echr(archive: Path) -> Parts:
    """Arguments in court judgments, as tables of words and tags; the published parts."""
    parts = defaultdict(list)
    for path, text in archived_texts(archive, "*/data/*/argType/*.csv"):
        part = path.parts[-3]
        parts["dev" if part == "val" else part].append(rmu_echr_record(path.stem, text))
    return parts


def rmu_echr_record(name: str, table: str) -> Record:
    """One judgment. A row is a paragraph: its words and its tags, as Python prints lists."""
    _, *rows = csv.reader(table.split("\n"), delimiter="\t")
    rows = [row for row in rows if row]
    words = [word for row in rows for word in literal_eval(row[0])]
    tags = [tag for row in rows for tag in literal_eval(row[1])]
    entity = [[start, end, words[start:end], label] for start, end, label in tagged_spans(tags)]
    return {"doc_id": name, "text": words, "entity": entity}


def tagged_spans(tags: list[str]) -> Iterator[tuple[int, int, str]]:
    """First word, end (exclusive) and English label of every argument: a B- tag and its I- tags."""
    start = None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and tag != "I-" + tags[start][2:]:
            yield start, place, english(tags[start][2:])
            start = None
        if start is None and tag != "O":
            start = place


def english(label: str) -> str:
    for word, name in ARGUMENTS.items():
        if word in label:
            return name
    raise ValueError(f"unknown label {label!r}")


READERS: dict[str, Callable[[Path], Parts]] = {
    "cuad": read_cuad,
    "litbank": read_litbank,
    "rmu-echr": read_rmu_echr,
    "scirex": read_scirex,
}
