"""Checkpoints of gliner give gliner's vectors, logits, losses and gradients."""

import json
from pathlib import Path

import pytest
import torch
from golden_gliner import CASES, prompted, read_case
from tokenizers import Tokenizer

from spacy_sener.checkpoints import load_gliner_checkpoint
from spacy_sener.nn.mark_loss import MarkLoss, mark_loss

LOSSES = (0, 1, 2, 4)
"""Of five runs; the other one lowers probabilities by a margin, which nothing here does."""


@pytest.mark.parametrize("name", CASES)
def test_vectors_and_logits_are_the_authors(golden_gliner: Path, name: str) -> None:
    case = read_case(golden_gliner, name)
    module = load_gliner_checkpoint(golden_gliner / case.about["model"])
    assert not module.training
    with torch.no_grad():
        prompted_words = module.embed(*case.inputs)
        logits = module(*case.inputs)
    for ours, theirs in (
        (prompted_words.words, "words_embedding"),
        (prompted_words.labels, "prompts_embedding"),
        (logits, "logits"),
    ):
        expected = torch.tensor(case.arrays[theirs])
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_batch_mates_change_nothing(golden_gliner: Path) -> None:
    case = read_case(golden_gliner, "c06_batch_padding")
    module = load_gliner_checkpoint(golden_gliner / "tiny_a")
    input_ids, attention_mask, words_mask, text_lengths = case.inputs
    for row in range(len(input_ids)):
        n_pieces, n_words = int(attention_mask[row].sum()), int(text_lengths[row])
        some = [each[row : row + 1, :n_pieces] for each in (input_ids, attention_mask, words_mask)]
        with torch.no_grad():
            alone = module(*some, text_lengths[row : row + 1])
        expected = torch.tensor(case.arrays["logits"][row, :n_words])
        torch.testing.assert_close(alone[0], expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("run", LOSSES)
@pytest.mark.parametrize("recompute", [False, True])
def test_losses_and_gradients_are_the_authors(
    golden_gliner: Path, run: int, recompute: bool
) -> None:
    about = json.loads((golden_gliner / "loss.json").read_text())
    expected = about["runs"][run]
    options = dict(expected["kwargs"])
    options.pop("loss_type", None)  # has no effect on token-level models in their code
    module = load_gliner_checkpoint(golden_gliner / "tiny_a")  # eval mode: no dropout
    tokenizer = Tokenizer.from_file(str(golden_gliner / "tiny_a" / "tokenizer.json"))
    data = about["data"]
    inputs = prompted(
        tokenizer,
        [text["tokenized_text"] for text in data],
        [text["ner_labels"] for text in data],
    )
    gold = [
        (i, start, end, text["ner_labels"].index(label))
        for i, text in enumerate(data)
        for start, end, label in text["ner"]
    ]
    logits = module(*inputs, recompute=recompute)
    loss = mark_loss(
        logits,
        torch.tensor([len(text["tokenized_text"]) for text in data]),
        torch.tensor([len(text["ner_labels"]) for text in data]),
        torch.tensor(gold),
        MarkLoss(**options),
    )
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-5)

    loss.backward()
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    norm = torch.stack([grad.norm() for grad in grads]).norm().item()
    assert norm == pytest.approx(expected["grad_norm_all"], rel=1e-4)
    bias = module.scores.marks.bias.grad.tolist()
    assert bias == pytest.approx(expected["grad_scorer.out_mlp.3.bias"], abs=1e-4)
