"""Which documents are taken, and which of them are held out."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.accuracy.corpora import CorpusSettings, corpus_settings, read_corpus


def write_jsonl(path: Path, records: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def test_the_same_documents_are_taken_whatever_their_order(tmp_path: Path):
    records = [
        {"doc_id": f"d{i}", "text": ["a", "b"], "entity": [[0, 1, ["a"], "A"]]} for i in range(20)
    ]
    settings = CorpusSettings(10, 3, None, 1, 0.2, "tokens")
    taken = []
    for name, each in (("one", records), ("two", records[::-1])):
        write_jsonl(tmp_path / name / "train.jsonl.gz", each)
        write_jsonl(tmp_path / name / "dev.jsonl.gz", each)
        data = read_corpus(tmp_path / name, settings)
        parts = (data.segments, data.held_out, data.dev)
        taken.append([[doc.user_data["doc_id"] for doc in docs] for docs in parts])
    assert taken[0] == taken[1]
    assert [len(docs) for docs in taken[0]] == [8, 2, 3]
    assert not set(taken[0][0]) & set(taken[0][1])


def test_too_few_documents_are_an_error(tmp_path: Path):
    write_jsonl(tmp_path / "train.jsonl.gz", [{"doc_id": 1, "text": ["a"], "entity": []}])
    with pytest.raises(ValueError, match=r"has 1 documents, but corpora\.yml takes 2"):
        read_corpus(tmp_path, CorpusSettings(2, 1, None, 1, 0.1, "tokens"))


def test_the_settings_are_read():
    assert corpus_settings()["scholar-xl"].longest is None
