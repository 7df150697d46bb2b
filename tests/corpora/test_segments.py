"""Long documents in segments: where they are cut, what is kept, and the reader of a config."""

import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import load_config, registry
from typer.testing import CliRunner

from spacy_sener.corpora.corpus import create_segment_corpus
from spacy_sener.corpora.segments import cut

NLP = spacy.blank("en")
GoldSpans = list[tuple[int, int, str]]


def make_doc(words: list[str], spans: GoldSpans, key: str = "sc") -> Doc:
    doc = Doc(NLP.vocab, words=words)
    doc.spans[key] = [Span(doc, *span) for span in spans]
    return doc


def found(doc: Doc, key: str = "sc") -> GoldSpans:
    return [(span.start, span.end, span.label_) for span in doc.spans[key]]


def sizes(doc: Doc, longest: int | None) -> list[int]:
    return [len(segment) for segment in cut(doc, longest)]


def test_a_document_is_whole_without_a_limit_and_within_it() -> None:
    doc = make_doc(["a"] * 10, [(0, 10, "A")])
    for longest in (None, 10):
        [segment] = cut(doc, longest)
        assert segment is doc


def test_a_cut_is_at_a_line_break_before_it_is_at_a_sentence() -> None:
    words = ["a"] * 12
    words[6], words[8] = "\n\n", "."
    assert sizes(make_doc(words, []), 10) == [7, 5]


def test_a_cut_is_at_a_sentence_of_any_language_before_it_is_elsewhere() -> None:
    words = ["a"] * 12
    words[6] = "。"
    assert sizes(make_doc(words, []), 10) == [7, 5]


def test_a_cut_is_in_the_second_half_of_a_segment() -> None:
    words = ["a"] * 12
    words[1] = "\n"
    assert sizes(make_doc(words, []), 10) == [10, 2]


def test_no_cut_goes_through_a_span_if_there_is_another_place() -> None:
    words = ["a"] * 12
    words[8] = "\n"
    assert sizes(make_doc(words, [(1, 12, "A")]), 11) == [1, 11]


def test_where_one_span_fills_a_segment_those_inside_it_are_kept() -> None:
    doc = make_doc(["a"] * 12, [(0, 12, "A"), (3, 5, "B"), (8, 12, "B")])
    first, second = cut(doc, 10)
    assert found(first) == [(3, 5, "B")]
    assert found(second) == [(0, 4, "B")]


def test_spans_of_every_key_are_cut_where_those_of_one_are_not() -> None:
    doc = make_doc(["a"] * 12, [(1, 8, "A")])
    doc.spans["clauses"] = [Span(doc, *span) for span in ((0, 2, "C"), (6, 9, "C"), (9, 11, "D"))]
    doc.spans["none"] = []
    first, second = cut(doc, 8)
    assert len(first) == 8
    assert [found(part, "sc") for part in (first, second)] == [[(1, 8, "A")], []]
    assert [found(part, "clauses") for part in (first, second)] == [[(0, 2, "C")], [(1, 3, "D")]]
    assert set(first.spans) == set(second.spans) == {"sc", "clauses", "none"}


@st.composite
def documents(draw: st.DrawFn) -> Doc:
    words = draw(st.lists(st.sampled_from(["a", "b", ".", "\n"]), min_size=1, max_size=60))
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc = Doc(NLP.vocab, words=words, spaces=spaces)
    spans = st.tuples(st.integers(0, len(words) - 1), st.integers(1, 25), st.sampled_from("AB"))
    doc.spans["sc"] = [
        Span(doc, start, min(len(words), start + size), label)
        for start, size, label in draw(st.lists(spans, max_size=8))
    ]
    return doc


@given(doc=documents(), longest=st.integers(1, 30))
def test_segments_are_the_document(doc: Doc, longest: int) -> None:
    segments = list(cut(doc, longest))
    assert "".join(segment.text_with_ws for segment in segments) == doc.text_with_ws
    assert [token.text for segment in segments for token in segment] == [t.text for t in doc]
    assert all(0 < len(segment) <= longest for segment in segments)


@given(doc=documents(), longest=st.integers(1, 30))
def test_all_spans_are_kept_but_those_cut_and_as_few_as_can_be_are(doc: Doc, longest: int) -> None:
    segments = list(cut(doc, longest))
    starts = [0, *accumulate(map(len, segments))]
    kept = [
        (start + span.start, start + span.end, span.label_)
        for start, segment in zip(starts, segments, strict=False)
        for span in segment.spans["sc"]
    ]

    def n_cut(place: int) -> int:
        return sum(start < place < end for start, end, _ in found(doc))

    cuts = starts[1:-1]
    uncut = [x for x in found(doc) if not any(x[0] < place < x[1] for place in cuts)]
    assert Counter(kept) == Counter(uncut)
    for start, end in zip(starts, cuts, strict=False):
        fewest = min(n_cut(place) for place in range(start + 1, start + longest + 1))
        assert n_cut(end) == fewest
        if 2 * (end - start) < longest:  # only where the second half has no such place
            half = range(start + longest // 2 + 1, start + longest + 1)
            assert all(n_cut(place) > fewest for place in half)


def test_a_segment_keeps_what_its_tokens_are_annotated_with() -> None:
    words = ["a", "b", "c", "d", "e", "f"]
    doc = Doc(
        NLP.vocab,
        words=words,
        tags=["X", "Y", "X", "Y", "X", "Y"],
        ents=["B-P", "O", "B-Q", "I-Q", "O", "B-R"],
    )
    doc.spans["mine"] = [Span(doc, 3, 5, label="A", kb_id="Q1", span_id="7")]
    doc.user_data["doc_id"] = "one"
    first, second = cut(doc, 3, "mine")
    assert [ent.label_ for ent in first.ents] == ["P"]  # Q is cut
    assert [ent.label_ for ent in second.ents] == ["R"]
    assert [token.tag_ for token in second] == ["Y", "X", "Y"]
    assert found(second, "mine") == [(0, 2, "A")]
    assert (second.spans["mine"][0].kb_id_, second.spans["mine"][0].id_) == ("Q1", "7")
    assert first.user_data["doc_id"] == second.user_data["doc_id"] == "one"


def part(doc: Doc, start: int, end: int) -> Doc:
    """A segment, made of the whole document by itself."""
    piece = doc[start:end].as_doc()
    piece.has_unknown_spaces = doc.has_unknown_spaces
    piece.user_data = dict(doc.user_data)
    piece.spans["sc"] = [
        Span(piece, span.start - start, span.end - start, span.label, span.kb_id, span.id)
        for span in doc.spans["sc"]
        if start <= span.start < end and span.end <= end
    ]
    return piece


@given(
    doc=documents(),
    longest=st.integers(1, 30),
    steps=st.lists(st.integers(0, 3), min_size=60, max_size=60),
    ends=st.sets(st.integers(0, 60)),
)
def test_segments_are_as_if_each_was_made_by_itself(
    doc: Doc, longest: int, steps: list[int], ends: set[int]
) -> None:
    """`steps`: from each token to its head."""
    for token, step in zip(doc, steps, strict=False):
        token.tag_, token.dep_, token.head = f"X{step}", "dep", doc[max(0, token.i - step)]
    within = sorted(end for end in ends if end <= len(doc))
    doc.ents = [Span(doc, *pair, "P", "Q1", "7") for pair in pairwise(within)]
    doc.user_data.update({"doc_id": "one", ("._.", "other", None, None): 1})
    doc._.gliner_labels = {"P": "place"}
    starts = [0, *accumulate(map(len, cut(doc, longest)))]
    made = [part(doc, *ends).to_bytes() for ends in pairwise(starts)]
    segments = [segment.to_bytes() for segment in cut(doc, longest)]
    assert segments == made if len(doc) > longest else segments == [doc.to_bytes()]


TEXT = "Anna Keller, who can't be reached, works in Zurich.\nShe lives in Berlin (Germany).\n" * 3


def save(path: Path, *docs: Doc) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    DocBin(store_user_data=True, docs=docs).to_disk(path)
    return path


def named(text: str) -> Doc:
    doc = NLP.make_doc(text)
    doc.spans["sc"] = [Span(doc, i, i + 2, "P") for i, t in enumerate(doc) if t.text == "Anna"]
    doc.user_data["doc_id"] = text[:4]
    return doc


def test_reader_is_registered_and_gives_examples_again_and_again(tmp_path: Path) -> None:
    path = save(tmp_path / "a.spacy", named(TEXT), named("Anna Keller works."))
    block = {"@readers": "spacy-sener.SegmentCorpus.v1", "path": str(path), "longest": 16}
    corpus = registry.resolve({"corpus": block})["corpus"]
    for _ in range(2):
        examples = list(corpus(NLP))
        references = [example.reference for example in examples]
        assert "".join(doc.text_with_ws for doc in references[:-1]) == TEXT
        assert all(len(doc) <= 16 for doc in references)
        assert {doc.user_data["doc_id"] for doc in references} == {"Anna"}
        assert [len(doc.spans["sc"]) for doc in references] == [1, 0] * 3 + [1]
        for example in examples:
            assert not example.predicted.spans
            assert [t.text for t in example.predicted] == [t.text for t in example.reference]


def test_reader_tokenizes_the_text_of_a_segment_but_keeps_words_as_they_are(
    tmp_path: Path,
) -> None:
    """As `spacy.Corpus.v1` does for a whole document."""
    words = ["can't", "stop", "now.", "No", "I", "won't"]
    text = Doc(NLP.vocab, words=words, spaces=[True] * 6)
    only_words = Doc(NLP.vocab, words=words)
    assert only_words.has_unknown_spaces
    path = save(tmp_path / "a.spacy", text, only_words)
    predicted = [[t.text for t in eg.predicted] for eg in create_segment_corpus(path, 3)(NLP)]
    assert predicted == [
        ["ca", "n't", "stop", "now", "."],
        ["No", "I", "wo", "n't"],
        words[:3],
        words[3:],
    ]


def test_reader_takes_folders_a_limit_and_an_augmenter(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.spacy", named(TEXT))
    save(tmp_path / "a" / "2.spacy", named("Anna Keller works."))

    def twice(nlp: Language, example: Example) -> Iterator[Example]:
        yield from (example, example)

    folder = tmp_path / "a"
    assert len(list(create_segment_corpus(folder, 1000)(NLP))) == 2
    assert len(list(create_segment_corpus(folder, 16)(NLP))) == 7
    assert len(list(create_segment_corpus(folder, 16, augmenter=twice)(NLP))) == 14
    # Of all files together: spaCy's corpus takes one document more of each further file.
    assert len(list(create_segment_corpus(folder, 1000, limit=1)(NLP))) == 1
    assert len(list(create_segment_corpus(folder, 1000, limit=3)(NLP))) == 2


def test_reader_counts_the_spans_that_a_cut_goes_through_in_one_warning(tmp_path: Path) -> None:
    spans = [(0, 12, "A"), (0, 11, "A"), (0, 12, "B"), (3, 5, "B")]
    docs = [make_doc(["a"] * 12, spans, "mine"), make_doc(["a"] * 12, [(0, 6, "C")], "mine")]
    corpus = create_segment_corpus(save(tmp_path / "a.spacy", *docs), 10, "mine")
    with pytest.warns(UserWarning, match=r"3 of 5 annotated span\(s\).*: 2 x A, 1 x B\.") as told:
        examples = list(corpus(NLP))
    assert len(told) == 1
    assert sum(len(example.reference.spans["mine"]) for example in examples) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(corpus(NLP))
        list(create_segment_corpus(tmp_path / "a.spacy", 12, "mine")(NLP))


def test_what_users_add_to_documents_goes_along() -> None:
    doc = make_doc(["a"] * 12, [])
    place, of_token = (6, 9), (20, None)
    values = {("._.", "source", None, None): "web", ("._.", "note", *place): ["x"]}
    doc.user_data.update({**values, ("._.", "seen", *of_token): True, "doc_id": "one"})
    assert doc[3:4].start_char == 6
    of_users = {(): 1, ("._.", "mine"): 2}
    doc.user_data.update(of_users)
    first, second = cut(doc, 6)
    of_all = {("._.", "source", None, None): "web", "doc_id": "one", **of_users}
    assert first.user_data == {**of_all, ("._.", "note", *place): ["x"]}
    assert second.user_data == {**of_all, ("._.", "seen", 20 - len("a " * 6), None): True}


def test_reader_tells_what_is_lost_under_other_keys_and_of_categories(tmp_path: Path) -> None:
    cut_up, whole = make_doc(["a"] * 12, []), make_doc(["a"] * 9, [])
    cut_up.spans["clauses"] = [Span(cut_up, *span) for span in ((0, 12, "\x1bC"), (0, 2, "D"))]
    cut_up.cats, whole.cats = {"news": 1.0}, {"mail": 1.0}
    corpus = create_segment_corpus(save(tmp_path / "a.spacy", cut_up, whole), 10)
    with pytest.warns(UserWarning, match="annotated span|categories") as told:
        examples = list(corpus(NLP))
    spans, cats = (str(warning.message) for warning in told)
    assert "1 of 2 annotated span(s)" in spans
    assert ": 1 x \\x1bC in doc.spans['clauses']. Cuts avoid the spans of doc.spans['sc']" in spans
    assert "longer than" not in spans
    assert "the categories ['news'] of documents with more than `longest` = 10" in cats
    assert [example.reference.cats for example in examples] == [{}, {}, {"mail": 1.0}]
    assert len(examples[0].reference.spans["clauses"]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(corpus(NLP))


@pytest.mark.parametrize(("empty", "read"), [(1.0, 20), (0.25, 5), (0.4, 8), (0.0, 0)])
def test_reader_takes_a_share_of_what_has_no_spans(tmp_path: Path, empty: float, read: int) -> None:
    """20 of the 21 segments, of 10 documents and one that is not cut."""
    docs = [make_doc(["a"] * 20, [], "mine") for _ in range(9)]
    docs += [make_doc(["a"] * 20, [(0, 2, "A")], "mine"), make_doc(["b"] * 4, [], "mine")]
    docs[0].spans["other"] = [docs[0][:2]]
    corpus = create_segment_corpus(save(tmp_path / "a.spacy", *docs), 10, "mine", empty=empty)
    for _ in range(2):
        references = [example.reference for example in corpus(NLP)]
        assert sum(not doc.spans["mine"] for doc in references) == read
        assert [found(doc, "mine") for doc in references if doc.spans["mine"]] == [[(0, 2, "A")]]
        assert references[-1][0].text == ("b" if read else "a")  # the last one of them


def test_reader_names_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="E913"):
        create_segment_corpus(None)
    with pytest.raises(ValueError, match="longest is 0 tokens, must be 1 or more"):
        create_segment_corpus(tmp_path, longest=0)
    with pytest.raises(ValueError, match=r"empty is 1\.5, must be a share of segments"):
        create_segment_corpus(tmp_path, empty=1.5)


CONFIG = """
[paths]
train = null
dev = null
encoder = null

[nlp]
lang = "en"
pipeline = ["sener"]

[components]

[components.sener]
factory = "sener"
max_pieces = 128

[components.sener.model]
@architectures = "spacy-sener.SeNER.v1"
span_window = 8
reach = 0
hidden_size = 16
span_size = 8
depth = 1

[components.sener.model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
piece_window = 8

[corpora]

[corpora.train]
@readers = "spacy-sener.SegmentCorpus.v1"
path = ${paths.train}
longest = 16

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
max_steps = 3
eval_frequency = 3

[training.batcher]
@batchers = "spacy.batch_by_words.v1"
size = 16
discard_oversize = false

[training.optimizer]
@optimizers = "spacy-sener.AdamW.v1"
warmup_steps = 0
total_steps = 6

[initialize]

[initialize.components]

[initialize.components.sener]
encoder = ${paths.encoder}
"""


def test_spacy_train_on_segments(tiny_encoder: Path, tmp_path: Path) -> None:
    config, data = tmp_path / "config.cfg", save(tmp_path / "a.spacy", named(TEXT))
    config.write_text(CONFIG, encoding="utf8")
    values = {"paths.train": data, "paths.dev": data, "paths.encoder": tiny_encoder}
    options = [str(part) for name, value in values.items() for part in (f"--{name}", value)]
    result = CliRunner().invoke(app, ["init", "fill-config", str(config), str(config)])
    assert result.exit_code == 0, result.output
    assert load_config(config)["corpora"]["train"]["spans_key"] == "sc"
    result = CliRunner().invoke(app, ["train", str(config), "--output", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "model-last")
    assert nlp.get_pipe("sener").labels == ("P",)
    assert "sc" in nlp(TEXT).spans
