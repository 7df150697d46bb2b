"""`nlp.replace_listeners`: a component gets a copy of the shared encoder for itself."""

from pathlib import Path

import pytest
import spacy
import torch
from listening import (
    LISTENER,
    LONG_TEXT,
    assert_learned,
    examples,
    found_spans,
    initialized,
    train,
    transformer_module,
    weights,
)
from spacy.language import Language
from spacy.tokens import Doc

from spacy_sener.optimizers import build_adamw_v1


def answers(doc: Doc) -> tuple[list[str], list[tuple[int, int, str]]]:
    return [token.tag_ for token in doc], found_spans(doc)


def replace(nlp: Language, *names: str) -> Language:
    for name in names:
        nlp.replace_listeners("transformer", name, ["model.tok2vec"])
    return nlp


@pytest.fixture
def learned(tiny_encoder: Path) -> Language:
    nlp = initialized(tiny_encoder, "tagger", "sener")
    train(nlp, 60)
    return nlp


def test_answers_stay_when_saved_too(learned: Language, tmp_path: Path) -> None:
    expected = answers(learned(LONG_TEXT))
    replace(learned, "tagger", "sener").to_disk(tmp_path)
    learned.remove_pipe("transformer")
    assert answers(learned(LONG_TEXT)) == expected
    assert_learned(learned)
    assert answers(spacy.load(tmp_path, exclude=["transformer"])(LONG_TEXT)) == expected


def test_the_copies_learn_apart(learned: Language) -> None:
    """What the shared encoder learns for one component leaves the other's answers as they are."""
    replace(learned, "sener")
    expected, before = found_spans(learned(LONG_TEXT)), weights(learned)
    optimizer = build_adamw_v1(
        head_learn_rate=0.1, encoder_learn_rate=0.03, warmup_steps=0, total_steps=0
    )
    learned.update(examples(learned), sgd=optimizer, exclude=["sener"])
    assert not all(torch.equal(value, before[key]) for key, value in weights(learned).items())
    assert found_spans(learned(LONG_TEXT)) == expected

    before = weights(learned)
    own = next(n for n in learned.get_pipe("sener").model.walk() if n.name == "arrow_transformer")
    assert own.shims[0].module is not transformer_module(learned)
    values = [p.detach().clone() for p in own.shims[0].module.parameters()]
    learned.update(examples(learned), sgd=optimizer, exclude=["tagger", "transformer"])
    learnt = zip(own.shims[0].module.parameters(), values, strict=True)
    assert not all(torch.equal(p, value) for p, value in learnt)
    assert all(torch.equal(value, before[key]) for key, value in weights(learned).items())


def test_the_copies_have_averages_of_their_own(learned: Language) -> None:
    replace(learned, "tagger", "sener").remove_pipe("transformer")
    optimizer = build_adamw_v1(head_learn_rate=0.1, warmup_steps=0, use_averages=True)
    learned.update(examples(learned), sgd=optimizer)
    own = [shim for _, pipe in learned.pipeline for n in pipe.model.walk() for shim in n.shims]
    with learned.use_params(optimizer.averages):
        averages = [[p.detach().clone() for p in shim.module.parameters()] for shim in own]
    assert len({shim.id for shim in own}) == len(own)
    for shim, values in zip(own, averages, strict=True):
        # Of the first update, as thinc averages.
        pairs = zip(shim.module.parameters(), values, strict=True)
        assert all(torch.allclose(value, 9 / 11 * p) for p, value in pairs if p.requires_grad)


def test_sourced_components_bring_their_encoder(learned: Language, tmp_path: Path) -> None:
    """As in a config with `source` and `replace_listeners`, by which frozen ones stay good."""
    expected = found_spans(learned(LONG_TEXT))
    learned.to_disk(tmp_path)
    config = {
        "nlp": {"lang": "en", "pipeline": ["sener"]},
        "components": {
            "sener": {"source": str(tmp_path), "replace_listeners": ["model.tok2vec"]},
        },
    }
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    assert found_spans(nlp(LONG_TEXT)) == expected


def test_a_new_component_with_its_own_encoder(tiny_encoder: Path) -> None:
    """From the config that a replaced listener leaves, as `nlp.initialize` reads it."""
    config = replace(initialized(tiny_encoder, "tagger"), "tagger").get_pipe_config("tagger")
    settings = config["model"]["tok2vec"]
    assert settings["@architectures"] == "spacy-sener.Tok2VecArrowTransformer.v1"
    assert settings["pooling"] == LISTENER["pooling"]
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger", config={"model": config["model"]})
    nlp.initialize(lambda: examples(nlp))
    losses = train(nlp, 60)
    assert losses[-1]["tagger"] < 0.1 * losses[0]["tagger"]
    assert_learned(nlp)
