"""The golden cases of GLiNER as the tests read them, and its prompt, written out anew."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

CASES = (
    "c01_flat",
    "c02_nested",
    "c04_nested_multilabel",
    "c06_batch_padding",
    "c08_label_descriptions",
    "c09_duplicate_labels",
    "c11_qa_prompt",
    "c13_unicode",
    "c15_truncated_max_len",
    "c17_input_spans",
    "c18_projection_rnn2_mean_noent",
    "c21_single_vs_batch",
)
INPUTS = ("input_ids", "attention_mask", "words_mask", "text_lengths")


@dataclass
class Case:
    """One golden case: what went in and what gliner answered."""

    about: dict[str, Any]
    arrays: dict[str, Any]

    @property
    def inputs(self) -> list[Tensor]:
        return [torch.tensor(self.arrays[name]).long() for name in INPUTS]

    @property
    def labels(self) -> list[str]:
        """Their names, each once."""
        return list(dict.fromkeys(self.about["labels"]))

    @property
    def texts(self) -> list[int]:
        """The rows of the batch are of these texts: empty ones are not in it."""
        return [i for i, words in enumerate(self.about["words"]) if words]


def read_case(folder: Path, name: str) -> Case:
    cases = {about["id"]: about for about in json.loads((folder / "cases.json").read_text())}
    assert set(cases) == set(CASES)
    with np.load(folder / "arrays.npz") as arrays:
        mine = {
            key.removeprefix(f"{name}__"): arrays[key]
            for key in arrays.files
            if key.startswith(f"{name}__")
        }
    return Case(cases[name], mine)


def prompted(
    tokenizer: Tokenizer, texts: list[list[str]], labels: list[list[str]]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Words and labels of each text as the network's input; the first piece of a word counts."""
    rows, masks = [], []
    for words, names in zip(texts, labels, strict=True):
        prompt = [word for name in names for word in ("<<ENT>>", name)] + ["<<SEP>>"]
        encoding = tokenizer.encode([*prompt, *words], is_pretokenized=True)
        rows.append(torch.tensor(encoding.ids))
        places = [-1 if word is None else word - len(prompt) for word in encoding.word_ids]
        first = [place >= 0 and place != places[i - 1] for i, place in enumerate(places)]
        masks.append(torch.tensor([p + 1 if f else 0 for p, f in zip(places, first, strict=True)]))
    input_ids, words_mask = (
        torch.nn.utils.rnn.pad_sequence(each, batch_first=True) for each in (rows, masks)
    )
    lengths = torch.tensor([len(row) for row in rows])
    attention_mask = (torch.arange(input_ids.shape[1]) < lengths[:, None]).long()
    return input_ids, attention_mask, words_mask, torch.tensor([len(words) for words in texts])
