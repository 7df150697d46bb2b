"""The real corpora beside the checkout, where they are there: nothing in them gets lost."""

import gzip
import json
from pathlib import Path

import pytest
import spacy
from corpora import writers
from corpora.documents import Labelled, Text, read

from spacy_sener.corpora.readers import read_docs
from spacy_sener.corpora.report import Report

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("corpus", "record_format"),
    [("scholar-xl", "auto"), ("scholar-xl", "raw"), ("litbank", "auto")],
)
def test_every_entity_becomes_a_span(corpus: str, record_format: str) -> None:
    path = DATA / corpus / "dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the private corpus '{corpus}' is not beside this checkout")
    with gzip.open(path, "rt", encoding="utf8") as lines:
        n_entities = [len(json.loads(line)["entity"]) for line in lines]
    docs = read_docs(
        path, spacy.blank("en"), spans_key="sc", record_format=record_format, report=Report()
    )
    assert [len(doc.spans["sc"]) for doc in docs] == n_entities


@pytest.mark.parametrize(
    "write",
    [writers.prodigy, writers.doccano_json, writers.label_studio, writers.squad, writers.brat],
)
def test_real_texts_in_the_formats_of_tools(tmp_path: Path, write: writers.Writer) -> None:
    path = DATA / "scholar-xl" / "dev.jsonl.gz"
    if not path.is_file():
        pytest.skip("the private corpus 'scholar-xl' is not beside this checkout")
    with gzip.open(path, "rt", encoding="utf8") as lines:
        records = [json.loads(line) for line in lines]
    documents = [
        Text(record["raw"], [Labelled(*item) for item in record["raw_entity"]])
        for record in records
    ]
    docs, report = read(write(tmp_path, documents))
    # brat's files are read in the order of their names.
    assert sorted((doc.text, len(doc.spans["sc"])) for doc in docs) == sorted(
        (one.text, len(one.spans)) for one in documents
    )
    assert set(report.problems) == {"ends inside a token"}
