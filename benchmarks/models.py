"""What the programs share: models of published sizes with random weights, random documents."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DebertaV2Config

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.sener import SeNER
from spacy_sener.nn.span_table import SpanTable

N_LABELS = 12
VOCABULARY = 1000
"""Cut, as words are looked up and not computed."""
RARE = 1e-4
"""Probability of a span that an untrained head starts from, as after `nlp.initialize`."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a DeBERTa-v3 encoder and of the head."""

    layers: int
    hidden_size: int
    heads: int
    intermediate_size: int
    piece_window: int = 128
    span_window: int = 128
    end_size: int = 100
    span_size: int = 32
    depth: int = 2


SHAPES = {
    "tiny": Shape(2, 64, 4, 128),
    "base": Shape(12, 768, 12, 3072),
    "large": Shape(24, 1024, 16, 4096),
}
ELEMENT_BYTES = {"float32": 4, "bfloat16": 2}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def deberta_config(shape: Shape) -> DebertaV2Config:
    """DeBERTa-v3's, at this size."""
    return DebertaV2Config(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate_size,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        max_position_embeddings=512,
        type_vocab_size=0,
    )


def sener(shape: Shape) -> SeNER:
    """Ours, with LoRA and the head at published sizes."""
    torch.manual_seed(0)
    encoder = ArrowEncoder(deberta_config(shape), EncoderSettings(piece_window=shape.piece_window))
    table = SpanTable(
        shape.hidden_size,
        N_LABELS,
        span_window=shape.span_window,
        hidden_size=shape.end_size,
        span_size=shape.span_size,
        depth=shape.depth,
    )
    table.set_prior(torch.full((N_LABELS,), RARE))
    return SeNER(encoder, table)


def document(n_pieces: int, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """The inputs of `SeNER.forward`: a random text of one piece a token, and [CLS] and [SEP]."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(5, VOCABULARY, (1, n_pieces), generator=generator)
    token_index = torch.arange(n_pieces)[None]
    token_index[0, -1] = 0
    return input_ids.to(device), torch.tensor([n_pieces], device=device), token_index.to(device)


def gold_spans(n_tokens: int, span_window: int, device: str = "cpu") -> Tensor:
    """One random span for every 20 tokens, as `span_loss` takes them."""
    generator = torch.Generator().manual_seed(0)
    n_spans = max(1, n_tokens // 20)
    starts = torch.randint(n_tokens, (n_spans,), generator=generator)
    ends = starts + torch.randint(span_window + 1, (n_spans,), generator=generator)
    labels = torch.randint(N_LABELS, (n_spans,), generator=generator)
    spans = [torch.zeros_like(starts), starts, ends.clamp(max=n_tokens - 1), labels]
    return torch.stack(spans, dim=1).to(device)


def precision(dtype: str, device: str = "cpu") -> torch.autocast:
    """What the component computes under: autocast if `dtype` is not float32."""
    return torch.autocast(device, DTYPES[dtype], enabled=dtype != "float32")
