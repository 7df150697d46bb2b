"""What users get wrong, and what arrives damaged: a clear error, or an answer with nothing lost."""

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from confection import ConfigValidationError
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from tiny_sener import (
    GOLD,
    MODEL,
    SPAN_WINDOW,
    TEXT,
    blank,
    example,
    initialize,
    module_of,
    optimizer,
    shorten,
)
from torch import nn


def weights_of(nlp: Language) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module_of(nlp).state_dict().items()}


def assert_unchanged(nlp: Language, weights: dict[str, torch.Tensor]) -> None:
    for name, value in module_of(nlp).state_dict().items():
        assert torch.equal(value.nan_to_num(), weights[name].nan_to_num()), name


@pytest.fixture(scope="module")
def saved(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that reports every span it can see."""
    folder = tmp_path_factory.mktemp("saved") / "pipeline"
    initialize(blank(threshold=0.0), tiny_encoder).to_disk(folder)
    return folder


# Labels and gold spans


@pytest.mark.parametrize("labels", [{}, {"labels": []}])
def test_no_labels(tiny_encoder: Path, labels: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"E143.*No example has.*\['sc'\].*have some: none\.$"):
        initialize(blank(), tiny_encoder, example(spans=[]), **labels)


def test_no_labels_because_the_spans_have_another_key(tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match=r"\['mine'\].*set \[components.sener\] spans_key"):
        initialize(blank(), tiny_encoder, example(key="mine"))


def test_unknown_label_in_the_data(tiny_encoder: Path) -> None:
    with pytest.raises(ValueError, match=r"does not know: \['PLACE'\].*\['PERSON'\].*add_label"):
        initialize(blank(), tiny_encoder, labels=["PERSON"])


def test_unknown_label_in_an_update(tiny_encoder: Path) -> None:
    nlp = initialize(blank(), tiny_encoder)
    weights = weights_of(nlp)
    with pytest.raises(ValueError, match=r"\['NEW'\].*\['PERSON', 'PLACE'\].*fixed.*new component"):
        nlp.update([example(spans=[(0, 1, "NEW")])], sgd=optimizer())
    assert_unchanged(nlp, weights)


def test_adding_labels_late(tiny_encoder: Path) -> None:
    sener: Any = initialize(blank(), tiny_encoder).get_pipe("sener")
    assert sener.add_label("PERSON") == 0
    with pytest.raises(ValueError, match="E922"):
        sener.add_label("NEW")
    with pytest.raises(ValueError, match="E187"):
        sener.add_label(3)


def test_gold_longer_than_the_window(tiny_encoder: Path) -> None:
    """Counted once in training, and in evaluation as missed."""
    long = example(spans=[*GOLD, (0, SPAN_WINDOW + 2, "JOB")])
    nlp = blank(threshold=0.0, overlap="any")
    with pytest.warns(UserWarning, match=r"1 annotated.*1 longer.*\(span_window = 6\)") as caught:
        initialize(nlp, tiny_encoder, long)
    assert len(caught) == 1
    nlp.update([long], sgd=optimizer())
    scores = nlp.evaluate([long])
    recalls = {label: prf["r"] for label, prf in scores["spans_sc_per_type"].items()}
    assert recalls == {"PERSON": 1.0, "PLACE": 1.0, "JOB": 0.0}
    assert scores["spans_sc_r"] == pytest.approx(2 / 3)


def test_gold_that_does_not_align_with_the_tokens(tiny_encoder: Path) -> None:
    nlp = blank(threshold=0.0, overlap="any")
    reference = Doc(nlp.vocab, words=["Anna", "Keller", "sings"], spaces=[False, True, False])
    reference.spans["sc"] = [Span(reference, 0, 1, "PERSON"), Span(reference, 2, 3, "VERB")]
    misaligned = Example(Doc(nlp.vocab, words=["AnnaKeller", "sings"]), reference)
    with pytest.warns(UserWarning, match="1 annotated.*1 not aligned with the tokens") as caught:
        initialize(nlp, tiny_encoder, misaligned, labels=["PERSON", "VERB"])
    assert len(caught) == 1
    nlp.update([misaligned], sgd=optimizer())
    recalls = nlp.evaluate([misaligned])["spans_sc_per_type"]
    assert recalls["PERSON"]["r"] == 0.0
    assert recalls["VERB"]["r"] == 1.0


# Before the component is ready


@pytest.mark.parametrize(
    "use",
    [
        lambda nlp: nlp(TEXT),
        lambda nlp: list(nlp.pipe([TEXT])),
        lambda nlp: nlp.update([example()]),
        lambda nlp: nlp.evaluate([example()]),
    ],
    ids=["call", "pipe", "update", "evaluate"],
)
def test_use_before_initialize(use: Callable[[Language], object]) -> None:
    nlp = blank()
    nlp.get_pipe("sener").add_label("PERSON")
    with pytest.raises(ValueError, match=r"E109.*'sener'"):
        use(nlp)


def test_saved_before_initialize(tiny_encoder: Path, tmp_path: Path) -> None:
    blank().to_disk(tmp_path)
    nlp = initialize(spacy.load(tmp_path), tiny_encoder)
    assert "sc" in nlp(TEXT).spans


# Odd documents

LONG_WORD = "anna" * 1250
ODD_TEXTS = ["", " ", " \n\t \r\n", "\x00\x01 \x1b[31m\x7f \u200b\ufeff\u00ad", LONG_WORD]


@pytest.mark.filterwarnings("ignore:1 token.s. have more than 31 word pieces:UserWarning")
@pytest.mark.parametrize("encoder", ["tiny_encoder", "tiny_deberta"])
def test_odd_documents(encoder: str, request: pytest.FixtureRequest) -> None:
    nlp = initialize(blank(threshold=0.0), request.getfixturevalue(encoder))
    alone = [nlp(text) for text in [*ODD_TEXTS, TEXT]]
    together = list(nlp.pipe([*ODD_TEXTS, TEXT]))
    for text, doc, other in zip([*ODD_TEXTS, TEXT], alone, together, strict=True):
        assert doc.text == text
        assert len(doc.spans["sc"].attrs["scores"]) == len(doc.spans["sc"])
        assert [(s.start, s.end) for s in doc.spans["sc"]] == [
            (s.start, s.end) for s in other.spans["sc"]
        ]
    assert not any(doc.spans["sc"] for doc in alone[:3])
    assert alone[-1].spans["sc"]
    losses: dict[str, float] = {}
    odd = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in ODD_TEXTS]
    nlp.update(odd, sgd=optimizer(), losses=losses)
    assert 0 < losses["sener"] < float("inf")


@pytest.mark.parametrize("encoder", ["tiny_encoder", "tiny_deberta"])
def test_a_token_of_5000_characters_stays_and_hides_nothing(
    encoder: str, request: pytest.FixtureRequest
) -> None:
    nlp = blank(threshold=0.0, overlap="any")
    initialize(nlp, request.getfixturevalue(encoder))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        doc = nlp(f"Anna Keller {LONG_WORD} was born in London .")
    # A WordPiece tokenizer gives such a word the one piece for what it does not know.
    expected = [] if encoder == "tiny_encoder" else [r"1 token.s. have more than 31 word pieces"]
    assert len(caught) == len(expected)
    for warning, message in zip(caught, expected, strict=True):
        assert re.match(message, str(warning.message))
    assert {span.start for span in doc.spans["sc"]} == set(range(len(doc)))
    assert {span.end - 1 for span in doc.spans["sc"]} == set(range(len(doc)))


# Training that breaks


def test_a_loss_that_is_no_number_stops_before_the_weights(tiny_encoder: Path) -> None:
    nlp = initialize(blank(), tiny_encoder)
    sgd = optimizer()
    nlp.update([example()], sgd=sgd)
    table: Any = module_of(nlp).table  # type: ignore[union-attr]
    nn.init.constant_(table.output.bias, float("nan"))
    weights = weights_of(nlp)
    named, unnamed = example(), example("She sings .", [])
    named.reference.user_data["doc_id"] = "cv-17"
    message = r"call 2 the loss of 'sener' is nan.*cv-17 \('Anna Keller.*'She sings .'.*no weights"
    with pytest.raises(ValueError, match=message):
        nlp.update([named, unnamed], sgd=sgd)
    assert_unchanged(nlp, weights)


def test_gradients_that_are_no_number_stop_before_the_weights(tiny_encoder: Path) -> None:
    nlp = initialize(blank(), tiny_encoder)
    table: Any = module_of(nlp).table  # type: ignore[union-attr]
    hook = table.output.bias.register_hook(lambda gradient: gradient * float("inf"))
    weights = weights_of(nlp)
    with pytest.raises(ValueError, match=r"norm of .*no weight of it was changed.*learning rates"):
        nlp.update([example()], sgd=optimizer())
    assert_unchanged(nlp, weights)
    hook.remove()
    nlp.update([example()], sgd=optimizer())  # nothing is left of those gradients
    assert all(value.isfinite().all() for value in weights_of(nlp).values())


# Saved pipelines


@pytest.mark.parametrize("size", [0, 1, 100, 100_000, -1])
def test_a_truncated_model(saved: Path, tmp_path: Path, size: int) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "pipeline"))
    shorten(folder / "sener" / "model", size)
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded from the folder '.*/sener'"):
        spacy.load(folder)
    data = spacy.load(saved).get_pipe("sener").to_bytes()
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded from these bytes"):
        blank().get_pipe("sener").from_bytes(data[:size])


@pytest.mark.parametrize("size", [100, -1])
def test_what_cannot_be_loaded_leaves_a_component_as_it_was(
    saved: Path, tiny_encoder: Path, size: int
) -> None:
    data = spacy.load(saved).get_pipe("sener").to_bytes()
    nlp = initialize(blank(threshold=0.0), tiny_encoder, example(spans=[(0, 1, "VERB")]))
    sener: Any = nlp.get_pipe("sener")
    with pytest.raises(ValueError, match="cannot be loaded from these bytes"):
        sener.from_bytes(data[:size])
    assert sener.labels == ("VERB",)
    doc = nlp(TEXT)
    assert {span.label_ for span in doc.spans["sc"]} == {"VERB"}


def test_a_folder_that_is_not_there_leaves_a_component_as_it_was(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    nlp = initialize(blank(threshold=0.0), tiny_encoder)
    doc = nlp(TEXT)
    with pytest.raises(FileNotFoundError, match="nowhere: 'sener' was not saved"):
        nlp.get_pipe("sener").from_disk(tmp_path / "nowhere", exclude=["vocab"])
    again = nlp(TEXT)
    assert [str(span) for span in again.spans["sc"]] == [str(span) for span in doc.spans["sc"]]


def test_a_component_can_be_initialized_after_it_could_not_be_loaded(
    saved: Path, tiny_encoder: Path
) -> None:
    nlp = blank()
    data = spacy.load(saved).get_pipe("sener").to_bytes()
    with pytest.raises(ValueError, match="cannot be loaded from these bytes"):
        nlp.get_pipe("sener").from_bytes(data[:-1])
    labels = ["A", "B", "C", "D"]
    initialize(nlp, tiny_encoder, example(spans=[(0, 1, label) for label in labels]))
    assert nlp.get_pipe("sener").labels == tuple(labels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sener/model", r"sener/model"),
        ("sener/cfg", r"'sener' cannot be.*sener/cfg is missing"),
        ("config.cfg", r"E053.*config.cfg"),
        ("meta.json", r"E053.*meta.json"),
    ],
)
def test_a_missing_file(saved: Path, tmp_path: Path, name: str, message: str) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "pipeline"))
    (folder / name).unlink()
    with pytest.raises((ValueError, OSError), match=message):
        spacy.load(folder)


def test_a_damaged_cfg(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "pipeline"))
    shorten(folder / "sener" / "cfg", 9)
    with pytest.raises(ValueError, match=r"'sener' cannot be loaded from the folder '.*/sener'"):
        spacy.load(folder)


def test_a_config_that_was_changed_after_training(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"do not fit the model that the config describes"):
        spacy.load(saved, config={"components.sener.model.span_size": 16})


def test_the_base_of_a_small_save_is_gone(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    nlp = initialize(blank(model={**MODEL, "save_encoder": False}), encoder)
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(encoder)
    with pytest.raises(ValueError, match=rf"encoder = '{encoder}': there is no such folder"):
        spacy.load(tmp_path / "pipeline")


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"overlap": "some"},
        {"labels_per_span": "two"},
        {"threshold": 1.5},
        {"threshold": -0.1},
        {"threshold": "high"},
        {"label_smoothing": 1.5},
        {"label_smoothing": -0.1},
        {"set_ents": "maybe"},
        {"max_pieces": SPAN_WINDOW + 2},
        {"max_pieces": -1},
        {"max_pieces": 3, "model": {**MODEL, "span_window": 0}},
        {"model": {**MODEL, "average": "both"}},
        {"model": {**MODEL, "columns": "both"}},
    ],
    ids=str,
)
def test_settings_that_cannot_be(settings: dict[str, Any]) -> None:
    name, value = next(iter(settings.items()))
    if isinstance(value, dict):
        name, value = list(value.items())[-1]
    with pytest.raises((ValueError, ConfigValidationError), match=rf"(?s){name}.*{value}"):
        blank(**settings)


@pytest.mark.parametrize(
    ("name", "value"), [("threshold", 7), ("threshold", "0.5"), ("overlap", "nes")]
)
def test_settings_that_cannot_be_set_later(saved: Path, name: str, value: object) -> None:
    nlp = spacy.load(saved)
    nlp.get_pipe("sener").cfg[name] = value
    with pytest.raises(ValueError, match=rf"\[components.sener\] {name} .*{value}"):
        nlp(TEXT)


def test_models_of_another_component() -> None:
    gliner = {"@architectures": "spacy-sener.GLiNER.v1", "encoder": MODEL["encoder"]}
    with pytest.raises(ValueError, match=r"\[components.sener.model\].*spacy-sener.SeNER.v1"):
        spacy.blank("en").add_pipe("sener", config={"model": gliner})
    with pytest.raises(ValueError, match=r"gliner_multitask.model\].*spacy-sener.GLiNER.v1"):
        spacy.blank("en").add_pipe("gliner_multitask", config={"model": MODEL})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reach", -3),
        ("span_size", 0),
        ("span_size", 3),
        ("hidden_size", 0),
        ("depth", -1),
        ("span_window", -1),
        ("token_dropout", 1.5),
        ("masking", 2.0),
    ],
)
def test_sizes_that_cannot_be(tiny_encoder: Path, name: str, value: float) -> None:
    words = {"token_dropout": "dropout", "masking": "rate of masking"}.get(name, name)
    with pytest.raises(ValueError, match=f"{words}.* {value}"):
        initialize(blank(model={**MODEL, name: value}), tiny_encoder, example(spans=GOLD[1:]))


def test_each_dropout_has_its_place(tiny_encoder: Path) -> None:
    rates = {"token_dropout": 0.3, "span_dropout": 0.2}
    nlp = initialize(blank(model={**MODEL, **rates}), tiny_encoder)
    table = nlp.get_pipe("sener").model.shims[0].module.table
    assert table.biaffine.dropout.p == 0.3
    assert [block.dropout.rate for block in table.blocks] == [0.2] * len(table.blocks) != []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("piece_window", 0),
        ("logn_multiple", 0),
        ("dropout", 2.0),
        ("lora", {"rank": 0}),
        ("lora", {"width": 8}),
    ],
)
def test_encoder_settings_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"(?i){name}"):
        blank(model={**MODEL, "encoder": {**MODEL["encoder"], name: value}})


def test_shorter_windows_than_in_training(saved: Path) -> None:
    nlp = spacy.load(saved, config={"components.sener.max_pieces": 20})
    doc = nlp(" ".join([TEXT] * 20))
    assert {span.start for span in doc.spans["sc"]} == set(range(len(doc)))


def test_longer_windows_than_the_table_of_positions(saved: Path) -> None:
    """A BERT has vectors for as many positions as it was initialized for, and no more."""
    with pytest.raises(ValueError, match=r"max_pieces = 128, but .* positions for 64 word pieces"):
        spacy.load(saved, config={"components.sener.max_pieces": 128})


def test_longer_windows_without_a_table_of_positions(tiny_deberta: Path, tmp_path: Path) -> None:
    initialize(blank(threshold=0.0), tiny_deberta).to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"components.sener.max_pieces": 128})
    doc = nlp(" ".join([TEXT] * 20))
    assert {span.start for span in doc.spans["sc"]} == set(range(len(doc)))
