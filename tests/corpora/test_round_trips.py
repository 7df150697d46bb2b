"""What a tool wrote is read exactly; what we export is read again as the same documents."""

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from corpora import writers
from corpora.documents import (
    NLP,
    PLAIN_LABELS,
    SCORES,
    Labelled,
    Text,
    read,
    spans_of,
    texts,
    word_lists,
)
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from spacy_sener.corpora.export import write_jsonl

AUTO = settings(max_examples=40)
NESTED = Text(
    "Ada 😀\r\nBrenk \\n (1999)",
    [
        Labelled(0, 12, "name"),
        Labelled(0, 3, "given"),
        Labelled(0, 3, "first"),
        Labelled(7, 21, "cross"),
    ],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round_trips")


def check(path: Path, documents: list[Text]) -> None:
    docs, report = read(path)
    assert [doc.text for doc in docs] == [one.text for one in documents]
    assert [spans_of(doc) for doc in docs] == [one.spans for one in documents]
    assert not report.problems


@pytest.mark.parametrize(
    "write",
    [
        writers.prodigy,
        writers.doccano,
        writers.doccano_with_relations,
        writers.doccano_json,
        writers.spacy_2,
        writers.spacy_2_pairs,
        writers.spacy_2_pair_lines,
        writers.label_studio,
        writers.label_studio_min,
        writers.squad,
    ],
)
@AUTO
@given(documents=st.lists(texts(), min_size=1, max_size=3))
@example(documents=[NESTED])
def test_json_of_the_tools(write: writers.Writer, folder: Path, documents: list[Text]) -> None:
    check(write(folder, documents), documents)


@AUTO
@given(documents=st.lists(texts(PLAIN_LABELS), min_size=1, max_size=3))
@example(documents=[NESTED, NESTED])
def test_brat(folder: Path, documents: list[Text]) -> None:
    path = writers.brat(folder, documents)
    # Files are read in the order of their names, and every second document is in a folder.
    check(path, documents[::2] + documents[1::2])


@AUTO
@given(document=texts())
@example(document=NESTED)
def test_label_studio_that_counts_utf_16_units(folder: Path, document: Text) -> None:
    path = writers.label_studio_of_2020(folder, [document])
    # The same letters at both places: nothing in the file would tell the units.
    [task] = json.loads(path.read_text(encoding="utf8"))
    values = [result["value"] for result in task["completions"][0]["result"]]
    pairs = list(zip(values, document.spans, strict=True))
    assume(
        all(one["start"] == span.start for one, span in pairs)
        or not any(
            "".join(document.text[one["start"] : one["end"]].split())
            == "".join(document.text[span.start : span.end].split())
            for one, span in pairs
        )
    )
    check(path, [document])


@AUTO
@given(document=texts(scores=SCORES))
def test_scores_of_prodigy(folder: Path, document: Text) -> None:
    check(writers.prodigy(folder, [document]), [document])


def doc_of_text(document: Text, name: object) -> Doc:
    doc = NLP.make_doc(document.text)
    spans = [doc.char_span(one.start, one.end, one.label) for one in document.spans]
    return with_spans(doc, spans, document.spans, name)


def doc_of_words(words: list[str], labelled: list[Labelled], name: object) -> Doc:
    doc = Doc(NLP.vocab, words=words)
    spans = [Doc.__getitem__(doc, slice(one.start, one.end)) for one in labelled]
    for span, one in zip(spans, labelled, strict=True):
        span.label_ = one.label
    return with_spans(doc, spans, labelled, name)


def with_spans(doc: Doc, spans: list, labelled: list[Labelled], name: object) -> Doc:
    doc.spans["found"] = spans
    if any(one.score is not None for one in labelled):
        scores = [one.score for one in labelled]
        doc.spans["found"].attrs["scores"] = np.array(scores, dtype=np.float64)
    doc.user_data["doc_id"] = name
    return doc


NAMES = st.text(max_size=5) | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
DOCS = st.builds(doc_of_text, texts(scores=SCORES), NAMES) | st.builds(
    lambda pair, name: doc_of_words(*pair, name), word_lists(SCORES), NAMES
)


def name_of(doc: Doc) -> str:
    return repr(doc.user_data["doc_id"])


def described(doc: Doc) -> tuple[object, ...]:
    words = [token.text for token in doc]
    return doc.text, words, spans_of(doc, "found"), doc.user_data["doc_id"], doc.has_unknown_spaces


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
@AUTO
@given(docs=st.lists(DOCS, min_size=1, max_size=3, unique_by=name_of))
def test_export_and_docbin_give_the_same_documents(
    folder: Path, suffix: str, docs: list[Doc]
) -> None:
    path = folder / f"export.jsonl{suffix}"
    write_jsonl(path, docs, spans_key="found")
    again, report = read(path, spans_key="found")
    assert [described(doc) for doc in again] == [described(doc) for doc in docs]
    assert not report.problems

    DocBin(docs=again, store_user_data=True).to_disk(folder / "a.spacy")
    stored, report = read(folder / "a.spacy", spans_key="found")
    assert [described(doc) for doc in stored] == [described(doc) for doc in docs]
    assert not report.problems


def packed(path: Path, change: Callable[[bytes], bytes], suffix: str) -> Path:
    to = path.with_name(path.name + suffix)
    to.write_bytes(change(path.read_bytes()))
    return to


@pytest.mark.parametrize(
    "write",
    [writers.prodigy, writers.doccano_json, writers.label_studio, writers.squad],
)
@pytest.mark.parametrize(
    ("change", "suffix"),
    [
        (gzip.compress, ".gz"),
        (lzma.compress, ".xz"),
        (lambda body: b"\xef\xbb\xbf" + body, ""),
        (lambda body: body.replace(b"\n", b"\r\n"), ""),
    ],
    ids=["gz", "xz", "bom", "crlf"],
)
def test_json_packed_with_bom_and_crlf(
    tmp_path: Path, write: writers.Writer, change: Callable[[bytes], bytes], suffix: str
) -> None:
    check(packed(write(tmp_path, [NESTED, NESTED]), change, suffix), [NESTED, NESTED])


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_brat_packed(tmp_path: Path, suffix: str) -> None:
    path = writers.brat(tmp_path, [NESTED])
    for file in [*path.rglob("*.txt"), *path.rglob("*.ann")]:
        packed(file, gzip.compress if suffix == ".gz" else lzma.compress, suffix)
        file.unlink()
    check(path, [NESTED])
    check(path / f"doc000.ann{suffix}", [NESTED])
