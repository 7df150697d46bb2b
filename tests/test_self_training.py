"""Self-training from Python: what is learned from, and what comes out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from self_trained import (
    DATA,
    EMPTY,
    TEXTS,
    gold_examples,
    make_gliner_pipeline,
    save_half_trained,
)
from spacy.language import Language
from spacy.tokens import Doc
from test_span_table import DATA as CNN_DATA
from test_span_table import examples as cnn_examples
from test_span_table import pipeline as cnn_pipeline

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do
from spacy_sener.self_training import LOWEST_SCORE, Settings, annotate, evaluate, self_train, train

FAST = Settings(threshold=0.5, steps=20, learn_rate=3e-3, encoder_learn_rate=6e-4)


@pytest.fixture(scope="session")
def half_trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_half_trained(tiny_encoder, tmp_path_factory.mktemp("half_trained") / "pipeline")


@pytest.fixture
def nlp(half_trained: Path) -> Language:
    return spacy.load(half_trained)


def texts(nlp: Language) -> list[Doc]:
    return [Doc(nlp.vocab, words=text.split()) for text in TEXTS]


def weights(nlp: Language, name: str = "sener") -> dict[str, np.ndarray]:
    module = nlp.get_pipe(name).model.shims[0].module
    return {key: tensor.numpy().copy() for key, tensor in module.state_dict().items()}


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(left[key], right[key]) for key in left)


# What is learned from


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 0.8])
def test_the_threshold_is_kept(nlp: Language, threshold: float) -> None:
    nlp.get_pipe("sener").cfg["threshold"] = 0.6
    found = annotate(nlp, "sener", texts(nlp), threshold=threshold)
    assert nlp.get_pipe("sener").cfg["threshold"] == 0.6

    nlp.get_pipe("sener").cfg["threshold"] = LOWEST_SCORE
    all_docs = list(nlp.pipe(texts(nlp)))
    scored = [
        [
            (span.start, span.end, span.label_, score)
            for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"], strict=True)
        ]
        for doc in all_docs
    ]
    sure = [[one[:3] for one in spans if one[3] >= np.float32(threshold)] for spans in scored]
    assert [
        [(span.start, span.end, span.label_) for span in doc.spans["sc"]] for doc in found.docs
    ] == [spans for spans in sure if spans]
    n_sure = sum(map(len, sure))
    assert found.labels.total() == n_sure
    assert found.n_uncertain == sum(map(len, scored)) - n_sure
    assert found.n_left_out == sure.count([])
    assert found.best == pytest.approx(max(score for spans in scored for *_, score in spans))


def test_no_span_at_all(nlp: Language) -> None:
    docs = [Doc(nlp.vocab, words=["books"])]
    with pytest.raises(ValueError, match=r"0\.5 or more in 1 text\(s\): no span .*down to 0\.05"):
        annotate(nlp, "sener", docs, threshold=0.5)


def test_no_text(nlp: Language) -> None:
    with pytest.raises(ValueError, match="no texts to learn from"):
        self_train(nlp, [])
    with pytest.raises(ValueError, match="no documents to train on"):
        train(nlp, "sener", [], FAST)


def test_long_documents_are_learned_in_segments(nlp: Language) -> None:
    words = [word for text in (TEXTS[0], EMPTY, EMPTY, TEXTS[1]) for word in text.split()]
    [whole] = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5).docs
    found = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5, max_length=10)
    assert all(len(doc) <= 10 for doc in found.docs)
    assert found.n_left_out > 0
    assert found.n_cut == 0
    texts_of = [[span.text for span in doc.spans["sc"]] for doc in (whole, *found.docs)]
    assert sorted(texts_of[0]) == sorted(text for some in texts_of[1:] for text in some)
    assert found.labels.total() == len(whole.spans["sc"])

    found = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5, max_length=1)
    assert found.n_cut > 0
    assert found.labels.total() + found.n_cut == len(whole.spans["sc"])


# Training


def test_the_same_seed_gives_the_same_result(half_trained: Path) -> None:
    results = []
    for seed in (1, 1, 2):
        nlp = spacy.load(half_trained)
        settings = Settings(**{**FAST.__dict__, "seed": seed, "steps": 6, "batch_size": 5})
        done = self_train(nlp, texts(nlp), settings=settings)
        results.append((done, weights(nlp)))
    assert results[0][0] == results[1][0]
    assert same(results[0][1], results[1][1])
    assert not same(results[0][1], results[2][1])


def test_rates(half_trained: Path) -> None:
    before, nlp = weights(spacy.load(half_trained)), spacy.load(half_trained)
    docs = annotate(nlp, "sener", texts(nlp), threshold=0.5).docs
    train(nlp, "sener", docs, Settings(steps=3, learn_rate=1e-3, encoder_learn_rate=0))
    after = weights(nlp)
    changed = {key.split(".")[0] for key in before if not np.array_equal(before[key], after[key])}
    assert changed == {"table"}
    # AdamW moves each weight by the rate at most, and the rate falls to 0: 1 + 2/3 + 1/3.
    largest = max(float(np.abs(after[key] - before[key]).max()) for key in before)
    assert 0.5e-3 < largest < 2.2e-3


def test_label_smoothing_reaches_the_loss(half_trained: Path) -> None:
    losses = {}
    for smoothing in (0.0, 0.5):
        nlp = spacy.load(half_trained)
        docs = annotate(nlp, "sener", texts(nlp), threshold=0.5).docs
        settings = Settings(steps=1, batch_size=100, label_smoothing=smoothing)
        [losses[smoothing]] = train(nlp, "sener", docs, settings)
        assert nlp.get_pipe("sener").cfg["label_smoothing"] == 0
    assert losses[0.0] != pytest.approx(losses[0.5], rel=1e-4)


def test_settings_are_as_before_after_a_failure(nlp: Language) -> None:
    cfg = dict(nlp.get_pipe("sener").cfg)

    def broken() -> Iterator[Doc]:
        yield from texts(nlp)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_train(nlp, broken())
    assert nlp.get_pipe("sener").cfg == cfg


def test_a_component_that_listens_to_a_shared_tok2vec() -> None:
    nlp = cnn_pipeline(shared=True)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    table = weights(nlp)
    settings = Settings(threshold=0.0001, steps=3, learn_rate=1e-3)
    done = self_train(nlp, [nlp.make_doc(text) for text in TEXTS], settings=settings)
    assert nlp.get_pipe("tok2vec").model.to_bytes() == before
    assert not same(weights(nlp), table)
    assert done["losses"][-1] < done["losses"][0]


@pytest.mark.parametrize("text", [CNN_DATA[0][0], TEXTS[0]], ids=["the same text", "another"])
def test_a_listener_does_not_learn_from_the_update_before(text: str) -> None:
    """It keeps the batch of the last update, vectors and gradient, until the next."""
    nlp = cnn_pipeline(shared=True)
    nlp.update(cnn_examples(nlp)[:1])
    tok2vec = nlp.get_pipe("tok2vec").model
    before = {key: d_value.copy() for key, (_, d_value) in tok2vec.get_gradients().items()}
    self_train(nlp, [nlp.make_doc(text)], settings=Settings(threshold=0.0001, steps=2))
    for key, (_, d_value) in tok2vec.get_gradients().items():
        np.testing.assert_array_equal(d_value, before[key])


def test_of_two_components_one_has_to_be_named(nlp: Language, half_trained: Path) -> None:
    nlp.add_pipe("sener", name="other", source=spacy.load(half_trained))
    with pytest.raises(ValueError, match=r"\['sener', 'other'\]"):
        self_train(nlp, texts(nlp))
    before = weights(nlp, "sener"), weights(nlp, "other")
    done = self_train(nlp, texts(nlp), component="other", settings=FAST)
    assert done["component"] == "other"
    assert same(weights(nlp, "sener"), before[0])
    assert not same(weights(nlp, "other"), before[1])


def test_a_pipeline_without_such_a_component() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match=r"of \['sentencizer'\] these are such: none"):
        self_train(nlp, [nlp.make_doc("one")])


def test_gold_documents_are_asked_for_their_own_labels(nlp: Language) -> None:
    examples: list[Any] = gold_examples(nlp, DATA[:2])
    examples[0].reference._.gliner_labels = ["PER"]
    seen = []
    Language.component("see_labels", func=lambda doc: seen.append(doc._.gliner_labels) or doc)
    nlp.add_pipe("see_labels")
    evaluate(nlp, "sener", examples)
    assert seen == [["PER"], None]
    assert examples[0].predicted._.gliner_labels is None


def test_gliner_multitask_learns_what_each_document_was_asked_for(tiny_encoder: Path) -> None:
    nlp = make_gliner_pipeline(tiny_encoder, steps=15)
    docs = texts(nlp)[:2]
    docs[1]._.gliner_labels = {"named": "name"}
    found = annotate(nlp, "gliner_multitask", docs, threshold=0.5)
    labels = [{span.label_ for span in doc.spans["sc"]} for doc in found.docs]
    assert labels == [{"name"}, {"named"}]
    [loss] = train(nlp, "gliner_multitask", found.docs, Settings(steps=1, label_smoothing=0.0))
    # Those that the model reads, it knows: an answer that was no gold span would cost much more.
    found.docs[1]._.gliner_labels = {"named": "named", "name": "name"}
    [other] = train(nlp, "gliner_multitask", found.docs, Settings(steps=1, label_smoothing=0.0))
    assert loss < other


def test_means_of_marks_are_annotated_at_the_threshold(tiny_encoder: Path) -> None:
    """A lower threshold would let spans with one low mark and a high mean take others' places."""
    nlp = make_gliner_pipeline(tiny_encoder, steps=11)
    nlp.get_pipe("gliner_multitask").cfg.update(span_score="mean", overlap="flat", threshold=0.3)
    expected = [
        [(span.start, span.end) for span in doc.spans["sc"]] for doc in nlp.pipe(texts(nlp))
    ]
    found = annotate(nlp, "gliner_multitask", texts(nlp), threshold=0.3)
    assert [[(span.start, span.end) for span in doc.spans["sc"]] for doc in found.docs] == [
        spans for spans in expected if spans
    ]
    assert found.n_uncertain == 0
