"""A component that no score counts is not chosen by: whoever trains it is told."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from tiny_sener import blank, example, initialize

from spacy_sener.training.loop import train


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    DocBin(docs=[example(key="mine").reference]).to_disk(tmp_path / "mine.spacy")
    return tmp_path / "mine.spacy"


def told(nlp: Language, encoder: Path) -> list[str]:
    """What is said of scores where the pipeline is initialized, and is then trained."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        initialize(nlp, encoder, example(key="mine"))
        nlp.get_pipe("sener").warn_unscored(nlp)
    return [str(each.message) for each in found if "score_weights" in str(each.message)]


@pytest.mark.parametrize(
    ("weights", "n_told"),
    [({}, 1), ({"spans_mine_f": 1.0, "spans_sc_f": None}, 0), ({"spans_mine_f": None}, 0)],
)
def test_a_key_without_a_weight(
    weights: dict[str, Any], n_told: int, corpus: Path, tiny_encoder: Path
) -> None:
    nlp = blank(spans_key="mine")
    assert not told(nlp, tiny_encoder), "no best state is chosen in a notebook"
    nlp = blank(spans_key="mine")
    nlp.config["paths"]["train"] = str(corpus)
    nlp.config["training"]["score_weights"] = weights
    found = told(nlp, tiny_encoder)
    assert len(found) == n_told
    assert all("Set spans_mine_f = 1.0 there" in text for text in found)


@pytest.mark.parametrize(
    ("key", "weights", "n_told"),
    [
        ("mine", {"spans_mine_f": 1.0}, 0),
        ("sc", {"spans_sc_f": 1.0}, 1),
        ("sc", {"spans_sc_f": None}, 0),
    ],
)
def test_data_to_evaluate_on_without_spans(
    key: str,
    weights: dict[str, Any],
    n_told: int,
    corpus: Path,
    tiny_encoder: Path,
    tmp_path: Path,
) -> None:
    nlp = initialize(blank(spans_key=key), tiny_encoder, example(key=key))
    nlp.config["corpora"]["train"]["path"] = nlp.config["corpora"]["dev"]["path"] = str(corpus)
    nlp.config["training"] |= {"max_steps": 1, "eval_frequency": 1, "score_weights": weights}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        train(nlp, tmp_path)
    told = [str(each.message) for each in found if "every F is 0" in str(each)]
    assert len(set(told)) == n_told
    assert all("[corpora.dev] has no spans in doc.spans['sc']" in text for text in told)


def test_a_component_from_elsewhere(corpus: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """It is not initialized, and trained all the same."""
    source = initialize(blank(spans_key="mine"), tiny_encoder, example(key="mine"))
    nlp = spacy.blank("en", vocab=source.vocab)
    nlp.add_pipe("sener", name="blocks", source=source)
    nlp.config["corpora"]["train"]["path"] = nlp.config["corpora"]["dev"]["path"] = str(corpus)
    nlp.config["training"] |= {"max_steps": 1, "eval_frequency": 1}
    with pytest.warns(UserWarning, match=r"'blocks' writes to doc.spans\['mine'\]"):
        train(nlp, tmp_path)
    nlp.config["training"]["frozen_components"] = ["blocks"]
    nlp.config["training"]["score_weights"] = {"spans_mine_f": 1.0}
    train(nlp, tmp_path)
