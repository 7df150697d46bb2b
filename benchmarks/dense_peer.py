"""The plain way to build the same extractor, as a peer: full attention and a full table.

The stock DeBERTa of transformers, and over its vectors a table of all L x L token pairs with
plus-shaped attention (the shape of UTC-IE), at the same layer sizes as ours. It is given what
plain PyTorch has: fused attention, which keeps no L x L x L map, and no rotary embedding, which
would cost it time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import DebertaV2Model

from benchmarks.models import N_LABELS, RARE, Shape, deberta_config


class DenseBiaffine(nn.Module):
    """z_ij = a_i U b_j + W [a_i; b_j] for all pairs of tokens."""

    def __init__(self, input_size: int, end_size: int, span_size: int):
        super().__init__()
        self.head = nn.Linear(input_size, end_size)
        self.tail = nn.Linear(input_size, end_size)
        self.bilinear = nn.Parameter(torch.randn(end_size, span_size, end_size) / end_size)
        self.head_affine = nn.Linear(end_size, span_size)
        self.tail_affine = nn.Linear(end_size, span_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (n_tokens, input_size). Returns (n_tokens, n_tokens, span_size)."""
        head, tail = F.gelu(self.head(tokens)), F.gelu(self.tail(tokens))
        products = torch.einsum("ia,asb,jb->ijs", head, self.bilinear, tail)
        return products + self.head_affine(head)[:, None] + self.tail_affine(tail)


class PlusAttention(nn.Module):
    """Cell (i, j) sees row i and column j; then a convolution over neighbouring cells."""

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.row_qkv = nn.Linear(size, 3 * size)
        self.column_qkv = nn.Linear(size, 3 * size)
        self.dense = nn.Linear(2 * size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.conv1 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv_norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, table: Tensor) -> Tensor:
        """table: (n_tokens, n_tokens, size). Returns the same shape."""
        rows = self._attend(self.row_qkv, table)
        columns = self._attend(self.column_qkv, table.transpose(0, 1)).transpose(0, 1)
        change = self.dense(torch.cat([rows, columns], dim=-1))
        table = self.attention_norm(table + self.dropout(change))
        hidden = self.conv2(F.gelu(self.conv1(table.permute(2, 0, 1)[None])))
        return self.conv_norm(table + self.dropout(hidden[0].permute(1, 2, 0)))

    @staticmethod
    def _attend(qkv: nn.Linear, table: Tensor) -> Tensor:
        query, key, value = qkv(table)[:, None].chunk(3, dim=-1)  # (n_tokens, 1 head, n_tokens, c)
        return F.scaled_dot_product_attention(query, key, value).squeeze(1)


class DensePeer(nn.Module):
    """Encoder, table and logits for a single text."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.encoder = DebertaV2Model(deberta_config(shape))
        self.encoder.requires_grad_(False)
        for layer in self.encoder.encoder.layer:  # what LoRA leaves to train costs as much
            layer.attention.self.query_proj.requires_grad_()
        self.token_dropout = nn.Dropout(0.4)
        self.biaffine = DenseBiaffine(shape.hidden_size, shape.end_size, shape.span_size)
        self.blocks = nn.ModuleList(PlusAttention(shape.span_size, 0.2) for _ in range(shape.depth))
        self.output = nn.Linear(shape.span_size, N_LABELS)
        nn.init.constant_(self.output.bias, torch.tensor(RARE).logit().item())

    def forward(self, input_ids: Tensor) -> Tensor:
        """input_ids: (1, n_pieces), a token each between [CLS] and [SEP].

        Returns logits, (n_tokens, n_tokens, n_labels).
        """
        tokens = self.encoder(input_ids).last_hidden_state[0, 1:-1]
        pairs = spans = self.biaffine(self.token_dropout(tokens))
        for block in self.blocks:
            spans = block(spans)
        return self.output(spans + pairs)

    def found(self, input_ids: Tensor) -> Tensor:
        """The spans whose score is over 0.5: rows (first token, last token, label)."""
        logits = self(input_ids)
        scores = ((logits + logits.transpose(0, 1)) / 2).sigmoid()
        first, last, label = (scores > 0.5).nonzero().unbind(1)
        return torch.stack([first, last, label], dim=1)[first <= last]


def dense_loss(logits: Tensor, gold: Tensor) -> Tensor:
    """Binary cross-entropy summed over all cells; gold as `span_loss` takes it, for one text."""
    target = torch.zeros_like(logits)
    _, start, end, label = gold.unbind(1)
    target[start, end, label] = target[end, start, label] = 1
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
