"""Checkpoint folders of GLiNER's token-level model, written by its package, over a real encoder."""

import random
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import texts
from spacy_sener.sources import DEFAULT_SOURCE

MAX_WORDS = 100_000
"""So many words that only the tokenizer's limit cuts a text."""
SAMPLE, SAMPLE_LABELS = 150, 30
"""Words and labels that the marks of a drawn head are set by."""
GAIN = 3.0
"""Of a drawn head's weights, so that words and labels lie well apart. Not of those that lead from
word to word: with this gain the LSTM would be chaotic, and rounding would decide its answers."""
LOGITS = {"start": (-2.0, 1.5), "end": (-2.0, 1.5), "inside": (1.5, 1.5)}
"""Mean and deviation over words and labels: few spans are found, of 1 to about 20 words."""

NAMES = ("Quorvax", "Zemblinka", "Ophrythe", "Tarkwyn", "Uxmolde", "Veshtiqa")
NAME_LABEL = "person"
PARAGRAPH = 100
"""Words, of which one is a name."""
UNSEEN = 10_000
"""Seeds from here on are of no text that a head was trained on."""
STEPS, BATCH, RATE = 40, 4, 3e-3


def write_drawn(folder: Path, encoder: str = DEFAULT_SOURCE) -> None:
    """A pretrained encoder below a head that is drawn at random, the same in each run."""
    torch.manual_seed(0)
    model = _untrained(encoder)
    for name, weights in _head(model):
        if weights.dim() == 2 and "weight_hh" not in name:
            nn.init.normal_(weights, std=GAIN / weights.shape[1] ** 0.5)
    marks = model.model.scorer.out_mlp[-1]
    with torch.no_grad():
        logits = _logits(model, [texts.text(SAMPLE).split()], label_names(SAMPLE_LABELS))
        mean, deviation = torch.tensor(list(LOGITS.values())).T
        factor = deviation / logits.flatten(0, 2).std(0)
        marks.weight *= factor[:, None]
        marks.bias.copy_((marks.bias - logits.mean((0, 1, 2))) * factor + mean)
    model.save_pretrained(folder)


def write_finding_names(folder: Path, encoder: str = DEFAULT_SOURCE, *, steps: int = STEPS) -> None:
    """A pretrained encoder, kept as it is, below a head that has learned `NAMES` in paragraphs."""
    torch.manual_seed(0)
    model = _untrained(encoder)
    weights = [weights for _, weights in _head(model)]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    for step in range(steps):
        batch = [paragraph(seed=step * BATCH + i) for i in range(BATCH)]
        logits = _logits(model, batch, [NAME_LABEL])
        gold = torch.tensor([[word in NAMES for word in words] for words in batch]).float()
        gold = gold[..., None, None].expand_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, gold, pos_weight=torch.tensor(10.0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def paragraph(*, seed: int) -> list[str]:
    """Random words, and one name among them."""
    rng = random.Random(seed)
    words = texts.text(PARAGRAPH, seed=seed).split()
    words[rng.randrange(len(words))] = rng.choice(NAMES)
    return words


def planted(n_paragraphs: int) -> tuple[str, list[tuple[int, int]]]:
    """Paragraphs that no training had, and the characters of the name in each."""
    text, names = "", []
    for i in range(n_paragraphs):
        for word in paragraph(seed=UNSEEN + i):
            if word in NAMES:
                names.append((len(text), len(text) + len(word)))
            text += f"{word} "
        text = f"{text[:-1]}\n"
    return text, names


def label_names(n_labels: int) -> list[str]:
    """Frequent words, of one piece each."""
    return random.Random(0).sample(texts.words()[:3000], n_labels)


def load(folder: str) -> Any:
    """The package's model, ready to predict."""
    from gliner import GLiNER

    return GLiNER.from_pretrained(folder, local_files_only=True).eval()


def _untrained(encoder: str) -> Any:
    from gliner import GLiNER
    from transformers import AutoConfig

    from spacy_sener.sources import resolve_source

    source = resolve_source(encoder)
    config = AutoConfig.from_pretrained(source)
    settings = {
        "model_name": source,
        "span_mode": "token_level",
        "hidden_size": config.hidden_size,
        "max_len": MAX_WORDS,
    }
    model = GLiNER.from_config(settings).eval()  # no dropout, in training neither
    model.data_processor.transformer_tokenizer.model_max_length = config.max_position_embeddings
    return model


def _head(model: Any) -> list[tuple[str, nn.Parameter]]:
    """All but the encoder, which is frozen."""
    model.model.token_rep_layer.requires_grad_(False)
    return [(name, each) for name, each in model.model.named_parameters() if each.requires_grad]


def _logits(model: Any, batch: list[list[str]], labels: list[str]) -> torch.Tensor:
    """(texts, words, labels, 3)"""
    examples = [{"tokenized_text": words, "ner": None} for words in batch]
    inputs = model.collate_batch(examples, labels)
    tensors = ("input_ids", "attention_mask", "words_mask", "text_lengths")
    return model.model(**{name: inputs[name] for name in tensors}).logits
