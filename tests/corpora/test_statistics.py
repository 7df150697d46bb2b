"""Counts of a corpus: lengths, overlaps, texts that occur twice, and what is odd about spans."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_sener.gold import MISALIGNED
from spacy_sener.statistics.corpus import CorpusStatistics, count, read_statistics
from spacy_sener.statistics.lengths import Lengths
from spacy_sener.statistics.overlaps import count_overlaps, gaps
from spacy_sener.statistics.texts import SHINGLE, Texts

Spans = Sequence[tuple[int, int, str]]  # first token, end (exclusive), label
bounds = st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda x: (x[0], x[0] + x[1]))


def example(text: str, spans: Spans, key: str = "sc") -> Example:
    nlp = spacy.blank("en")
    doc = nlp.make_doc(text)
    doc.spans[key] = [Span(doc, start, end, label) for start, end, label in spans]
    return Example(nlp.make_doc(text), doc)


def counted(*data: tuple[str, Spans]) -> CorpusStatistics:
    return count((example(text, spans) for text, spans in data), "sc")


def test_lengths() -> None:
    lengths = Lengths({1: 8, 4: 1, 9: 1})
    assert (lengths.total(), lengths.sum_of_lengths, lengths.mean) == (10, 21, 2.1)
    assert (lengths.reaching(0.5), lengths.reaching(0.9), lengths.longest) == (1, 4, 9)
    assert (lengths.n_over(4), lengths.share_within(4)) == (1, 0.9)


def test_no_lengths() -> None:
    lengths = Lengths()
    assert (lengths.mean, lengths.reaching(0.5), lengths.longest) == (0, 0, 0)
    assert lengths.share_within(0) == 1


@given(st.lists(bounds, max_size=8))
def test_overlaps_are_those_of_all_pairs(spans: list[tuple[int, int]]) -> None:
    unique = set(spans)
    nested = [a for a in unique if any(a != b and b[0] <= a[0] and a[1] <= b[1] for b in unique)]
    crossing = [a for a in unique if any(b[0] < a[0] <= b[1] < a[1] for b in unique)]
    assert count_overlaps(spans) == (len(nested), len(crossing))


@pytest.mark.parametrize(
    ("spans", "lengths"),
    [
        ([], [9]),
        ([(0, 8)], []),
        ([(1, 2), (5, 5)], [1, 2, 3]),
        ([(0, 6), (2, 3), (5, 7)], [1]),
        ([(2, 3), (4, 4)], [2, 4]),
    ],
)
def test_gaps(spans: list[tuple[int, int]], lengths: list[int]) -> None:
    assert gaps(spans, 9) == lengths


def words(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**63, n).astype(np.uint64)


def test_texts_seen_elsewhere() -> None:
    train, dev = Texts(), Texts()
    for text in (words(1, 400), words(2, 400), words(2, 400)):
        train.add(text)
    dev.add(words(1, 400))  # word for word
    dev.add(np.concatenate([words(3, 20), words(2, 380), words(4, 20)]))  # with another frame
    dev.add(words(5, 400))
    assert train.repeated() == 1
    seen = dev.seen_in(train)
    assert (seen.same, seen.mostly) == (1, 1)
    assert seen.share == pytest.approx((400 + 380) / 1220, abs=0.1)


def test_short_texts_are_only_compared_as_a_whole() -> None:
    train, dev = Texts(), Texts()
    train.add(words(1, SHINGLE - 1))
    dev.add(words(1, SHINGLE - 1))
    dev.add(words(1, SHINGLE - 2))
    dev.add(words(1, 0))
    seen = dev.seen_in(train)
    assert (seen.same, seen.mostly, seen.share) == (1, 0, 0)


def test_nothing_is_seen_in_no_texts() -> None:
    dev = Texts()
    dev.add(words(1, 50))
    assert dev.seen_in(Texts()).share == 0


def test_spans_are_counted_as_in_training() -> None:
    text = "Ada Lovelace wrote   notes \n on it"  # two tokens of whitespace
    corpus = counted((text, [(0, 2, "PER"), (0, 2, "PER"), (0, 2, "POET"), (2, 7, "ACT")]))
    assert corpus.documents == {6: 1}
    assert corpus.labels == {"PER": {2: 1}, "POET": {2: 1}, "ACT": {3: 1}}
    assert (corpus.repeated_spans, corpus.further_labels) == (1, 1)
    assert (corpus.nested, corpus.crossing, corpus.without_spans) == (0, 0, {})
    assert corpus.gaps == {1: 1}  # "it"; whitespace is not counted


def test_whitespace_at_an_end() -> None:
    corpus = counted(("one  two \n three", [(0, 2, "A"), (1, 2, "A"), (2, 3, "A")]))
    assert corpus.whitespace_ends == 2
    assert corpus.left_out == {"made of whitespace only": 1}
    assert corpus.spans == {1: 2}


def test_spans_that_do_not_fit_the_pipelines_tokens() -> None:
    nlp = spacy.blank("en")
    reference = Doc(nlp.vocab, words=["can", "not"], spaces=[False, False])
    reference.spans["sc"] = [Span(reference, 0, 1, "A")]
    corpus = count([Example(Doc(nlp.vocab, words=["cannot"], spaces=[False]), reference)], "sc")
    assert corpus.left_out == {MISALIGNED: 1}
    assert not corpus.labels


def test_annotations_elsewhere() -> None:
    other = example("one two", [(0, 1, "A")], key="other")
    other.reference.ents = [Span(other.reference, 1, 2, "B")]
    corpus = count([other], "sc")
    assert (corpus.other_keys, corpus.ents) == ({"other": 1}, 1)
    assert (corpus.without_spans, corpus.gaps) == ({2: 1}, {})


def test_reads_files(tmp_path: Path) -> None:
    path = tmp_path / "a.spacy"
    DocBin(docs=[example("one two", [(0, 1, "A")]).reference]).to_disk(path)
    nlp = spacy.blank("en")
    assert read_statistics(path, nlp, "sc").spans == {1: 1}
    assert read_statistics(tmp_path, nlp, "sc").words == ["one", "two"]
    other = tmp_path / "b.jsonl"
    other.write_text("{}")
    with pytest.raises(ValueError, match="spacy sener convert"):
        read_statistics(other, nlp, "sc")
    (tmp_path / "bad.spacy").write_bytes(b"garbage")
    for bad in (tmp_path / "bad.spacy", tmp_path):
        with pytest.raises(ValueError, match=r"bad\.spacy: not a whole \.spacy file"):
            read_statistics(bad, nlp, "sc")
