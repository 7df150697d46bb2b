"""The settings that the README lists, and their defaults, are those of the code."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.util import registry

import spacy_sener.pipeline.factory
import spacy_sener.pipeline.gliner_factory  # noqa: F401 - the import registers the factory

LINES = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf8").splitlines()


def codes(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def read(value: str) -> Any:
    """A default is JSON, or the name of a registered function."""
    return value if value.startswith("spacy-sener.") else json.loads(value)


def table(heading: str) -> dict[str, Any]:
    """The settings and defaults of the table that the first line with these words leads to."""
    first = next(number for number, line in enumerate(LINES) if heading in line)
    first = next(number for number in range(first, len(LINES)) if LINES[number].startswith("|---"))
    settings: dict[str, Any] = {}
    for line in LINES[first + 1 :]:
        if not line.startswith("|"):
            break
        names, defaults, *_ = line.strip("|").split(" | ")
        settings |= dict(zip(codes(names), map(read, codes(defaults)), strict=True))
    return settings


def of_component(name: str) -> dict[str, Any]:
    """Without the model, which has a table of its own."""
    config = dict(Language.get_factory_meta(name).default_config)
    del config["model"]
    return {**config, "scorer": config["scorer"]["@scorers"]}


def of_architecture(name: str) -> dict[str, Any]:
    """Without what is put into it."""
    parameters = inspect.signature(registry.architectures.get(name)).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


@pytest.mark.parametrize("name", ["sener", "gliner_multitask"])
def test_settings_of_components(name: str) -> None:
    assert table(f"[components.{name}]`") == of_component(name)


def network() -> dict[str, Any]:
    """As a config has it that names the network alone, and gets the rest from the factory."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"model": {"@architectures": "spacy-sener.SeNER.v1"}})
    model: dict[str, Any] = nlp.config["components"]["sener"]["model"]
    return model


def test_settings_of_the_network() -> None:
    settings = network()
    del settings["@architectures"], settings["encoder"]
    assert table("[components.sener.model]` with") == settings


def test_settings_of_the_encoder() -> None:
    settings = network()["encoder"]
    del settings["@architectures"]
    assert table("[components.sener.model.encoder]` with") == settings


def test_settings_of_the_span_table() -> None:
    """They are told by what is other than in the network."""
    [line] = [line for line in LINES if line.startswith("| `spacy-sener.SpanTable.v1`")]
    missing, others = re.findall(
        r"those of the network without (.*), and with other (.*) \|", line
    )[0]
    network = table("[components.sener.model]` with")
    settings = of_architecture("spacy-sener.SpanTable.v1")
    assert set(codes(missing)) == network.keys() - settings.keys()
    changed = {name: value for name, value in settings.items() if value != network[name]}
    assert dict(re.findall(r"`(\w+)` ([\d.]+)", others)) == {
        name: str(value) for name, value in changed.items()
    }
