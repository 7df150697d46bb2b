"""Encoders whose every attention is the dense reference; the rest of them stays as it is."""

import copy

import dense_attention as dense
import torch
from torch import Tensor, nn

from spacy_sener.nn.arrow_attention import join_heads, split_heads
from spacy_sener.nn.encoder import ArrowEncoder
from spacy_sener.nn.families import is_local_layer


def dense_encoder(encoder: ArrowEncoder, n_global: int) -> ArrowEncoder:
    """A copy, to be run whole (with gradients)."""
    encoder = copy.deepcopy(encoder)
    settings = encoder.settings
    options = {
        "kind": settings.attention,
        "window": settings.piece_window,
        "logn": settings.logn,
        "n_global": n_global,
    }
    kind = encoder.config.model_type
    if kind == "modernbert":
        window = encoder.config.local_attention // 2
        if settings.attention != "full":
            window = min(window, settings.piece_window)
        local = {"kind": "sliding", "window": window, "logn": False}
        for i, layer in enumerate(encoder.model.layers):
            is_local = is_local_layer(encoder.config, i)
            layer.attn = DenseRotary(layer.attn, local if is_local else options)
    else:
        make = DenseDisentangled if kind == "deberta-v2" else DensePlain
        for layer in encoder.model.encoder.layer:
            layer.attention.self = make(layer.attention.self, options)
    return encoder


class DensePlain(nn.Module):
    """BERT, RoBERTa, XLM-R and ELECTRA."""

    def __init__(self, ours, options):
        super().__init__()
        self.query, self.key, self.value = ours.query, ours.key, ours.value
        self.n_heads, self.options = ours.num_heads, options

    def forward(self, hidden_states, pattern):
        heads = [
            split_heads(p(hidden_states), self.n_heads) for p in (self.query, self.key, self.value)
        ]
        context = dense.attention(*heads, pattern.piece_lengths.tolist(), **self.options)
        return lambda _states, _start: join_heads(context)


class DenseDisentangled(nn.Module):
    """DeBERTa."""

    def __init__(self, ours, options):
        super().__init__()
        for (
            name,
            child,
        ) in ours.named_children():  # under their names, by which weights are compared
            self.add_module(name, child)
        self.options = options
        self.n_heads, self.scale, self.positions = ours.num_heads, ours.scale, ours.positions
        self.terms, self.share = ours.terms, ours.share_att_key

    def forward(self, hidden_states, pattern, rel_embeddings):
        projections = (self.query_proj, self.key_proj, self.value_proj)
        query, key, value = (split_heads(p(hidden_states), self.n_heads) for p in projections)
        scores = None
        if self.positions is not None:
            scores = self._position_scores(query, key, rel_embeddings)
        context = dense.attention(
            query,
            key,
            value,
            pattern.piece_lengths.tolist(),
            scale=self.scale,
            position_scores=scores,
            **self.options,
        )
        return lambda _states, _start: join_heads(context)

    def _position_scores(self, query: Tensor, key: Tensor, table: Tensor) -> Tensor:
        table = table[: 2 * self.positions.span]
        tables = [None, None]
        if "c2p" in self.terms:
            tables[0] = (self.key_proj if self.share else self.pos_key_proj)(table)
        if "p2c" in self.terms:
            tables[1] = (self.query_proj if self.share else self.pos_query_proj)(table)
        return dense.position_scores(
            query,
            key,
            *(None if t is None else split_heads(t[None], self.n_heads)[0] for t in tables),
            buckets=self.positions.buckets,
            max_distance=self.positions.max_distance,
        )


class DenseRotary(nn.Module):
    """ModernBERT."""

    def __init__(self, ours, options):
        super().__init__()
        self.Wqkv, self.Wo = ours.Wqkv, ours.Wo
        self.n_heads, self.options = ours.num_heads, options
        if hasattr(ours, "rotary_emb"):
            self.rotary_emb = ours.rotary_emb

    def forward(self, hidden_states, pattern, rotation):
        query, key, value = (
            split_heads(x, self.n_heads) for x in self.Wqkv(hidden_states).chunk(3, dim=-1)
        )
        context = dense.attention(
            turned(query, *rotation),
            turned(key, *rotation),
            value,
            pattern.piece_lengths.tolist(),
            **self.options,
        )
        return self.Wo(join_heads(context))


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The pair (x[i], x[i + head_dim / 2]) turned by its angle, as a complex number."""
    half = x.shape[-1] // 2
    turn = torch.complex(cos[:, None, :, :half], sin[:, None, :, :half])
    both = torch.complex(x[..., :half], x[..., half:]) * turn
    return torch.cat([both.real, both.imag], dim=-1)
