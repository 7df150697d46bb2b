"""`spacy train` of the component, from a config and files, as anyone would run it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from spacy.tokens import DocBin
from tiny_gliner import answers, component, gold, pipeline

from spacy_sener.marks import batch_loss
from spacy_sener.nn.mark_loss import MarkLoss
from spacy_sener.prompts import make_prompt

SENTENCES = [
    ("Anna Keller was born in Zurich .", [("Anna Keller", "person"), ("Zurich", "place")]),
    ("Mary Stone left London .", [("Mary Stone", "person"), ("London", "place")]),
]
CONFIG = """
[paths]
train = null
dev = null

[nlp]
lang = "en"
pipeline = ["gliner_multitask"]

[components]

[components.gliner_multitask]
factory = "gliner_multitask"
max_pieces = 40
{labels}

[components.gliner_multitask.model]
@architectures = "spacy-sener.GLiNER.v1"
dropout = 0.0

[components.gliner_multitask.model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
attention = "full"
logn = false
lora = null

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${{paths.train}}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${{paths.dev}}

[training]
seed = 1
max_steps = 120
eval_frequency = 40

[training.optimizer]
@optimizers = "spacy-sener.AdamW.v1"
head_learn_rate = 0.01
encoder_learn_rate = 0.003
warmup_steps = 0
total_steps = 1000000

[initialize]

[initialize.components]

[initialize.components.gliner_multitask]
encoder = "{encoder}"
"""
DESCRIBED = """
[components.gliner_multitask.labels]
person = "first and last name of a human"
place = "a town"
"""


@pytest.mark.parametrize(
    "settings", [{"alpha": None}, {"alpha": 0.3}, {"gamma": 2.0}, {"label_smoothing": 0.4}], ids=str
)
def test_the_loss_has_its_settings(tiny_encoder: Path, settings: dict[str, Any]) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"], **settings)
    examples = [gold(nlp, SENTENCES[0][0], [("Anna Keller", "person")])]
    prompt = make_prompt(["person"])
    batch, _ = component(nlp).model.begin_update([(examples[0].predicted, prompt)])
    words = np.array([[0, 1, 0]])  # first word, last word, label
    expected, _ = batch_loss(batch, [words], MarkLoss(**{"alpha": 0.75, **settings}))
    default, _ = batch_loss(batch, [words], MarkLoss(alpha=0.75))
    assert nlp.update(examples)["gliner_multitask"] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(default, rel=1e-2)


@pytest.mark.parametrize(("most", "n_asked"), [(1, 1), (2, 2), (4, 4), (30, 5)])
def test_a_document_is_asked_for_no_more_labels_than_the_setting_says(
    tiny_encoder: Path, most: int, n_asked: int
) -> None:
    nlp = pipeline(tiny_encoder, labels=["a", "b", "c", "d", "person"], max_train_labels=most)
    example = gold(nlp, SENTENCES[0][0], [("Anna Keller", "person")])
    asked = component(nlp)._training_prompt(example).labels
    assert len(asked) == n_asked
    assert "person" in asked


@pytest.mark.parametrize("labels", ["", DESCRIBED], ids=["found", "described"])
def test_spacy_train(tiny_encoder: Path, tmp_path: Path, labels: str) -> None:
    nlp = spacy.blank("en")
    docs = [gold(nlp, text, spans).reference for text, spans in SENTENCES]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    (tmp_path / "base.cfg").write_text(CONFIG.format(labels=labels, encoder=tiny_encoder))
    fill_config(tmp_path / "config.cfg", tmp_path / "base.cfg")
    paths = {f"paths.{name}": str(tmp_path / "train.spacy") for name in ("train", "dev")}
    train(tmp_path / "config.cfg", tmp_path / "out", overrides=paths)
    best = spacy.load(tmp_path / "out" / "model-best")
    assert best.meta["performance"]["spans_sc_f"] == 1.0
    assert component(best).labels == ("person", "place")
    assert ("a town" in component(best).label_data.values()) == bool(labels)
    for doc in docs:
        expected = {(span.start, span.end, span.label_) for span in doc.spans["sc"]}
        assert set(answers(best(doc.text))) == expected
