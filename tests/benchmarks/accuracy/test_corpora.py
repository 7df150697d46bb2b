"""Which documents are taken, and how they are cut."""

import gzip
import json
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from benchmarks.accuracy.corpora import KEY, CorpusSettings, corpus_settings, cut, read_corpus

VOCAB = spacy.blank("en").vocab


def make_doc(words: list[str], spans: list[tuple[int, int, str]]) -> Doc:
    doc = Doc(VOCAB, words=words)
    doc.spans[KEY] = [Span(doc, *span) for span in spans]
    doc.user_data["doc_id"] = "one"
    return doc


def sizes(doc: Doc, longest: int | None) -> list[int]:
    return [len(piece) for piece in cut(doc, longest)]


def write_jsonl(path: Path, records: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


def test_a_document_is_whole_without_a_limit_and_within_it():
    doc = make_doc(["a"] * 10, [])
    assert sizes(doc, None) == [10]
    assert sizes(doc, 10) == [10]


def test_a_cut_is_at_a_line_break_before_it_is_at_a_sentence():
    words = ["a"] * 12
    words[6], words[8] = "\n\n", "."
    assert sizes(make_doc(words, []), 10) == [7, 5]


def test_a_cut_is_in_the_second_half_of_a_segment():
    words = ["a"] * 12
    words[1] = "\n"
    assert sizes(make_doc(words, []), 10) == [10, 2]


def test_no_cut_goes_through_a_span_if_there_is_another_place():
    words = ["a"] * 12
    words[8] = "\n"
    doc = make_doc(words, [(1, 12, "A")])
    assert sizes(doc, 11) == [1, 11]


def test_a_span_that_fills_a_segment_is_lost():
    doc = make_doc(["a"] * 12, [(0, 12, "A"), (3, 5, "B")])
    pieces = list(cut(doc, 10))
    assert [len(piece) for piece in pieces] == [10, 2]
    assert [(s.start, s.end, s.label_) for s in pieces[0].spans[KEY]] == [(3, 5, "B")]


@given(
    n_tokens=st.integers(1, 60),
    longest=st.integers(1, 20),
    data=st.data(),
)
def test_segments_are_the_document(n_tokens: int, longest: int, data: st.DataObject):
    words = data.draw(st.lists(st.sampled_from("a.\n"), min_size=n_tokens, max_size=n_tokens))
    starts = data.draw(st.lists(st.integers(0, n_tokens - 1), max_size=5))
    spans = [(start, min(n_tokens, start + 1 + start % 7), "A") for start in starts]
    doc = make_doc(words, spans)
    pieces = list(cut(doc, longest))
    assert [token.text for piece in pieces for token in piece] == words
    assert all(0 < len(piece) <= longest for piece in pieces)
    kept = {
        (start + span.start, start + span.end)
        for piece, start in zip(pieces, _starts(pieces), strict=True)
        for span in piece.spans[KEY]
    }
    assert kept <= {span[:2] for span in spans}
    if longest > 7 * 5:
        assert len(kept) == len(set(spans))


def _starts(pieces: list[Doc]) -> list[int]:
    return [sum(map(len, pieces[:i])) for i in range(len(pieces))]


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
