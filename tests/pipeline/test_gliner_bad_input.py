"""What a user can get wrong is said where it enters, with the setting's name."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tiny_gliner import answers, component, gold, pipeline

from spacy_sener.prompts import make_prompt

TEXT = "Anna Keller was born in Zurich ."
LONG = "the history of " * 100


@pytest.fixture(scope="module")
def nlp(tiny_encoder: Path) -> Language:
    return pipeline(tiny_encoder, labels=["person"])


@pytest.fixture(scope="module")
def saved(nlp: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines") / "saved"
    nlp.to_disk(folder)
    return folder


def blank(**config: Any) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("gliner_multitask", config=config)
    return nlp


def initialize(nlp: Language, examples: list[Example] | None = None, **settings: Any) -> None:
    nlp.config["initialize"]["components"] = {"gliner_multitask": settings}
    nlp.initialize(None if examples is None else lambda: examples)


def test_no_labels_anywhere(nlp: Language) -> None:
    gliner = component(blank())
    gliner.model = component(nlp).model
    message = r"no labels.* to set_labels\(\).*doc\._\.gliner_labels.*not for one that is loaded"
    for text in (TEXT, ""):
        with pytest.raises(ValueError, match=message):
            gliner(nlp.make_doc(text))


def test_labels_for_a_pipeline_that_was_saved_without(nlp: Language, tmp_path: Path) -> None:
    """As the error says: the config has no say in it."""
    unlabelled = copy.deepcopy(nlp)
    component(unlabelled).cfg["labels"] = {}
    unlabelled.to_disk(tmp_path)
    config = {"components": {"gliner_multitask": {"labels": ["person"]}}}
    loaded = spacy.load(tmp_path, config=config)
    with pytest.raises(ValueError, match=r"not for one that is loaded"):
        loaded(TEXT)
    component(loaded).set_labels(["person"])
    assert "sc" in loaded(TEXT).spans


@pytest.mark.parametrize(
    ("labels", "named"), [([], r"\[\]"), (["a", " "], "' '"), ("person", "'person'"), ([3], "3")]
)
def test_labels_of_a_document_that_cannot_be(nlp: Language, labels: Any, named: str) -> None:
    doc = nlp.make_doc(TEXT)
    doc._.gliner_labels = labels
    with pytest.raises(ValueError, match=rf"doc\._\.gliner_labels: .*{named}"):
        nlp(doc)


def test_labels_of_the_component_that_cannot_be(nlp: Language) -> None:
    with pytest.raises(ValueError, match="a label must be a string that is not blank, got ''"):
        blank(labels=[""])
    with pytest.raises(ValueError, match="E187"):
        component(nlp).add_label(3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"overlap": "released"}, r"\[components\.gliner_multitask\] overlap = 'released'"),
        ({"threshold": 1.5}, r"\[components\.gliner_multitask\] threshold.*1\.5"),
        ({"max_pieces": 8}, r"\[components\.gliner_multitask\] max_pieces.*at least 16, not 8"),
        ({"max_train_labels": 0}, r"max_train_labels must be at least 1, not 0"),
        ({"alpha": 2.0}, r"'alpha' must be in \[0, 1\], got 2"),
        ({"wording": "card"}, "wording"),
        ({"span_score": "max"}, "span_score"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blank(**settings)


def test_settings_of_find_that_cannot_be(nlp: Language) -> None:
    gliner, doc, prompt = component(nlp), nlp.make_doc(TEXT), make_prompt(["person"])
    for threshold in (-1, "0.5", float("nan")):
        with pytest.raises(ValueError, match=rf"\] threshold must be a number in.*{threshold}"):
            gliner.find([doc], [prompt], threshold=threshold)
    with pytest.raises(ValueError, match="overlap"):
        gliner.find([doc], [prompt], overlap="crossing")
    with pytest.raises(ValueError, match="1 documents and 2 prompts"):
        gliner.find([doc], [prompt, prompt])


def test_a_wording_that_there_is_not(nlp: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(component(nlp).cfg, "wording", "formal")
    with pytest.raises(
        ValueError, match=r"multitask\] wording = 'formal' is not one of package, p"
    ):
        component(nlp).summarize([nlp.make_doc(TEXT)])


def test_a_label_or_a_task_longer_than_the_window(nlp: Language) -> None:
    doc, gliner = nlp.make_doc(TEXT), component(nlp)
    with pytest.raises(ValueError, match=r"label 'the history.*401 word pieces.*max_pieces = 64"):
        gliner.find([doc], [make_prompt([LONG])])
    with pytest.raises(ValueError, match=r"task 'the history.*400 word pieces.*max_pieces = 64"):
        gliner.find([doc], [make_prompt(["person"], task=LONG)])


@pytest.mark.parametrize("text", ["", " ", "\n\n \t", "\u200b"])
def test_texts_without_words_get_nothing(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert answers(doc) == []
    assert doc.spans["sc"].attrs["scores"].shape == (0,)
    prompt = make_prompt(["person"], task="Who? ")
    assert component(nlp).find_in_task([doc], [prompt], threshold=0.0) == [[]]
    assert component(nlp).find([], []) == []


def test_use_before_initialize() -> None:
    nlp = blank(labels=["person"])
    with pytest.raises(ValueError, match="E109"):
        nlp(TEXT)
    with pytest.raises(ValueError, match="E109"):
        nlp.update([gold(nlp, TEXT, [("Zurich", "person")])])


def test_saved_before_initialize(tiny_encoder: Path, tmp_path: Path) -> None:
    blank(labels={"PER": "person"}).to_disk(tmp_path / "saved")
    nlp = spacy.load(tmp_path / "saved")
    with pytest.raises(ValueError, match="E109"):
        nlp(TEXT)
    assert component(nlp).label_data == {"PER": "person"}
    initialize(nlp, encoder=str(tiny_encoder))
    assert "sc" in nlp(TEXT).spans


def test_nothing_to_learn(tiny_encoder: Path) -> None:
    nlp = blank(spans_key="other")
    with pytest.raises(ValueError, match=r"E143.*doc\.spans\['other'\].*\['sc'\].*spans_key"):
        initialize(nlp, [gold(nlp, TEXT, [("Zurich", "place")])], encoder=str(tiny_encoder))


def test_gold_without_a_label(tiny_encoder: Path) -> None:
    nlp = blank()
    example = gold(nlp, TEXT, [("Zurich", "place"), ("Anna", " ")])
    with pytest.raises(ValueError, match=r"a span without a label in doc\.spans\['sc'\]: 'Anna'"):
        initialize(nlp, [example], encoder=str(tiny_encoder))


def test_gold_of_labels_that_are_not_asked(nlp: Language, tiny_encoder: Path) -> None:
    example = gold(nlp, TEXT, [("Zurich", "place"), ("Anna", "person")])
    message = r"does not ask for: \['place'\]. It asks for \['person'\].*labels in \[components"
    with pytest.raises(ValueError, match=message):
        initialize(blank(labels=["person"]), [example], encoder=str(tiny_encoder))
    with pytest.raises(ValueError, match=message):
        nlp.update([example])
    example.reference._.gliner_labels = ["person", "date"]
    with pytest.raises(ValueError, match=r"does not ask for: \['place'\].*'date'"):
        nlp.update([example])


def test_labels_come_from_the_examples_or_are_told(tiny_encoder: Path) -> None:
    nlp = blank()
    example = gold(nlp, TEXT, [("Zurich", "place"), ("Anna", "person")])
    initialize(nlp, [example], encoder=str(tiny_encoder))
    assert component(nlp).labels == ("place", "person")
    nlp = blank()
    example.reference._.gliner_labels = {"date": "a day", "person": "a human", "place": "a town"}
    initialize(nlp, [example], encoder=str(tiny_encoder))
    assert component(nlp).label_data == {"place": "a town", "person": "a human"}
    nlp.evaluate([example])
    nlp = blank()
    told = {"person": "a human", "place": "a town", "date": "a day"}
    initialize(nlp, [example], encoder=str(tiny_encoder), labels=told)
    assert component(nlp).label_data == told


def test_labels_of_a_document_count_where_the_gold_one_names_none(tiny_encoder: Path) -> None:
    nlp = blank()
    doc = nlp.make_doc(TEXT)
    doc._.gliner_labels = {"person": "a human", "place": "a town"}
    example = Example.from_dict(doc, {"spans": {"sc": [(0, 4, "person")]}})
    initialize(nlp, [example], encoder=str(tiny_encoder))
    assert component(nlp).label_data == {"person": "a human"}
    component(nlp).set_labels(["date"])
    nlp.update([example])
    doc._.gliner_labels = ["place"]
    with pytest.raises(ValueError, match=r"does not ask for: \['person'\].*'place'"):
        nlp.update([example])


def test_of_a_head_and_a_relation_the_component_asks_for_the_relation(tiny_encoder: Path) -> None:
    nlp = blank()
    example = gold(nlp, TEXT, [("Zurich", "Anna Keller <> born in"), ("Anna", "person")])
    initialize(nlp, [example], encoder=str(tiny_encoder))
    assert component(nlp).labels == ("Anna Keller <> born in", "person")
    example.reference._.gliner_labels = ["Anna Keller <> born in", "person"]
    nlp = blank()
    initialize(nlp, [example], encoder=str(tiny_encoder))
    assert component(nlp).labels == ("born in", "person")
    nlp.update([example])
    assert nlp.evaluate([example])["spans_sc_per_type"].keys() >= {"Anna Keller <> born in"}


@pytest.mark.parametrize("labels", [["${price}"], {"price": "a ${price}"}, {"a\nb": "x"}])
def test_labels_that_no_config_file_can_hold(labels: Any, nlp: Language, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no config file can hold .*set_labels\(\)"):
        blank(labels=labels)
    component(nlp).set_labels(labels)
    nlp.to_disk(tmp_path)
    assert component(spacy.load(tmp_path)).labels == tuple(labels)


def test_encoder_or_checkpoint(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = blank(labels=["person"])
    with pytest.raises(ValueError, match=r"\[initialize\.components\.gliner_multitask\] has enc"):
        initialize(nlp, encoder=str(tiny_encoder), checkpoint="x/y")
    with pytest.raises(FileNotFoundError, match=r"checkpoint = '.*nowhere': there is no such"):
        initialize(nlp, checkpoint=str(tmp_path / "nowhere"))


def test_gold_inside_of_tokens_is_counted(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    reference = gold(nlp, TEXT, [("Anna", "person")]).reference
    joined = Doc(nlp.vocab, ["Anna Keller", *TEXT.split()[2:]])
    with pytest.warns(UserWarning, match=r"1 annotated span.* not aligned with the tokens\. In"):
        nlp.update([Example(joined, reference)])


@pytest.mark.parametrize("name", ["model", "cfg"])
@pytest.mark.parametrize("size", [0, 9])
def test_a_damaged_folder(saved: Path, tmp_path: Path, name: str, size: int) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "pipeline"))
    path = folder / "gliner_multitask" / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"'gliner_multitask' cannot be loaded from the folder '"):
        spacy.load(folder)


@pytest.mark.parametrize("name", ["model", "cfg"])
def test_a_missing_file(saved: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "pipeline"))
    (folder / "gliner_multitask" / name).unlink()
    with pytest.raises((ValueError, OSError), match=rf"gliner_multitask/{name}|'{name}' holds no"):
        spacy.load(folder)


@pytest.mark.parametrize("size", [0, 100, -1])
def test_damaged_bytes(nlp: Language, size: int) -> None:
    data = component(nlp).to_bytes()
    with pytest.raises(ValueError, match="cannot be loaded from these bytes"):
        component(blank()).from_bytes(data[:size])


def test_the_config_decides_how_long_windows_are(saved: Path) -> None:
    shorter = spacy.load(saved, config={"components.gliner_multitask.max_pieces": 32})
    assert component(shorter).model.attrs["max_pieces"] == 32
    shorter(TEXT * 5)


def test_windows_that_are_longer_than_the_encoder_has_positions_for(saved: Path) -> None:
    message = (
        r"^\[components\.gliner_multitask\] max_pieces = 65, but the encoder has positions for 64 "
        r".*--max-pieces 65"
    )
    with pytest.raises(ValueError, match=message):
        spacy.load(saved, config={"components.gliner_multitask.max_pieces": 65})


def test_a_loss_that_is_no_number_stops_before_the_weights(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    module = component(nlp).model.shims[0].module
    module.scores.marks.bias.data.fill_(float("nan"))
    before = module.scores.word.weight.clone()
    with pytest.raises(ValueError, match=r"At call 1 the loss of 'gliner_multitask' is nan.*Anna"):
        nlp.update([gold(nlp, TEXT, [("Anna Keller", "person")])])
    assert module.scores.word.weight.equal(before)
