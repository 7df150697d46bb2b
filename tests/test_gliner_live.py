"""A checkpoint that the gliner package has just made answers as it does in that package."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stock_encoders import randomize
from torch import Tensor

from spacy_sener.checkpoints import load_gliner_checkpoint
from spacy_sener.mark_decoding import decode_marks
from spacy_sener.nn.gliner import GLiNER
from spacy_sener.nn.mark_loss import MarkLoss, mark_loss, mark_targets

pytestmark = pytest.mark.slow
TEXTS = [
    "Anna Keller is a professor at the University of Zurich, Switzerland.",
    "Berlin",
    "She received her PhD in 2009 and worked at the Institute for Language Research until 2014.",
]
LABELS = ["person", "place of work", "year"]
LIVE: dict[str, dict[str, Any]] = {
    "tiny_encoder": {"hidden_size": 32, "num_rnn_layers": 1},
    "tiny_deberta": {
        "hidden_size": 24,
        "num_rnn_layers": 2,
        "subtoken_pooling": "max",
        "embed_ent_token": False,
    },
}


def over_some(probabilities: Tensor) -> float:
    """A threshold that most words are over for some label, in all three kinds, and none is near."""
    quarter = probabilities.flatten(0, 1).quantile(0.25, dim=0)  # (labels, 3)
    ordered = probabilities.flatten().sort().values
    place = int(torch.searchsorted(ordered, quarter.amin(1).max()))
    below = ordered[max(place - 10, 0) : place + 1]
    gap = int(below.diff().argmax())
    return float(below[gap : gap + 2].mean())


@dataclass
class Live:
    """A model of theirs, what it was given and answered, and ours from the folder that it left."""

    theirs: Any
    kwargs: dict[str, Any]
    logits: Tensor
    threshold: float
    answers: dict[tuple[bool, bool], Any]  # by flat, and by several labels a span
    ours: GLiNER

    @property
    def inputs(self) -> list[Tensor]:
        names = ("input_ids", "attention_mask", "words_mask", "text_lengths")
        return [self.kwargs[name] for name in names]


@pytest.fixture(params=[True, False], ids=["safetensors", "pickle"])
def safe(request: pytest.FixtureRequest) -> bool:
    """How they save the weights."""
    return bool(request.param)


@pytest.fixture(params=LIVE)
def live(request: pytest.FixtureRequest, safe: bool, tmp_path: Path) -> Live:
    source = request.getfixturevalue(request.param)
    gliner = pytest.importorskip("gliner")
    seen: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own
        theirs = gliner.GLiNER.from_config(
            {"model_name": str(source), "span_mode": "token_level", **LIVE[request.param]}
        )
        randomize(theirs.model, seed=1)
        with torch.no_grad():
            theirs.model.scorer.out_mlp[3].weight.mul_(0.3)
        theirs.eval()
        theirs.save_pretrained(tmp_path, safe_serialization=safe)
        handle = theirs.model.register_forward_hook(
            lambda _, args, kwargs, output: seen.append((kwargs, output)), with_kwargs=True
        )
        theirs.inference(TEXTS, LABELS)
        handle.remove()
        kwargs, output = seen[0]
        threshold = over_some(output.logits.sigmoid())
        answers = {
            (flat, many): theirs.inference(
                TEXTS, LABELS, flat_ner=flat, multi_label=many, threshold=threshold
            )
            for flat in (True, False)
            for many in (True, False)
        }
    assert (tmp_path / ("model.safetensors" if safe else "pytorch_model.bin")).is_file()
    ours = load_gliner_checkpoint(tmp_path)
    return Live(theirs, kwargs, output.logits, threshold, answers, ours)


def test_logits_and_entities(live: Live) -> None:
    logits = live.ours(*live.inputs)
    torch.testing.assert_close(logits, live.logits, atol=1e-4, rtol=0)
    words = [list(live.theirs.data_processor.words_splitter(text)) for text in TEXTS]
    for (flat, many), texts in live.answers.items():
        assert any(texts)
        for marks, tokens, expected in zip(logits, words, texts, strict=True):
            kept = decode_marks(
                marks[: len(tokens)].sigmoid().detach().numpy(),
                threshold=live.threshold,
                overlap="flat" if flat else "nested",
                labels_per_span="many" if many else "one",
            )
            rows = np.stack([kept.starts, kept.ends, kept.labels], 1).tolist()
            found = {(tokens[s][1], tokens[e][2], LABELS[label]) for s, e, label in rows}
            assert found == {(e["start"], e["end"], e["label"]) for e in expected}


def test_loss_and_gradients(live: Live) -> None:
    gold = torch.tensor([[0, 0, 1, 0], [0, 6, 8, 1], [1, 0, 0, 1], [2, 5, 5, 2]])
    options = {"alpha": 0.75, "gamma": 2.0, "label_smoothing": 0.2}
    logits = live.ours(*live.inputs)
    lengths = live.inputs[3].flatten(), torch.tensor([len(LABELS)] * len(TEXTS))
    loss = mark_loss(logits, *lengths, gold, MarkLoss(**options))
    loss.backward()
    targets = mark_targets(logits.detach(), gold)
    answer = live.theirs.model(**{**live.kwargs, "labels": targets}, **options)
    assert loss.item() == pytest.approx(answer.loss.item(), rel=1e-5)
    answer.loss.backward()
    gradients = dict(live.theirs.model.named_parameters())
    assert sum(p.grad is not None for p in gradients.values()) == len(list(live.ours.parameters()))
    norm, expected_norm = (
        torch.stack([p.grad.norm() for p in module.parameters() if p.grad is not None]).norm()
        for module in (live.ours, live.theirs.model)
    )
    torch.testing.assert_close(norm, expected_norm, rtol=1e-4, atol=0)
    torch.testing.assert_close(
        live.ours.scores.pair.weight.grad,
        gradients["scorer.out_mlp.0.weight"].grad,
        rtol=1e-3,
        atol=1e-4,
    )
