"""GLiNER as a peer reads each word of long documents, and learns from its gold."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
import spacy
import torch
from spacy.tokens import Doc, Span
from tiny_encoders import save_tiny_bert

from benchmarks.accuracy.corpora import KEY
from spacy_sener.scores import span_scores

pytest.importorskip("gliner")

from benchmarks.accuracy.gliner import (
    Candidates,
    GLiNERMethod,
    Words,
    clipped,
    in_words,
    n_spans,
    overlapping_groups,
    pieces,
    spans_of,
    untrained,
    windows,
)

NLP = spacy.blank("en")
PERSON, PLACE = "known_person", "place"
TUNED = {"alpha": 0.75, "clip": 100.0, "embed_marker": False, "empty": 0.5}


def annotated(text: str, *spans: tuple[int, int, str]) -> Doc:
    """Spans are of tokens: first, one after the last, label."""
    doc = NLP(text)
    doc.spans[KEY] = [Span(doc, start, end, label=label) for start, end, label in spans]
    doc.user_data["doc_id"] = text[:10]
    return doc


def letters(*, n_before: int, n_after: int) -> Doc:
    """A name amid filling."""
    text = "we said so . " * n_before + "Anna Keller" + " it was good ." * n_after
    return annotated(text, (4 * n_before, 4 * n_before + 2, PERSON))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save_tiny_bert(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module", params=[{}, TUNED], ids=["package", "tuned"])
def trained(folder, tmp_path_factory, request):
    """One that has learned what the name is, in a working directory of its own."""
    method = GLiNERMethod(encoder=folder, learning_rate=1e-3, others_lr=3e-3, **request.param)
    docs = [letters(n_before=i % 9, n_after=8 - i % 9) for i in range(20)]
    docs.append(annotated("Zurich and London", (0, 1, PLACE), (2, 3, PLACE)))
    here = tmp_path_factory.mktemp("here")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        warnings.simplefilter("ignore")  # the package's, of the trainer it builds on
        method.train(docs, updates=126, seed=1)
    assert not list(here.iterdir())
    return method


@pytest.fixture(scope="module")
def model(folder):
    torch.manual_seed(0)
    return untrained(folder, embed_marker=True)


def test_it_finds_what_it_learned_wherever_it_is(trained):
    assert list(trained.labels.values()) == ["known person", "place"]
    docs = [letters(n_before=n, n_after=40 - n) for n in (0, 7, 21, 33, 40)]
    n_exact = 0
    for doc, predicted in zip(docs, trained.predict(docs), strict=True):
        assert [token.text for token in predicted] == [token.text for token in doc]
        assert predicted.user_data["doc_id"] == doc.user_data["doc_id"]
        best = predicted.spans[KEY][int(np.argmax(span_scores(predicted.spans[KEY])))]
        (gold,) = doc.spans[KEY]
        assert best.label_ == PERSON
        assert set(best) & set(predicted[gold.start : gold.end])
        n_exact += (best.start, best.end) == (gold.start, gold.end)
    assert n_exact >= 3  # so small a model may err by a word


def test_one_window_is_decoded_as_gliner_does(trained):
    doc = letters(n_before=2, n_after=2)
    (predicted,) = trained.predict([doc])
    settings = {"threshold": 0.02, "flat_ner": trained.flat, "multi_label": trained.multi_label}
    prompt = list(trained.labels.values())
    (theirs,) = trained.model.inference([doc.text], prompt, **settings)
    ours = zip(predicted.spans[KEY], span_scores(predicted.spans[KEY]), strict=True)
    assert sorted((s.start_char, s.end_char, s.label_, round(score, 4)) for s, score in ours) == [
        (each["start"], each["end"], each["label"].replace(" ", "_"), round(each["score"], 4))
        for each in sorted(theirs, key=lambda each: (each["start"], each["end"], each["label"]))
    ]


def test_a_document_is_asked_for_its_own_labels(trained):
    doc = letters(n_before=2, n_after=2)
    doc._.gliner_labels = {"WHO": "known person"}
    (predicted,) = trained.predict([doc])
    assert {span.label_ for span in predicted.spans[KEY]} == {"WHO"}
    (same,) = trained.predict([letters(n_before=2, n_after=2)])
    assert predicted.spans[KEY].attrs["scores"] != same.spans[KEY].attrs["scores"]


def test_empty_documents_bring_no_spans(trained):
    found = list(trained.predict([annotated(""), annotated(" \n ")]))
    assert [list(doc.spans[KEY]) for doc in found] == [[], []]


def test_too_many_labels_are_refused(folder):
    doc = annotated("London", *((0, 1, f"label number {n}") for n in range(20)))
    with pytest.raises(ValueError, match="20 labels take"):
        GLiNERMethod(encoder=folder).train([doc], updates=1, seed=0)


def test_words_are_tokens_that_have_pieces(model):
    doc = annotated(
        "Anna \n \u200b lives in \u00ad London" + "-" * 70, (0, 3, PERSON), (2, 4, PLACE)
    )
    words = Words.of(doc, model, capacity=40)
    assert words.texts[:3] == ["Anna", "lives", "in"]
    assert [doc[int(i)].text for i in words.tokens[:3]] == words.texts[:3]
    assert words.sizes.max() == 10
    encoded = model.data_processor.transformer_tokenizer(
        words.texts, is_split_into_words=True, add_special_tokens=False
    )
    assert words.sizes.sum() == len(encoded.input_ids)
    spans = [doc[span.start : span.end].text for span in doc.spans[KEY]]
    assert words.gold(doc, in_words([PERSON, PLACE]))[0] == (0, 0, "known person"), spans


@pytest.mark.parametrize("seed", range(20))
def test_windows_and_pieces_hold_every_word_and_fit(seed):
    random = np.random.default_rng(seed)
    sizes, capacity = random.integers(1, 10, size=random.integers(1, 300)), 40
    owned = []
    for (begin, end), (first, last) in windows(sizes, capacity):
        assert begin <= first < last <= end
        assert sizes[begin:end].sum() <= capacity
        margin = capacity // 6 - 10
        assert begin == 0 or sizes[begin:first].sum() >= margin
        assert end == len(sizes) or sizes[last:end].sum() >= margin
        owned += range(first, last)
    assert owned == list(range(len(sizes)))
    starts = random.integers(0, len(sizes), 10).tolist()
    gold = [(n, min(n + 9, len(sizes) - 1), "label") for n in starts]
    bounds = list(pieces(sizes, gold, capacity))
    assert all(0 < sizes[begin:end].sum() <= capacity for begin, end in bounds)
    assert [0, *(end for _, end in bounds)] == [*(begin for begin, _ in bounds), len(sizes)]


def test_pieces_end_between_spans():
    sizes = np.ones(100, dtype=int)
    gold = [(20, 59, "long"), (30, 32, "short"), (95, 99, "last")]
    bounds = list(pieces(sizes, gold, 50))
    assert bounds == [(0, 20), (20, 61), (61, 100)]
    assert list(clipped(gold, 20, 60)) == [(0, 39, "long"), (10, 12, "short")]
    assert list(clipped([(5, 90, "longer")], 20, 60)) == [(0, 39, "longer")]
    assert [end - begin for begin, end in pieces(sizes, [(0, 99, "all")], 40)] == [34, 34, 32]


@pytest.mark.parametrize("seed", range(10))
def test_candidates_are_all_spans_over_the_lowest_score(seed):
    random = np.random.default_rng(seed)
    table = random.random((12, 2, 3)).astype(np.float32) ** 0.5
    table[random.random((12, 2)) < 0.2] = 0.01
    expected = {}
    for label in range(2):
        for start in range(12):
            for end in range(start, 12):
                here = [table[start, label, 0], table[end, label, 1]]
                score = min(*here, *table[start : end + 1, label, 2])
                if score > 0.02:
                    expected[start, end, label] = score
    assert n_spans(table, 0.02) == len(expected)
    found = spans_of(table)
    keys = zip(found.starts.tolist(), found.ends.tolist(), found.labels.tolist(), strict=True)
    assert dict(zip(keys, found.scores, strict=True)) == pytest.approx(expected)
    assert (np.diff(found.starts) >= 0).all()


def test_too_many_candidates_are_cut_at_a_score():
    table = np.full((200, 3, 3), 0.3, dtype=np.float32)
    table[50, 1] = 0.9
    found = spans_of(table)
    assert (found.starts.tolist(), found.ends.tolist(), found.labels.tolist()) == ([50], [50], [1])


def test_groups_share_no_word():
    starts, ends = np.array([0, 1, 3, 7, 8, 8]), np.array([2, 3, 3, 7, 9, 8])
    candidates = Candidates(starts, ends, np.zeros(6, dtype=int), np.ones(6))
    groups = list(overlapping_groups(candidates))
    assert [[each.start for each in group] for group in groups] == [[0, 1, 3], [7], [8, 8]]
    reached = [max(each.end for each in group) for group in groups]
    assert all(r < later[0].start for r, (_, later) in zip(reached, pairwise(groups), strict=False))
