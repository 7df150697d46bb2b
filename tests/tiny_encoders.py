"""Encoders with their tokenizers, small enough to train in a test and made without any download."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

UNK = "[UNK]"
SPECIAL = ["[PAD]", UNK, "[CLS]", "[SEP]", "[MASK]"]
SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# What the tokenizers are trained on: most words of everyday English come out as 1 to 3 pieces.
TEXT = """
Anna Keller is a professor of computer science at the University of Zurich in Switzerland . She
received her PhD from Stanford University in 2009 , and worked at the Institute for Language
Research in Berlin from 2010 until 2014 . Her research interests are machine learning , natural
language processing and the history of science . He was born in London on 3 March 1972 and has been
the director of the national library since then . The company , which was founded in New York ,
makes software for small hospitals and sells it to people in many other countries . We said that
they would come to see us at home after work , but nobody had told them where our new house was .
In the first year about two hundred students took this course ; only some of them passed the last
examination . When the weather is good , children play in the park near the river until it gets
dark . You can write to me by email or call my office between nine and five o'clock , Monday to
Friday . This agreement shall be governed by the laws of the State of Delaware , and either party
may terminate it with thirty days ' notice . The court held that there had been a violation of the
rights of the applicant under Article 6 of the Convention . What do you think about those long
books with their short chapters and very small print ? I know how much time one could spend there ,
so let us go now before we do anything else . Award for best paper , fellow of the Royal Society ,
member of the editorial board , visiting scholar , assistant , associate , master , bachelor degree
"""


def save_tiny_bert(folder: Path) -> Path:
    """A BERT of two layers, with a table of 64 positions and a WordPiece tokenizer."""
    tokenizer = Tokenizer(models.WordPiece(vocab=_word_pieces(), unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, pad_token_id=0, **SHAPE
    )
    return _save(folder, tokenizer, BertModel, config)


def _word_pieces() -> dict[str, int]:
    """Characters, short words, and beginnings and ends of longer ones.

    The library's trainer, of WordPiece alone, gives others in every process.
    """
    words = {word.lower() for word in TEXT.split()}
    beginnings = {word[:n] for word in words for n in (3, 5)}
    ends = {f"##{word[n:]}" for word in words for n in (3, 5) if word[n:]}
    characters = [*_ascii(), *(f"##{each}" for each in _ascii())]
    pieces = dict.fromkeys([*SPECIAL, *characters, *sorted(beginnings | ends)])
    return {piece: i for i, piece in enumerate(pieces)}


def save_tiny_deberta(folder: Path) -> Path:
    """A DeBERTa of two layers, with buckets of relative positions and a byte-pair tokenizer."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=SPECIAL,
        initial_alphabet=["▁", *_ascii()],
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    config = DebertaV2Config(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=64,
        pad_token_id=0,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        type_vocab_size=0,
        **SHAPE,
    )
    return _save(folder, tokenizer, DebertaV2Model, config)


def _save(folder: Path, tokenizer: Tokenizer, model: type[PreTrainedModel], config: object) -> Path:
    names = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **dict(zip(names, SPECIAL, strict=True))
    )
    fast.save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model(config).save_pretrained(folder)
    return folder


def _ascii() -> list[str]:
    return [chr(code) for code in range(33, 127)]
