"""The format of a file, from its name and its beginning."""

import json
from pathlib import Path

import pytest
from corpora import writers
from corpora.documents import Labelled, Text, read

from spacy_sener.corpora.detect import BY_SUFFIX, detect_format
from spacy_sener.corpora.readers import FORMATS

DOCUMENTS = [Text("Ada Brenk", [Labelled(0, 3, "name")])]
CAS = '{"%TYPES": {}, "%FEATURE_STRUCTURES": []}'
CONLL = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\n"


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (writers.prodigy, "jsonl"),
        (writers.doccano, "jsonl"),
        (writers.doccano_with_relations, "jsonl"),
        (writers.doccano_json, "json"),
        (writers.spacy_2, "jsonl"),
        (writers.spacy_2_pairs, "json"),
        (writers.spacy_2_pair_lines, "jsonl"),
        (writers.label_studio, "label-studio"),
        (writers.label_studio_of_2020, "label-studio"),
        (writers.label_studio_min, "label-studio"),
        (writers.squad, "squad"),
        (writers.brat, "brat"),
    ],
)
def test_what_tools_write(tmp_path: Path, write: writers.Writer, name: str) -> None:
    assert detect_format(write(tmp_path, DOCUMENTS)) == name


@pytest.mark.parametrize(
    ("file", "body", "name"),
    [
        ("a.spacy", "", "spacy"),
        ("a.ann", "", "brat"),
        ("a.a2.gz", "", "brat"),
        ("a.xmi", "<xmi:XMI/>", "uima"),
        ("a.xml", '<?xml version="1.0"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI">', "uima"),
        ("a.json", CAS, "uima"),
        ("a.tsv", "#FORMAT=WebAnno TSV 3.3\n", "webanno"),
        ("a.conll", "", "conll"),
        ("eng.train", CONLL, "conll"),
        ("a.txt", "# id 1\nEU\tB-ORG\n", "conll"),
        ("a.tsv", "TOKEN\tNE\tNEL\tMISC\nEU\tB-org\tQ458\t_\n", "conll"),
        ("a.txt", "[ [ O\nEU NNP B-ORG\n", "conll"),
        ("a.txt", "{\t{\tO\t_\r\nEU\tEU\tB-ORG\t_\r\n", "conll"),
        ("a.txt", '{"text": "vitamin B-12"}\n', "jsonl"),
        ("a.txt", f'[{{"text":\t"a B-12 {"a" * 9999}"}}]', "json"),
        ("a.jsonl", '["EU", {"entities": [[0, 2, "org"]]}]\n', "jsonl"),
        ("a.jsonl", '{"doc_id": "d", "words": ["a"], "ner": [], "coref": {}}', "scirex"),
        ("a.jsonl", '{"tokenized_text": ["a"], "ner": []}', "gliner"),
        ("a.json", '[{"ner": [], "tokenized_text": ["a"]}]', "gliner"),
        ("a.jsonl", '{"text": ["a"], "entity": []}\n{"words', "jsonl"),
        ("a.json", '{"id": 1, "data": "a", "label": []}', "json"),
        ("348.json", '{"completions": [], "data": {"text": "a"}, "id": 348}', "label-studio"),
        ("a.json", '[{"text": "a", "spans": []}, {"annotations"', "json"),
        ("a.json", '[{"text": "a", "entities": [[0, 1, "x"]], "predictions": []}]', "json"),
        ("a.json", '[{"id": 1, "text": "a", "annotations": [[0, 1, "x"]]}]', "json"),
        ("a.jsonl", '{"text": "a", "spans": [], "data": "a", "annotations": []}', "jsonl"),
        ("a.json", ' {"version": "2", "data": [{"title', "squad"),
    ],
)
def test_names_and_beginnings(tmp_path: Path, file: str, body: str, name: str) -> None:
    path = tmp_path / file
    path.write_text(body, encoding="utf8")
    assert detect_format(path) == name


def test_folders_and_texts_with_annotations_beside_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("EU\tB-ORG\n")
    assert detect_format(tmp_path / "a.txt") == "conll"
    with pytest.raises(ValueError, match=r"in the folder are files that end in \['\.txt'\]"):
        detect_format(tmp_path)
    (tmp_path / "a.ann").write_text("")
    assert detect_format(tmp_path / "a.txt") == detect_format(tmp_path) == "brat"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.xmi").write_text("")
    assert detect_format(tmp_path / "sub") == "uima"


def test_a_folder_of_json_of_uima(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("[")
    (tmp_path / "project.json").write_text('{"name": "dogs"}')
    with pytest.raises(ValueError, match=r"in the folder are files that end in \['\.json'\]"):
        detect_format(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.json").write_text(CAS)
    assert detect_format(tmp_path) == "uima"


@pytest.mark.parametrize(("file", "body"), [("sub/b.xmi", ""), ("sub/b.json", CAS)])
def test_a_folder_of_two_formats_is_not_read_in_part(tmp_path: Path, file: str, body: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.json").write_text("{}")
    writers.brat(tmp_path, DOCUMENTS)
    assert detect_format(tmp_path) == "brat"
    (tmp_path / file).write_text(body)
    message = rf"several formats, .*: brat \(\S+\.ann\), uima \({file}\)\. Name it with --format"
    with pytest.raises(ValueError, match=message):
        detect_format(tmp_path)
    docs, _ = read(tmp_path, "brat")
    assert [doc.text for doc in docs] == ["Ada Brenk"]


def test_every_name_is_a_format() -> None:
    assert set(BY_SUFFIX.values()) <= set(FORMATS)


def test_a_document_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"text": "one", "spans": [[0, 3, "x"]]}, indent=2))
    [doc], _ = read(path)
    assert [span.label_ for span in doc.spans["sc"]] == ["x"]
