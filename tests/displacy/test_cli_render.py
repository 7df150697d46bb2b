"""`python -m spacy sener render`, through spaCy's own command line."""

import gzip
import json
import re
from pathlib import Path

import pytest
import spacy
from displacy.helpers import Page, make_doc
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from tiny_gliner import ALONE, gold, marking_pipeline
from typer.testing import CliRunner, Result

import spacy_sener.cli.render  # noqa: F401 - the import adds the command
from spacy_sener.corpora import files

TEXT = "one two three"
CODE = """
from spacy.language import Language

@Language.component("sener-test-of-code")
def find_nothing(doc):
    doc.spans["sc"] = []
    return doc
"""


@Language.component("sener-test-first-two")
def first_two(doc: Doc) -> Doc:
    """The first two tokens are a pair."""
    doc.spans["sc"] = [Span(doc, 0, 2, label="pair")]
    doc.spans["sc"].attrs["scores"] = [0.75]
    return doc


@pytest.fixture
def model(tmp_path: Path) -> Path:
    nlp = spacy.blank("en")
    nlp.add_pipe("sener-test-first-two")
    nlp.to_disk(tmp_path / "model")
    return tmp_path / "model"


def render(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "render", *map(str, arguments)])


def said(result: Result) -> str:
    return " ".join(result.output.split())


def write_docs(path: Path, *docs: Doc) -> Path:
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


@pytest.mark.parametrize("name", ["in.txt", "texts", "in.jsonl", "words.jsonl", "in.spacy"])
def test_a_model_reads_texts_of_many_kinds(model: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "texts":
        path.mkdir()
        (path / "b.txt").write_text(TEXT)
    elif name == "in.spacy":
        write_docs(path, make_doc(TEXT, [(2, 3, "other")]))
    elif path.suffix == ".txt":
        path.write_text(TEXT)
    else:
        text = TEXT.split() if name == "words.jsonl" else TEXT
        path.write_text(json.dumps({"id": "<a>", "text": text}))
    out = tmp_path / "new" / "out.html"
    result = render(model, path, out)
    assert result.exit_code == 0, result.output
    assert "Wrote a page of 1 documents" in result.output
    html = out.read_text(encoding="utf8")
    assert [text.strip() for text in Page(html).rows] == [TEXT]
    assert 'data-t="pair 0.75"' in html
    assert "other" not in html
    assert ("&lt;a&gt;</bdi></h2>" in html) == (path.suffix == ".jsonl")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("gliner.jsonl", {"tokenized_text": TEXT.split(), "ner": [[2, 2, "other"]]}),
        ("scirex.jsonl", {"words": TEXT.split(), "ner": [[2, 3, "other"]], "doc_id": "a"}),
        ("doccano.jsonl", {"data": TEXT, "label": [[8, 13, "other"]]}),
        ("list.json", [{"text": TEXT, "spans": [{"start": 8, "end": 13, "label": "other"}]}]),
    ],
)
def test_a_model_reads_the_texts_of_annotated_corpora(
    model: Path, tmp_path: Path, name: str, record: object
) -> None:
    (tmp_path / name).write_text(json.dumps(record))
    result = render(model, tmp_path / name, tmp_path / "out.html")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "out.html").read_text(encoding="utf8")
    assert re.findall('data-t="(.*?)"', html) == ["pair 0.75"]


def test_all_texts_of_a_folder_are_read(model: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "texts", tmp_path / "out.html"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("first of all")
    (folder / "b.txt.gz").write_bytes(gzip.compress(b"packed in here"))
    (folder / "sub" / "c.txt").write_text("below the others")
    (folder / "d.jsonl").write_text(json.dumps({"text": "of another kind"}))
    (folder / "about.json").write_text("{}")
    (folder / "._a.txt").write_bytes(b"\xff of macOS")
    result = render(model, folder, out)
    assert result.exit_code == 0, result.output
    assert [text.strip() for text in Page(out.read_text(encoding="utf8")).rows] == [
        "first of all",
        "packed in here",
        "of another kind",
        "below the others",
    ]
    (folder / "a.ann").touch()
    for file in (folder / "sub" / "c.txt", folder / "b.txt.gz"):
        file.unlink()
    result = render(model, folder, out)
    assert result.exit_code == 0, result.output
    assert "Wrote a page of 1 documents" in result.output, "brat's: others are none of them"


def test_a_text_without_end(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_TEXT", 100)
    (tmp_path / "in.txt.gz").write_bytes(gzip.compress(b"a" * 101))
    result = render(model, tmp_path / "in.txt.gz", tmp_path / "out.html")
    assert result.exit_code == 1
    assert "is longer than 100 characters" in said(result)


def test_a_model_is_compared_with_annotations(model: Path, tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 7, "label": "pair"}, {"start": 8, "end": 13, "label": "x"}]
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps({"text": TEXT, "spans": spans}))
    result = render(model, path, tmp_path / "out.html", "--compare")
    assert result.exit_code == 0, result.output
    html = (tmp_path / "out.html").read_text(encoding="utf8")
    assert 'data-t="✓ pair 0.75"' in html
    assert 'data-t="○ x"' in html


def test_gold_documents_say_what_they_are_asked_for(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = marking_pipeline(tiny_encoder, labels=["person"])
    nlp.to_disk(tmp_path / "model")
    doc = gold(nlp, f"{ALONE} and {ALONE}", [(ALONE, "prize")]).reference
    doc._.gliner_labels = ["prize"]
    path, out = write_docs(tmp_path / "gold.spacy", doc), tmp_path / "out.html"
    for options, found in (((), ["prize", "prize"]), (("--compare",), ["✓ prize", "✗ prize"])):
        result = render(tmp_path / "model", path, out, *options)
        assert result.exit_code == 0, result.output
        html = out.read_text(encoding="utf8")
        assert [name[:-5] for name in re.findall('data-t="(.*?)"', html)] == found


def test_documents_without_gold_annotation_are_not_compared(model: Path, tmp_path: Path) -> None:
    annotated, bare = make_doc(TEXT, [(0, 2, "pair")]), make_doc(TEXT)
    bare.spans["other"] = bare.spans.pop("sc")
    path, out = write_docs(tmp_path / "gold.spacy", annotated, bare), tmp_path / "out.html"
    result = render(model, path, out, "--compare")
    assert result.exit_code == 0, result.output
    assert "1 of 2 documents have no annotation in doc.spans['sc']" in said(result)
    html = out.read_text(encoding="utf8")
    assert re.findall('data-t="(.*?)"', html) == ["✓ pair 0.75", "pair 0.75"]
    result = render(model, write_docs(tmp_path / "bare.spacy", bare), out, "--compare")
    assert result.exit_code == 1
    assert "to compare with. The keys that are there: ['other']" in said(result)


def test_texts_may_be_longer_than_spacys_limit(model: Path, tmp_path: Path) -> None:
    text = "word" * 10 + " "
    path = tmp_path / "long.txt"
    path.write_text(text * (spacy.blank("en").max_length // len(text) + 1))
    result = render(model, path, tmp_path / "out.html")
    assert result.exit_code == 0, result.output
    doc = make_doc(text, [(0, 1, "x")])
    found = write_docs(tmp_path / "found.spacy", *[doc] * 2)
    records = [{"text": path.read_text(), "spans": []}, {"text": text, "spans": []}]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, records)))
    result = render(found, tmp_path / "gold.jsonl", tmp_path / "out.html")
    assert "Document 1 of" in said(result), "the gold one is read"


def test_code_of_a_pipeline_is_imported(model: Path, tmp_path: Path) -> None:
    path, code, text = model / "config.cfg", tmp_path / "code.py", tmp_path / "in.txt"
    path.write_text(path.read_text().replace("sener-test-first-two", "sener-test-of-code"))
    code.write_text(CODE)
    text.write_text(TEXT)
    assert "sener-test-of-code" in said(render(model, text, tmp_path / "out.html"))
    result = render(model, text, tmp_path / "out.html", "--code", code)
    assert result.exit_code == 0, result.output


def test_a_file_of_predictions_is_drawn_or_compared(tmp_path: Path) -> None:
    found = write_docs(tmp_path / "found.spacy", make_doc(TEXT, [(0, 1, "a")], [0.9]))
    gold = write_docs(tmp_path / "gold.spacy", make_doc(TEXT, [(0, 1, "b")]))
    out = tmp_path / "out.html"
    assert render(found, out).exit_code == 0
    assert 'data-t="a 0.90"' in out.read_text(encoding="utf8")
    assert render(found, gold, out, "--title", "A & B").exit_code == 0
    html = out.read_text(encoding="utf8")
    assert 'data-t="≠ a 0.90 (gold b)"' in html
    assert "<title>A &amp; B</title>" in html


@pytest.mark.parametrize("limit", [0, 2])
def test_what_is_wrong_with_annotations_is_said(model: Path, tmp_path: Path, limit: int) -> None:
    record = {"text": TEXT, "spans": [{"start": 1, "end": 3, "label": "x"}]}
    path, out = tmp_path / "odd.jsonl", tmp_path / "out.html"
    path.write_text("\n".join([json.dumps(record)] * 3))
    result = render(model, path, out, "--compare", "--limit", limit)
    assert result.exit_code == 0, result.output
    assert "x ends inside a token" in said(result)
    assert "ends inside" not in said(render(model, path, out)), "nobody asks for them"


def test_limit_says_how_many(tmp_path: Path) -> None:
    found = write_docs(tmp_path / "found.spacy", *[make_doc(TEXT) for _ in range(3)])
    assert render(found, tmp_path / "out.html", "--limit", 2).exit_code == 0
    assert len(Page((tmp_path / "out.html").read_text(encoding="utf8")).rows) == 2
    two = write_docs(tmp_path / "two.spacy", *[make_doc(TEXT) for _ in range(2)])
    assert render(found, two, tmp_path / "out.html", "--limit", 2).exit_code == 0


def test_no_more_texts_are_read_than_the_limit(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT}) + "\n" + "no JSON\n")
    assert render(model, path, tmp_path / "out.html", "--limit", 1).exit_code == 0
    assert render(model, path, tmp_path / "out.html", "--limit", 2).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["found.spacy", "out.html", "--limit", "-1"], "Invalid value for '--limit'"),
        (["model", "out.html"], "INPUT is missing"),
        (["found.spacy", "out.html", "--compare"], "INPUT is missing"),
        (["model", "none.txt", "out.html"], "there is no file or folder"),
        (["none.spacy", "out.html"], "there is no file none.spacy"),
        (["none", "text.txt", "out.html"], "Can't find model"),
        (["text.spacy", "out.html"], "not a whole .spacy file"),
        (["unnamed.spacy", "out.html"], "not a whole .spacy file"),
        (
            ["found.spacy", "two.spacy", "out.html"],
            "Document 2 of found.spacy is not that of two.spacy: no document",
        ),
        (["found.spacy", "other.spacy", "out.html"], "Document 1 of found.spacy is not that of"),
        (["found.spacy", "out.pdf"], "should be a .html file"),
        (["found.spacy", "a.txt", "b.txt", "out.html"], "there are 3 paths"),
        (["empty.spacy", "out.html"], "has no documents"),
        (["found.spacy", "out.html", "--spans-key", "x"], "'x' is not in doc.spans"),
        (["model", "text.txt", "out.html", "--format", "csv"], "format should be one of"),
    ],
)
def test_what_is_wrong_is_said(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    Path("text.spacy").write_text(TEXT)
    unnamed = DocBin(docs=[first_two(make_doc("two words"))])
    unnamed.strings.clear()
    unnamed.to_disk("unnamed.spacy")
    write_docs(Path("found.spacy"), make_doc(TEXT))
    write_docs(Path("two.spacy"), make_doc(TEXT), make_doc(TEXT))
    write_docs(Path("other.spacy"), make_doc("other"))
    write_docs(Path("empty.spacy"))
    result = render(*arguments)
    assert result.exit_code == (2 if "Invalid" in message else 1)
    assert message in said(result)
    assert not Path("out.html").exists()
