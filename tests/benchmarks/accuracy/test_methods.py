"""Every config trains, finds what it has learned, and does so twice in the same way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import srsly
from spacy.tokens import Doc

from benchmarks.accuracy.corpora import KEY
from benchmarks.accuracy.methods import (
    FOLDER,
    LOWEST_SCORE,
    InitConfigMethod,
    SpacyMethod,
    shuffled,
    thinned,
)
from benchmarks.accuracy.suggesters import build_bounded_preset_suggester
from spacy_sener.scores import span_scores
from tests.benchmarks.accuracy.learned import make_docs

PEERS = srsly.read_yaml(FOLDER / "experiments" / "peers.yml")
PRESETS = srsly.read_yaml(FOLDER / "experiments" / "presets.yml")
TINY_TABLE = {"components.sener.model.hidden_size": 16, "components.sener.model.span_size": 8}
LISTENING = ("spancat", "span-finder", "ner")


def make_method(name: str, encoder: Path, **overrides: Any) -> SpacyMethod:
    """Of the peers, over a tiny encoder."""
    source = (
        {"components.transformer.model.source": str(encoder)}
        if name in LISTENING
        else {"initialize.components.sener.encoder": str(encoder), **TINY_TABLE}
    )
    return SpacyMethod(**PEERS[name], overrides={**source, **overrides})


def found(doc: Doc, threshold: float = 0.5) -> set[tuple[int, int, str]]:
    group = doc.spans[KEY]
    return {
        (span.start, span.end, span.label_)
        for span, score in zip(group, span_scores(group), strict=True)
        if score is None or score >= threshold
    }


@pytest.mark.parametrize(
    ("name", "recall"), [("sener", 0.9), ("spancat", 0.6), ("span-finder", 0.6), ("ner", 0.5)]
)
def test_a_method_learns(name: str, recall: float, tiny_encoder: Path):
    docs = make_docs()
    method = make_method(name, tiny_encoder, **{"training.optimizer.encoder_learn_rate": 0.002})
    method.train(docs, updates=120, seed=1)
    predicted = list(method.predict(docs))
    right = sum(len(found(x) & found(y)) for x, y in zip(predicted, docs, strict=True))
    assert right >= recall * sum(len(doc.spans[KEY]) for doc in docs)
    for doc, gold in zip(predicted, docs, strict=True):
        assert [token.text for token in doc] == [token.text for token in gold]
        assert doc.user_data["doc_id"] == gold.user_data["doc_id"]
        scores = span_scores(doc.spans[KEY])
        assert (None in scores) == (name == "ner")
        assert name == "ner" or min(scores, default=1) >= LOWEST_SCORE


def test_the_factorys_defaults_learn_with_an_optimizer_of_one_rate(tiny_encoder: Path):
    encoder = {"initialize.components.sener.encoder": str(tiny_encoder)}
    method, docs = SpacyMethod(**PRESETS["factory"], overrides=encoder), make_docs()
    method.train(docs, updates=120, seed=1)
    predicted = list(method.predict(docs))
    right = sum(len(found(x) & found(y)) for x, y in zip(predicted, docs, strict=True))
    assert right >= 0.5 * sum(len(doc.spans[KEY]) for doc in docs)


@pytest.mark.parametrize("name", ["sener", "span-finder"])
def test_a_seed_gives_one_result(name: str, tiny_encoder: Path):
    scores = []
    for seed in (1, 1, 2):
        method = make_method(name, tiny_encoder)
        method.train(make_docs(), updates=10, seed=seed)
        predicted = method.predict(make_docs())
        scores.append([span_scores(doc.spans[KEY]) for doc in predicted])
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]


def test_what_was_trained_is_read_with_another_table(tiny_encoder: Path):
    docs = make_docs()
    read_with = {"components.sener.model.span_window": 256}
    first, second = make_method("sener", tiny_encoder), make_method("sener", tiny_encoder)
    second.read_with = read_with
    for method in (first, second):
        method.train(docs, updates=2, seed=1)
    models = [method.nlp.get_pipe("sener").model for method in (first, second)]
    assert [model.attrs["span_window"] for model in models] == [128, 256]
    one, other = (model.shims[0]._model.state_dict() for model in models)
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)


def test_a_method_as_init_config_writes_it(tiny_encoder: Path):
    docs = [*make_docs(), *make_docs()]
    for doc in docs[8:]:
        doc.spans[KEY] = []
    span_size = {"components.sener.model.span_size": 8}
    method = InitConfigMethod(encoder=str(tiny_encoder), overrides=span_size)
    method.train(docs, updates=2, seed=1)
    component = method.nlp.get_pipe("sener")
    assert component.model.attrs["span_window"] == 16
    assert (component.cfg["overlap"], component.cfg["labels_per_span"]) == ("nested", "one")
    assert method.nlp.config["training"]["max_steps"] == 2
    assert component.cfg["threshold"] == 0.4
    assert method.nlp.config["components"]["sener"]["model"]["span_size"] == 8
    assert method.empty == 0.25
    assert len(list(method.predict(docs))) == len(docs)


def test_a_long_document_is_read_in_parts(tiny_encoder: Path):
    docs = make_docs()
    method = make_method("spancat", tiny_encoder)
    method.train(docs, updates=2, seed=1)
    (whole,) = method.predict([docs[0]])
    method.longest = 6
    (parts,) = method.predict([docs[0]])
    assert [token.text for token in parts] == [token.text for token in whole]
    assert len(parts.spans[KEY]) == len(span_scores(parts.spans[KEY]))
    assert any(span.start >= 6 for span in parts.spans[KEY])
    assert not any(span.start < 6 < span.end for span in parts.spans[KEY])


def test_every_item_comes_once_before_any_comes_again():
    drawn = list(shuffled(range(5), 13, seed=3))
    assert sorted(drawn[:5]) == sorted(drawn[5:10]) == list(range(5))
    assert len(set(drawn[10:])) == 3
    assert drawn != list(shuffled(range(5), 13, seed=4))


def test_documents_without_spans_are_thinned():
    with_spans, without = make_docs(), make_docs() * 4
    for doc in without:
        doc.spans[KEY] = []
    docs = [*without, *with_spans]
    assert thinned(docs, 1.0, seed=1) == docs
    assert thinned(docs, 0.0, seed=1) == with_spans
    some = thinned(docs, 0.5, seed=1)
    assert some[-8:] == with_spans
    assert 8 < len(some) < len(docs)
    assert some == thinned(docs, 0.5, seed=1) != thinned(docs, 0.5, seed=2)


def test_the_suggester_is_bounded_on_both_sides():
    one, other = make_docs()[:2]
    one.spans[KEY] = [one[start:end] for start in range(5) for end in range(start + 1, 11)]
    other.spans[KEY] = []
    suggested = build_bounded_preset_suggester(KEY, 1)([one, other])
    assert suggested.lengths.tolist() == [11, 1]
    ends = suggested.dataXd
    assert np.diff(ends[:11]).max() == 3
    assert ends[11].tolist() == [0, 1]
