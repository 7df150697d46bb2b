"""Loading that is refused leaves the component with the weights and the labels that it had."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from test_span_table import CNN
from tiny_sener import TEXT, blank, example, initialize, optimizer

OTHER_SPANS = [(0, 2, "A"), (5, 6, "B")]
TABLE = {
    "@architectures": "spacy-sener.SpanTable.v1",
    "tok2vec": CNN,
    "span_window": 6,
    "hidden_size": 16,
    "span_size": 8,
}


def component_of(nlp: Language) -> Any:
    return nlp.get_pipe("sener")


def with_a_label_too_few(nlp: Language) -> bytes:
    """Which is found when all has been read."""
    component_of(nlp).cfg["labels"] = ["A"]
    data: bytes = component_of(nlp).to_bytes(exclude=["vocab"])
    return data


def table(**config: Any) -> Language:
    return blank(model=TABLE, **config)


def test_a_folder_of_too_few_positions(tiny_encoder: Path, tmp_path: Path) -> None:
    component_of(initialize(blank(), tiny_encoder, example(spans=OTHER_SPANS))).to_disk(tmp_path)
    nlp = initialize(blank(max_pieces=128, threshold=0.0), tiny_encoder)
    before = component_of(nlp).to_bytes(exclude=["vocab"])
    with pytest.raises(ValueError, match="max_pieces = 128, but the encoder has positions for 64"):
        component_of(nlp).from_disk(tmp_path)
    assert component_of(nlp).to_bytes(exclude=["vocab"]) == before
    assert nlp(TEXT * 20).spans["sc"]


def test_training_goes_on_where_it_was(tiny_encoder: Path) -> None:
    """With the moments of the optimizer."""
    data = with_a_label_too_few(initialize(blank(), tiny_encoder, example(spans=OTHER_SPANS)))
    nlp, sgd = initialize(blank(), tiny_encoder), optimizer()
    nlp.update([example()], sgd=sgd)
    shim = component_of(nlp).model.shims[0]
    before, moments = component_of(nlp).to_bytes(), shim.moments("table.output.bias")
    with pytest.raises(ValueError, match=r"model has 2 label\(s\), the file 'cfg' 1"):
        component_of(nlp).from_bytes(data)
    assert component_of(nlp).to_bytes() == before
    assert moments
    assert shim.moments("table.output.bias") == moments
    nlp.update([example()], sgd=sgd)
    assert shim.moments("table.output.bias")["step"] == 2


def test_a_tok2vec_of_thinc(tiny_encoder: Path) -> None:
    data = with_a_label_too_few(initialize(table(), tiny_encoder, example(spans=OTHER_SPANS)))
    nlp = initialize(table(threshold=0.0), tiny_encoder)
    nlp.update([example()], sgd=optimizer())
    before = component_of(nlp).to_bytes()
    with pytest.raises(ValueError, match=r"model has 2 label\(s\), the file 'cfg' 1"):
        component_of(nlp).from_bytes(data)
    assert component_of(nlp).to_bytes() == before
    assert nlp(TEXT).spans["sc"]


@pytest.mark.parametrize("make", [blank, table])
def test_a_component_without_weights_has_none_again(
    tiny_encoder: Path, make: Callable[[], Language]
) -> None:
    data = with_a_label_too_few(initialize(make(), tiny_encoder))
    nlp = make()
    before = component_of(nlp).to_bytes()
    with pytest.raises(ValueError, match=r"model has 2 label\(s\), the file 'cfg' 1"):
        component_of(nlp).from_bytes(data)
    assert component_of(nlp).to_bytes() == before
    with pytest.raises(ValueError, match="E109"):
        nlp(TEXT)
