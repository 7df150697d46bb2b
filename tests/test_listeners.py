"""A span table that listens says so where nobody speaks, in place of finding nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from listening import DATA, LISTENER, add_transformer, examples
from spacy.language import Language
from spacy.util import fix_random_seed
from thinc.api import Adam

TEXT = DATA[0][0]
WIDTH = 16
TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": WIDTH,
    "depth": 1,
    "embed_size": 50,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}


@pytest.fixture(params=["tok2vec", "transformer"])
def nlp(request: pytest.FixtureRequest, tiny_encoder: Path) -> Language:
    """A component of that name, and `sener` that listens to it and marks all it can."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    if request.param == "tok2vec":
        nlp.add_pipe("tok2vec", config={"model": TOK2VEC})
        listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": WIDTH}
    else:
        add_transformer(nlp, tiny_encoder)
        listener = LISTENER
    model = {"@architectures": "spacy-sener.SpanTable.v1", "tok2vec": listener, "span_window": 12}
    nlp.add_pipe("sener", config={"model": model, "threshold": 0.0, "overlap": "any"})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def found(nlp: Language) -> list[str]:
    doc = nlp(TEXT)
    return [str(span) for span in doc.spans["sc"]]


def test_it_asks_for_what_it_listens_to(nlp: Language) -> None:
    speaker = nlp.pipe_names[0]
    expected = found(nlp)
    assert expected
    alone = spacy.blank("en")
    alone.add_pipe("sener", source=nlp)
    with (
        nlp.select_pipes(enable=["sener"]),
        pytest.raises(ValueError, match="listens to a tok2vec or transformer, which has not run"),
    ):
        nlp(TEXT)
    with pytest.raises(ValueError, match="replace_listeners"):
        alone(TEXT)
    doc = alone("")
    assert not doc.spans["sc"]
    nlp.replace_listeners(speaker, "sener", ["model.tok2vec"])
    with nlp.select_pipes(enable=["sener"]):
        assert found(nlp) == expected


def test_a_process_that_never_had_a_transformer_says_so(nlp: Language, tmp_path: Path) -> None:
    speaker = nlp.pipe_names[0]
    nlp.to_disk(tmp_path)
    program = f"import spacy; spacy.load({str(tmp_path)!r}, exclude={speaker!r})({TEXT!r})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ValueError: The span table listens to" in result.stderr


def test_nothing_is_rehearsed_of_no_vectors(nlp: Language) -> None:
    optimizer = nlp.resume_training(sgd=Adam(0.001))
    nlp.update(examples(nlp), sgd=optimizer)
    with pytest.raises(ValueError, match=r"nlp\.rehearse|E203"):  # E203: spaCy's own check
        nlp.rehearse(examples(nlp), sgd=optimizer)
