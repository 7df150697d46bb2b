"""The registered architecture: new networks, their inputs, and how they train."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy import registry
from spacy.language import Language
from spacy.training import Example
from tiny_gliner import TEXT, component, gold, module_of, pipeline

from spacy_sener import prompted
from spacy_sener.pieces import PieceTokenizer

SPANS = [("Anna Keller", "person"), ("library in Berlin", "house"), ("2014", "date")]
LABELS = ["person", "house", "date"]
PERSON = SPANS[:1]  # one label has one order


def tokenizer_of(nlp: Language) -> PieceTokenizer:
    return PieceTokenizer.from_dict(component(nlp).model.shims[0].spec["tokenizer"])


def loss_and_gradients(
    nlp: Language, examples: list[Example]
) -> tuple[float, dict[str, torch.Tensor]]:
    module_of(nlp).zero_grad()
    losses = component(nlp).update(examples)
    named = module_of(nlp).named_parameters()
    return losses["gliner_multitask"], {n: p.grad.clone() for n, p in named if p.grad is not None}


def test_the_name_resolves() -> None:
    assert registry.architectures.get("spacy-sener.GLiNER.v1").__name__ == "build_gliner_v1"


@pytest.mark.parametrize("encoder", ["tiny_encoder", "tiny_deberta"])
def test_markers_are_pieces_with_vectors_of_their_own(
    encoder: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(encoder)
    nlp = pipeline(folder, labels=LABELS)
    before = PieceTokenizer.from_pretrained(str(folder)).n_pieces
    tokenizer, module = tokenizer_of(nlp), module_of(nlp)
    marker, end = tokenizer.piece_id("<<ENT>>"), tokenizer.piece_id("<<SEP>>")
    assert (marker, end, tokenizer.n_pieces) == (before, before + 1, before + 2)
    table = module.encoder.model.get_input_embeddings().weight
    assert len(table) == before + 2 == module.encoder.config.vocab_size
    assert not table[marker].equal(table[end])
    assert module.settings.marker == marker
    loss, gradients = loss_and_gradients(nlp, [gold(nlp, TEXT, SPANS)])
    assert loss > 0
    (name,) = (name for name in gradients if "word_embeddings" in name)
    assert gradients[name][[marker, end]].abs().sum(1).min() > 0


def test_the_network_is_as_wide_as_the_encoder_or_as_it_is_told(tiny_encoder: Path) -> None:
    assert module_of(pipeline(tiny_encoder)).projection is None
    model = {"hidden_size": 12, "n_lstm_layers": 2, "pooling": "max"}
    nlp = pipeline(tiny_encoder, model)
    module = module_of(nlp)
    assert (module.projection.out_features, module.lstm.num_layers) == (12, 2)
    assert module.settings.pooling == "max"
    again = pipeline(tiny_encoder, model)
    component(again).from_bytes(component(nlp).to_bytes())
    assert module_of(again).settings == module.settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "sum"}, "pooling"),
        ({"n_lstm_layers": -1}, "'n_lstm_layers' must not be negative"),
        ({"hidden_size": 7}, "'hidden_size' must be even"),
        ({"words": "letters"}, "words"),
        ({"dropout": 1.0}, "'dropout' must be in"),
    ],
)
def test_settings_that_cannot_be(
    settings: dict[str, Any], message: str, tiny_encoder: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        pipeline(tiny_encoder, settings)


def test_a_new_network_starts_at_the_odds_of_marks(tiny_encoder: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("gliner_multitask")
    nlp.config["initialize"]["components"] = {"gliner_multitask": {"encoder": str(tiny_encoder)}}
    nlp.initialize(lambda: [gold(nlp, TEXT, SPANS)])
    n_tokens = len(nlp.make_doc(TEXT))
    lengths = np.array([[1, 1, 2], [1, 1, 3], [1, 1, 1]])
    expected = ((lengths + 0.5) / (n_tokens + 1)).mean(0)
    bias = module_of(nlp).scores.marks.bias.detach().sigmoid().numpy()
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


def test_documents_weigh_alike_in_any_batch(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    example = gold(nlp, TEXT, PERSON)
    loss, gradients = loss_and_gradients(nlp, [example])
    for n_docs in (2, 3):
        again, others = loss_and_gradients(nlp, [example] * n_docs)
        assert again == pytest.approx(loss, rel=1e-4)
        for name, gradient in gradients.items():
            torch.testing.assert_close(others[name], gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("recompute", [False, True])
def test_what_is_computed_again_has_the_same_gradient(
    tiny_encoder: Path, recompute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = pipeline(tiny_encoder, {"recompute": recompute}, labels=["person"])
    example = gold(nlp, " ".join([TEXT] * 20), PERSON)
    loss, gradients = loss_and_gradients(nlp, [example])
    monkeypatch.setattr(prompted, "SHORT_WINDOWS_PIECES", 0)  # no more than one window at once
    again, others = loss_and_gradients(nlp, [example])
    assert again == pytest.approx(loss, rel=1e-4)
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, rtol=1e-3, atol=1e-3)


def test_half_precision_is_near(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    half = pipeline(tiny_encoder, {"mixed_precision": True}, labels=["person"])
    component(half).from_bytes(component(nlp).to_bytes())
    example = gold(nlp, TEXT, PERSON)
    loss, _ = loss_and_gradients(nlp, [example])
    half_loss, gradients = loss_and_gradients(half, [example])
    assert half_loss == pytest.approx(loss, rel=0.05)
    assert all(gradient.isfinite().all() for gradient in gradients.values())
