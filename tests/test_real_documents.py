"""Real documents, from a private corpus beside the checkout."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import spacy
from private_data import shared_folder
from spacy.tokens import DocBin
from spacy.util import fix_random_seed

from spacy_sener.corpora.corpus import create_jsonl_corpus
from spacy_sener.optimizers import build_adamw_v1

N_DOCUMENTS, EPOCHS = 20, 35
CONFIG = {
    "model": {
        "@architectures": "spacy-sener.SeNER.v1",
        "span_size": 16,
        "depth": 1,
        "token_dropout": 0.0,
        "span_dropout": 0.0,
        "masking": 0.0,
        "encoder": {
            "@architectures": "spacy-sener.ArrowEncoder.v1",
            "lora": None,
            "dropout": 0.0,
        },
    }
}


@pytest.fixture
def corpus() -> Path:
    return shared_folder("data/scholar-xl") / "train.jsonl.gz"


@pytest.mark.slow
def test_overfits_real_documents_and_comes_back_in_a_new_process(
    corpus: Path, tmp_path: Path
) -> None:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config=CONFIG)
    examples = list(islice(create_jsonl_corpus(corpus, format="raw")(nlp), N_DOCUMENTS))
    with pytest.warns(UserWarning, match="longer than span_window"):
        nlp.initialize(lambda: examples)
    steps = N_DOCUMENTS * EPOCHS
    optimizer = build_adamw_v1(
        head_learn_rate=0.004, encoder_learn_rate=0.0004, warmup_steps=40, total_steps=steps
    )
    for step in range(steps):
        nlp.update([examples[step % N_DOCUMENTS]], sgd=optimizer)
        optimizer.step_schedules()
    # Spans over the window count as missed here: they could not be learned.
    assert nlp.evaluate(examples)["spans_sc_f"] > 0.95

    nlp.to_disk(tmp_path / "model")
    texts = [example.reference.text for example in examples]
    DocBin(docs=[nlp.make_doc(text) for text in texts]).to_disk(tmp_path / "in.spacy")
    code = (
        "import sys, spacy; from spacy.tokens import DocBin; nlp = spacy.load(sys.argv[1]);"
        "docs = DocBin().from_disk(sys.argv[2]).get_docs(nlp.vocab);"
        "DocBin(docs=nlp.pipe(docs)).to_disk(sys.argv[3])"
    )
    paths = [str(tmp_path / name) for name in ("model", "in.spacy", "out.spacy")]
    subprocess.run(
        [sys.executable, "-c", code, *paths], check=True, env={"HF_HUB_OFFLINE": "1", "PATH": ""}
    )
    again = DocBin().from_disk(tmp_path / "out.spacy").get_docs(nlp.vocab)
    for ours, theirs in zip(map(nlp, texts), again, strict=True):
        left, right = ours.spans["sc"], theirs.spans["sc"]
        assert [(s.start, s.end, s.label) for s in left] == [
            (s.start, s.end, s.label) for s in right
        ]
        np.testing.assert_allclose(left.attrs["scores"], right.attrs["scores"], atol=1e-5)
