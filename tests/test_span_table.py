"""`SpanTable.v1`: the span table over spaCy's own tok2vec, private or shared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.lang.en import English
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam

from spacy_sener.optimizers import build_adamw_v1

# Texts, and spans as (first token, last token, label).
DATA: list[tuple[str, list[tuple[int, int, str]]]] = [
    (
        "Anna Keller worked at the University of Zurich from 2009 until 2014 .",
        [(0, 1, "PERSON"), (5, 7, "SCHOOL"), (3, 11, "JOB")],
    ),
    (
        "She received her PhD from Stanford University in  London .",
        [(5, 6, "SCHOOL"), (1, 9, "DEGREE")],
    ),
    ("Peter Brown is director of the Royal Society .", [(0, 1, "PERSON"), (3, 7, "JOB")]),
    ("They sell small books to many other countries .", []),
]
CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 32,
    "depth": 2,
    "embed_size": 200,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32}


def pipeline(*, shared: bool, max_pieces: int = 2048, **settings: Any) -> Language:
    """A sener with a tok2vec of its own, or one that listens to a shared tok2vec."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    if shared:
        nlp.add_pipe("tok2vec", config={"model": CNN})
    model = {
        "@architectures": "spacy-sener.SpanTable.v1",
        "tok2vec": LISTENER if shared else CNN,
        "span_window": 12,
        "hidden_size": 32,
        "span_size": 16,
        "token_dropout": 0.0,
        "span_dropout": 0.0,
        **settings,
    }
    nlp.add_pipe("sener", config={"model": model, "max_pieces": max_pieces})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def example(nlp: Language, text: str, spans: list[tuple[int, int, str]]) -> Example:
    reference = nlp.make_doc(text)
    reference.spans["sc"] = [Span(reference, i, j + 1, label) for i, j, label in spans]
    return Example(nlp.make_doc(text), reference)


def examples(nlp: Language) -> list[Example]:
    return [example(nlp, text, spans) for text, spans in DATA]


def long_example(nlp: Language, repeats: int = 4) -> Example:
    """All texts as one, several times over."""
    spans, start = [], 0
    for text, own in DATA * repeats:
        spans += [(start + i, start + j, label) for i, j, label in own]
        start += len(nlp.make_doc(text))
    return example(nlp, " ".join(text for text, _ in DATA * repeats), spans)


def train(nlp: Language, data: list[Example], steps: int) -> list[float]:
    """The sener's loss at each step."""
    optimizer = build_adamw_v1(head_learn_rate=0.01 / 6, warmup_steps=0, total_steps=0)
    fresh = [Example(eg.predicted.copy(), eg.reference) for eg in data]
    return [nlp.update(fresh, sgd=optimizer)["sener"] for _ in range(steps)]


def tok2vec_params(nlp: Language, *, shared: bool) -> dict[tuple[int, str], Any]:
    """The weights of the tok2vec, by layer and name."""
    model = nlp.get_pipe("tok2vec").model if shared else sener_tok2vec(nlp)
    return {
        (i, name): node.get_param(name).copy()
        for i, node in enumerate(model.walk())
        for name in node.param_names
        if node.has_param(name)
    }


def sener_tok2vec(nlp: Language) -> Any:
    return nlp.get_pipe("sener").model.get_ref("tok2vec")


def answers(nlp: Language, texts: list[str]) -> list[list[tuple[int, int, str, float]]]:
    """Start, end, label and score of each span."""
    result = []
    for doc in nlp.pipe(texts):
        group = doc.spans["sc"]
        scores = group.attrs["scores"]
        result.append(
            [(s.start, s.end, s.label_, float(x)) for s, x in zip(group, scores, strict=True)]
        )
    return result


@pytest.fixture(scope="module", params=[False, True], ids=["own", "shared"])
def trained(request: pytest.FixtureRequest) -> Language:
    nlp = pipeline(shared=request.param)
    before = tok2vec_params(nlp, shared=request.param)
    losses = train(nlp, examples(nlp), 60)
    assert losses[-1] < 0.1 * losses[0]
    after = tok2vec_params(nlp, shared=request.param)
    assert before.keys() == after.keys()
    assert all(not np.array_equal(before[key], after[key]) for key in before)
    return nlp


def test_overfits(trained: Language) -> None:
    scores = trained.evaluate(examples(trained))
    assert scores["spans_sc_f"] == 1.0
    assert scores["spans_sc_per_type"]["JOB"]["f"] == 1.0


def test_disk_and_bytes_round_trip(trained: Language, tmp_path: Path) -> None:
    texts = [text for text, _ in DATA] + [long_example(trained).text]
    expected = answers(trained, texts)
    trained.to_disk(tmp_path)
    assert answers(spacy.load(tmp_path), texts) == expected
    copy = English.from_config(trained.config).from_bytes(trained.to_bytes())
    assert answers(copy, texts) == expected


def test_pipe_answers_as_single_calls_do(trained: Language) -> None:
    texts = ["", *(text for text, _ in DATA), " \n ", long_example(trained).text]
    together = answers(trained, texts)
    alone = [answers(trained, [text])[0] for text in texts]
    for mine, theirs in zip(together, alone, strict=True):
        assert [span[:3] for span in mine] == [span[:3] for span in theirs]
        np.testing.assert_allclose(
            [span[3] for span in mine], [span[3] for span in theirs], atol=1e-5
        )
    assert together[0] == together[-2] == []


@pytest.mark.parametrize("shared", [False, True])
def test_long_document_in_windows_overfits(shared: bool) -> None:
    nlp = pipeline(shared=shared, max_pieces=64)
    long = long_example(nlp)
    assert len(long.predicted) > 3 * 38 + 24  # windows of 62 tokens, of which 24 are shared
    losses = train(nlp, [long], 50)
    assert losses[-1] < 0.1 * losses[0]
    assert nlp.evaluate([long_example(nlp)])["spans_sc_f"] == 1.0


@pytest.mark.parametrize("max_pieces", [2048, 40])
def test_gradient_of_tok2vec_is_that_of_finite_differences(max_pieces: int) -> None:
    """In one window, and in many that are computed again for the gradient."""
    nlp = pipeline(shared=False, max_pieces=max_pieces)
    sener, tok2vec = nlp.get_pipe("sener"), sener_tok2vec(nlp)
    data = [long_example(nlp, repeats=2), example(nlp, "", []), *examples(nlp)]
    docs = [eg.predicted for eg in data]

    def loss() -> tuple[float, list[torch.Tensor], Any]:
        bands, backprop = sener.model.begin_update(docs)
        return *sener.get_loss(data, bands), backprop

    _, d_logits, backprop = loss()
    backprop(d_logits)
    rng = np.random.default_rng(0)
    # Not the embeddings: as small as they are at first, the layer norm over them bends too much.
    nodes = [(n, k) for n in tok2vec.walk() for k in n.param_names if n.has_param(k) and k != "E"]
    # Along the signs of the gradient, so that nothing in it can cancel out.
    gradients = [n.get_grad(k).astype("d") for n, k in nodes]
    directions = [rng.random(size=g.shape) * np.sign(g) for g in gradients]
    expected = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
    start = [n.get_param(k).copy() for n, k in nodes]
    losses = []
    for step in (3e-4, -3e-4):
        for (n, k), value, direction in zip(nodes, start, directions, strict=True):
            n.set_param(k, value + (step * direction).astype("f"))
        losses.append(loss()[0])
    numeric = (losses[0] - losses[1]) / 6e-4
    assert numeric == pytest.approx(expected, rel=0.02)


def test_half_precision_learns_nearly_the_same() -> None:
    histories = []
    for mixed_precision in (False, True):
        nlp = pipeline(shared=False, mixed_precision=mixed_precision)
        histories.append(train(nlp, examples(nlp), 4))
    assert histories[0] == pytest.approx(histories[1], rel=0.1)
    assert histories[0] != pytest.approx(histories[1], rel=1e-5)


def test_frozen_tok2vec_stays() -> None:
    nlp = pipeline(shared=True)
    before = tok2vec_params(nlp, shared=True)
    optimizer = build_adamw_v1(head_learn_rate=0.01, warmup_steps=0, total_steps=0)
    for _ in range(3):
        nlp.update(examples(nlp), sgd=optimizer, exclude=["tok2vec"], annotates=["tok2vec"])
    after = tok2vec_params(nlp, shared=True)
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_documents_without_text_train() -> None:
    for shared in (False, True):
        nlp = pipeline(shared=shared)
        odd = [example(nlp, text, []) for text in ("", " ", "\n\n")]
        optimizer = build_adamw_v1(head_learn_rate=0.01, warmup_steps=0, total_steps=0)
        assert np.isfinite(nlp.update([*odd, *examples(nlp)], sgd=optimizer)["sener"])
        assert nlp.update(odd, sgd=optimizer)["sener"] == 0.0
        assert nlp.update(odd[:1], sgd=optimizer)["sener"] == 0.0


def test_updates_and_rehearsals_drop_what_they_are_told_to() -> None:
    """Of the tok2vec, and a rehearsal not what an update before it dropped."""
    nlp = pipeline(shared=False)
    sener: Any = nlp.get_pipe("sener")
    still = Adam(0.0)
    nlp.resume_training(sgd=still)
    losses = [
        [nlp.update(examples(nlp), drop=drop, sgd=still)["sener"] for _ in range(2)]
        for drop in (0.0, 0.5)
    ]
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-6)
    assert losses[1][0] != pytest.approx(losses[1][1], rel=1e-4)
    assert sener.rehearse(examples(nlp))["sener"] == pytest.approx(0, abs=1e-9)
    assert sener.rehearse(examples(nlp), drop=0.5)["sener"] > 1e-3
