"""Layers over the table of all n x n token pairs of one text, in plain torch.

A table is (n_tokens, n_tokens, size): cell (i, j) is the pair of a span's ends i and j. There is
one text at a time, so nothing is padded and nothing masked.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spacy_sener.nn.bispa import rotate, sinusoidal_positions
from spacy_sener.nn.dropout import TableDropout

LONGEST = 128
"""Distances between the ends of a span from which on all have one embedding in CNN-NER."""


class MultiHeadBiaffine(nn.Module):
    """Pairs of CNN-NER (Yan et al. 2023a): a bilinear form for each head, and a linear one for all.

    With a = LeakyReLU(head(h)) and t = LeakyReLU(tail(h)), both cut into `num_heads` parts:

        z_ij = [a_i^k U^k t_j^k for each head k] + W [a_i; t_j; length(|i - j|)] + b

    `W length` is one embedding here, of the size of a pair.
    """

    def __init__(
        self, input_size: int, hidden_size: int, span_size: int, *, num_heads: int, dropout: float
    ):
        super().__init__()
        if hidden_size % num_heads or span_size % num_heads:
            raise ValueError(
                f"hidden_size ({hidden_size}) and span_size ({span_size}) must be multiples of "
                f"num_heads ({num_heads})"
            )
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(input_size, hidden_size)
        self.tail = nn.Linear(input_size, hidden_size)
        head_size = hidden_size // num_heads
        shape = (num_heads, head_size, span_size // num_heads, head_size)
        self.bilinear = nn.Parameter(torch.randn(shape) / head_size)
        self.from_head = nn.Linear(hidden_size, span_size)
        self.from_tail = nn.Linear(hidden_size, span_size, bias=False)
        self.length = nn.Embedding(LONGEST + 1, span_size)
        nn.init.normal_(self.length.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (n_tokens, input_size). Returns (n_tokens, n_tokens, span_size)."""
        heads = F.leaky_relu(self.head(self.dropout(tokens)))
        tails = F.leaky_relu(self.tail(self.dropout(tokens)))
        a, t = (x.unflatten(1, (self.num_heads, -1)) for x in (heads, tails))
        pairs = torch.einsum("ika,kadb,jkb->ijkd", a, self.bilinear, t).flatten(2).contiguous()
        position = torch.arange(len(tokens), device=tokens.device)
        distance = (position - position[:, None]).abs().clamp(max=LONGEST)
        of_heads = self.from_head(heads)[:, None]
        return pairs + of_heads + self.from_tail(tails) + self.length(distance)


class ConvBlock(nn.Module):
    """Neighbouring spans in CNN-NER: x = GELU(LayerNorm(conv(x) + x)), conv 3 x 3 without bias."""

    def __init__(self, size: int):
        super().__init__()
        self.conv = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.norm = nn.LayerNorm(size)

    def forward(self, table: Tensor) -> Tensor:
        """table: (n_tokens, n_tokens, size). Returns the same shape."""
        return F.gelu(self.norm(_convolve(self.conv, table) + table))


class Biaffine(nn.Module):
    """Pairs of UTC-IE (Yan et al. 2023b), in the form that SeNER took over (equations 4 and 5).

    With a = [GELU(head(h)); 1] and t = [GELU(tail(h)); 1]:

        z_ijo = a_i U_o t_j + W_o [a_i; t_j]

    normalized: each of the two terms has a LayerNorm over its o, as in the authors' own training.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        span_size: int,
        *,
        dropout: float,
        normalized: bool = False,
    ):
        super().__init__()
        self.head = nn.Linear(input_size, hidden_size)
        self.tail = nn.Linear(input_size, hidden_size)
        self.bilinear = nn.Parameter(torch.empty(span_size, hidden_size + 1, hidden_size + 1))
        self.affine = nn.Parameter(torch.empty(span_size, 2 * (hidden_size + 1)))
        self.dropout = nn.Dropout(dropout)
        norm = partial(nn.LayerNorm, span_size) if normalized else nn.Identity
        self.bilinear_norm = norm()
        self.affine_norm = norm()
        nn.init.xavier_normal_(self.bilinear)
        nn.init.xavier_normal_(self.affine)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (n_tokens, input_size). Returns (n_tokens, n_tokens, span_size)."""
        a = F.pad(F.gelu(self.head(self.dropout(tokens))), (0, 1), value=1.0)
        t = F.pad(F.gelu(self.tail(self.dropout(tokens))), (0, 1), value=1.0)
        from_head, from_tail = self.affine.chunk(2, dim=1)
        pairs = torch.einsum("ia,oab,jb->ijo", a, self.bilinear, t).contiguous()
        sides = (a @ from_head.T)[:, None] + t @ from_tail.T
        return self.bilinear_norm(pairs) + self.affine_norm(sides)


class Plusformer(nn.Module):
    """A layer of UTC-IE: cell (i, j) sees all of row i and column j, then its neighbours.

        x = x + triangle
        x = LayerNorm(x + dropout(dense([rows(x); columns(x)])))
        x = LayerNorm(x + dropout(conv(GELU(conv(x)))))

    `triangle` has one value below the diagonal and one on it and above. Attention has one head and
    rotary positions. What SeNER's BiSPA leaves out we leave out, too: dropout of the attention map,
    which rules out the fused kernels.
    """

    def __init__(self, size: int, *, dropout: float):
        super().__init__()
        self.triangle = nn.Embedding(2, size)
        self.rows = LineAttention(size)
        self.columns = LineAttention(size)
        self.dense = nn.Linear(2 * size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.conv1 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(size, size, 3, padding=1, bias=False)
        self.conv_norm = nn.LayerNorm(size)
        self.dropout = TableDropout(dropout)

    def forward(self, table: Tensor) -> Tensor:
        """table: (n_tokens, n_tokens, size). Returns the same shape."""
        n_tokens, _, size = table.shape
        above = torch.ones(n_tokens, n_tokens, dtype=torch.long, device=table.device).triu()
        table = table + self.triangle(above)
        positions = sinusoidal_positions(n_tokens, size).to(table)
        by_row = self.rows(table, positions)
        by_column = self.columns(table.transpose(0, 1), positions).transpose(0, 1)
        change = self.dense(torch.cat([by_row, by_column], dim=-1))
        table = self.attention_norm(table + self.dropout(change))
        hidden = F.gelu(_convolve(self.conv1, table))
        return self.conv_norm(table + self.dropout(_convolve(self.conv2, hidden)))


class LineAttention(nn.Module):
    """Self-attention of each line of a table, with one head and rotary positions."""

    def __init__(self, size: int):
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size)

    def forward(self, lines: Tensor, positions: Tensor) -> Tensor:
        """lines: (n_lines, n_tokens, size). positions: (n_tokens, size) of sines and cosines."""
        query, key, value = self.qkv(lines)[:, None].chunk(3, dim=-1)
        query, key = rotate(query, positions), rotate(key, positions)
        return F.scaled_dot_product_attention(query, key, value).squeeze(1)


def _convolve(conv: nn.Conv2d, table: Tensor) -> Tensor:
    """conv over both ends of the spans; a table is what torch calls `channels_last`."""
    return conv(table.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
