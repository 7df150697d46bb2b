"""The real corpora beside the checkout, where they are there: nothing in them gets lost."""

import gzip
import json
from pathlib import Path

import pytest
import spacy

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
