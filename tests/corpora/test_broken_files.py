"""Files that are wrong: one error that names file and line, and never anything else."""

import gzip
import json
import lzma
import random
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from corpora import writers
from corpora.documents import NLP, Labelled, Text, read
from spacy.tokens import DocBin
from srsly import msgpack_dumps, msgpack_loads

from spacy_sener.corpora import files, json_lists
from spacy_sener.corpora.corpus import create_segment_corpus
from spacy_sener.corpora.docbin import read_examples
from spacy_sener.evaluation.predictions import from_file, require_spans

DOCUMENTS = [Text("Ada Brenk, PhD", [Labelled(0, 9, "name")])] * 3
TASK = {"id": 1, "data": {"text": "x"}, "annotations": [{"result": []}]}
DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "write", [writers.prodigy, writers.doccano_json, writers.label_studio, writers.squad]
)
@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
def test_truncated(tmp_path: Path, write: writers.Writer, packed: str) -> None:
    body = write(tmp_path, DOCUMENTS).read_bytes()
    path = tmp_path / f"cut.json{'l' if write is writers.prodigy else ''}{packed}"
    if packed:
        body = (gzip if packed == ".gz" else lzma).compress(body)
    path.write_bytes(body[:-15])
    with pytest.raises(ValueError, match=r"cut\.json.*(line \d+: |truncated or damaged)"):
        read(path)


def test_a_file_that_is_not_packed_as_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_text('{"text": "x", "spans": []}')
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz is truncated or damaged: Not a gzipped"):
        read(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt", "a.xml"])
@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 2), ("utf-16", 1)])
def test_other_encodings(tmp_path: Path, name: str, encoding: str, line: int) -> None:
    path = tmp_path / name
    path.write_bytes('[{"text": "x", "spans": []},\n{"text": "é", "spans": []}]'.encode(encoding))
    with pytest.raises(ValueError, match=rf"{name}, line {line}: not UTF-8"):
        read(path)


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.json", '[{"text": "x",\n"spans": [}]', r"a\.json, line 2: Expecting value"),
        ("a.json", '[{"text": "x", "spans": []}\n{}]', r"line 2: expected ',' or ']', but found"),
        ("a.json", '[{"text": "x", "spans": []}]\n\n[]', "line 3: there is something after"),
        (
            "a.json",
            '[{"text": "x", "spans": []},\n"y"]',
            "record 2, line 2: expected a JSON object",
        ),
        ("a.json", '[{"text": "x", "spans": []},\n{"text": 5}]', "record 2, line 2: 'text' should"),
        ("a.json", '[{"text": "x" "y"}]', "line 1: expected ',' or '}', but found '\"'"),
        ("a.json", f"[{'9' * 5000}]", "line 1: Exceeds the limit"),
        ("a.json", f'[{{"text": {DEEP}}}]', "line 1: maximum recursion"),
        ("a.jsonl", f'{{"text": "x", "spans": {DEEP}}}', "line 1: maximum recursion"),
        ("a.jsonl", '\n{"text": "\\ud800", "spans": []}', r"a\.jsonl, line 2: .*surrogates not"),
        ("a.json", '[\n{"text": "\\ud800", "spans": []}]', r"record 1, line 2: .*surrogates not"),
        ("a.jsonl", '{"text": "x", "spans": [[0, 1, "\\udc00"]]}', "line 1: .*surrogates not"),
        ("a.jsonl", '{"id": "\\ud800", "text": "x", "spans": []}', "line 1: .*surrogates not"),
        ("a.jsonl", f'{{"id": {2**64}, "text": "x", "spans": []}}', "line 1: a document's name"),
        ("a.jsonl", '{"id": [1], "text": "x", "spans": []}', "line 1: a document's name"),
        ("a.json", '{"data": [{"paragraphs": 1}]}', "record 1, line 1: 'paragraphs' should be"),
        ("a.json", '{"data": [{"paragraphs": [1]}]}', "line 1: expected a JSON object, but found"),
        ("a.json", '{"data": ["x"]}', "record 1, line 1: expected a JSON object"),
        ("a.json", '[{"annotations": 1, "data": {"text": "x"}}]', "'annotations' should be a list"),
        ("a.json", '[{"annotations": [1], "data": {"text": "x"}}]', "an annotation should be an"),
        ("a.json", '[{"annotations": [{}], "data": {"text": "x"}}]', "no 'result'"),
        ("a.json", '[{"annotations": [], "data": {"a": "x", "b": "y"}}]', r"\['a', 'b'\]"),
        ("a.json", '{"data": []}\n{"data": []}', "line 2: there is something after"),
        ("a.json", '{"data": [],\n"data": []}', "line 2: 'data' comes a second time"),
        ("a.json", '{"version": "1", "data": [], 5}', "line 1: expected a key in double quotes"),
        ("a.xml", "<a>\n</a>", "format of .*a.xml is not known, it begins with '<a>"),
        ("a.csv", "a;b;c", "format of .*a.csv is not known, it begins with 'a;b;c'"),
        ("a.ann", "T1\tX 0 1\tx", "a.ann: there is no text a.txt beside"),
        ("a.spacy", "x", "a.spacy: not a whole .spacy file"),
    ],
)
def test_an_error_names_the_place(tmp_path: Path, name: str, body: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(body, encoding="utf8")
    with pytest.raises(ValueError, match=message):
        read(path)


def test_what_follows_an_error_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "x", "spans": [}]},' + '{"text": "x", "spans": []},\n' * 200_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match="line 1: Expecting value"):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.jsonl.gz", "\n" + " " * 3000, r"a\.jsonl\.gz, line 2: longer than 2000 characters"),
        ("a.json.gz", '[["' + "x" * 300_000, "line 1: a value is longer than 2000 characters"),
        ("a.txt.gz", "x" * 3000, r"a\.txt\.gz is longer than 2000 characters"),
        ("a.xmi.gz", "x" * 3000, r"a\.xmi\.gz is larger than 2500 bytes, unpacked"),
        ("a.spacy.xz", "x" * 3000, r"a\.spacy\.xz is larger than 2500 bytes, unpacked"),
    ],
)
def test_memory_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, body: str, message: str
) -> None:
    monkeypatch.setattr(files, "MAX_UNPACKED", 2500)
    monkeypatch.setattr(files, "MAX_TEXT", 2000)
    monkeypatch.setattr(json_lists, "MAX_TEXT", 2000)
    (tmp_path / "a.ann").write_text("")
    path = tmp_path / name
    path.write_bytes((lzma if name.endswith("xz") else gzip).compress(body.encode()))
    with pytest.raises(ValueError, match=message):
        read(path)


DOCBIN_READERS = {
    "convert": read,
    "debug-data": lambda path: list(read_examples(path, NLP)),
    "training in segments": lambda path: list(create_segment_corpus(path, 10)(NLP)),
    "report": lambda path: require_spans(path, "sc"),
    "report on a file": lambda path: list(from_file(path, path).examples),
}


@pytest.mark.parametrize("reader", DOCBIN_READERS.values(), ids=DOCBIN_READERS)
def test_a_small_docbin_that_unpacks_to_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(files, "MAX_UNPACKED", 2500)
    path = tmp_path / "a.spacy"
    path.write_bytes(zlib.compress(random.Random(0).randbytes(200_000) + b"\0" * 100_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.spacy: .* is larger than \d+ bytes, unpacked"):
        reader(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("reader", DOCBIN_READERS.values(), ids=DOCBIN_READERS)
def test_a_docbin_whose_documents_are_damaged(
    tmp_path: Path, reader: Callable[[Path], object]
) -> None:
    doc = spacy.blank("en")("words that no other test reads: onetwothree")
    content = msgpack_loads(zlib.decompress(DocBin(docs=[doc]).to_bytes()))
    content["strings"] = []  # the words are numbers without them
    path = tmp_path / "a.spacy"
    path.write_bytes(zlib.compress(msgpack_dumps(content)))
    with pytest.raises(ValueError, match=r"a\.spacy: not a whole \.spacy file: "):
        reader(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_key_that_comes_twice(tmp_path: Path, name: str) -> None:
    """Which of the two texts was annotated? The json module takes the last, and does not say so."""
    path = tmp_path / name
    path.write_text('\n{"text": "one", "spans": [], "text": "two"}')
    with pytest.raises(ValueError, match=rf"{name}, line 2: the key 'text' comes twice"):
        read(path)
    path.write_text('{"text": "one", "spans": [{"start": 0, "end": 3, "label": "x", "end": 1}]}')
    with pytest.raises(ValueError, match="the key 'end' comes twice"):
        read(path)


def test_names_that_come_twice_are_reported(tmp_path: Path) -> None:
    lines = [{"id": name, "text": "one", "spans": []} for name in ("a", "b", "a", 1, "1", 1)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    docs, report = read(path)
    assert len(docs) == 6
    assert report.problems == {"name of another": 2}
    assert report.examples["name of another"] == ["a: {'doc_id': 'a'}", "1: {'doc_id': 1}"]


def test_a_docbin_cut_off(tmp_path: Path) -> None:
    doc = spacy.blank("en")("one two")
    body = DocBin(docs=[doc]).to_bytes()
    (tmp_path / "a.spacy").write_bytes(body[:-10])
    with pytest.raises(ValueError, match="not a whole"):
        read(tmp_path / "a.spacy")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.spacy", "a.ann", "folder"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises((FileNotFoundError, ValueError), match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.json", "list.json"])
def test_no_documents(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("[]" if name == "list.json" else " \n", encoding="utf8")
    assert read(tmp_path / name)[0] == []


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"start": "0", "end": 3, "label": "x"}, "malformed"),
        ({"start": 0, "end": True, "label": "x"}, "malformed"),
        ({"start": 0, "end": float("nan"), "label": "x"}, "malformed"),
        ({"start": 0, "label": "x"}, "malformed"),
        ({"start": 0, "end": 10**30, "label": "x"}, "out of range"),
        ({"start": 0, "end": 3, "label": None}, "unlabelled"),
        ({"start": 3, "end": 0, "label": "x"}, "empty"),
        ({"start": 0, "end": 3, "label": "x", "text": "two"}, "other text"),
        ({"start": 0, "end": 3, "label": "x", "score": "high"}, "unusable score"),
        ({"start": 0, "end": 3, "label": "x", "score": True}, "unusable score"),
        ({"start": 0, "end": 3, "label": "x", "score": float("inf")}, "unusable score"),
        ({"start": 0, "end": 3, "label": "x", "score": 10**400}, "unusable score"),
    ],
)
def test_a_wrong_item_is_reported_and_the_others_kept(
    tmp_path: Path, item: dict[str, object], problem: str
) -> None:
    record = {"id": "d", "text": "one two", "spans": [item, [0, 7, "y"], [4, 7, "z"]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    [doc], report = read(tmp_path / "a.jsonl")
    labels = [span.label_ for span in doc.spans["sc"]]
    assert labels == (["x", "y", "z"] if problem == "unusable score" else ["y", "z"])
    assert report.problems == {problem: 1}
    assert not doc.spans["sc"].attrs
