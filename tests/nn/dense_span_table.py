"""The span table written once more, for one text, over all L x L pairs, straight from the formulas.

Nothing here knows about bands: a table is (L, L, size), entry [i, j] is cell (i, j), and `near`
says which cells count. Slow, and only for tests. `params` are a `SpanTable`'s, named as in its
state.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]


def params_of(module: torch.nn.Module) -> Params:
    """The module's weights in double precision, ready to collect gradients."""
    return {
        name: value.detach().clone().double().requires_grad_()
        for name, value in module.state_dict().items()
    }


def under(params: Params, prefix: str) -> Params:
    """The parameters of one part."""
    return {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}


def near(length: int, window: int) -> Tensor:
    """Which cells (i, j) are at most `window` apart, (L, L)."""
    place = torch.arange(length)
    return (place[:, None] - place[None]).abs() <= window


def band_of(table: Tensor, window: int, n_tokens: int) -> Tensor:
    """Lay a table (L, L, size) out as a band (n_tokens, 2 * window + 1, size), zeros elsewhere."""
    length = len(table)
    rows = []
    for i in range(n_tokens):
        for j in range(i - window, i + window + 1):
            inside = i < length and 0 <= j < length
            rows.append(table[i, j] if inside else table.new_zeros(table.shape[2:]))
    return torch.stack(rows).unflatten(0, (n_tokens, -1))


def biaffine(params: Params, tokens: Tensor) -> Tensor:
    """z_ijo = a_i U_o t_j + W_o [a_i; t_j], (L, L, size)."""
    one = tokens.new_ones(len(tokens), 1)
    a = torch.cat([F.gelu(F.linear(tokens, params["head.weight"], params["head.bias"])), one], 1)
    t = torch.cat([F.gelu(F.linear(tokens, params["tail.weight"], params["tail.bias"])), one], 1)
    pairs = torch.cat([a[:, None].expand(-1, len(t), -1), t[None].expand(len(a), -1, -1)], dim=-1)
    return torch.einsum("ix,oxy,jy->ijo", a, params["bilinear"], t) + pairs @ params["affine"].T


def bispa(params: Params, table: Tensor, window: int, *, columns: str) -> Tensor:
    """One block over (L, L, size)."""
    length, _, size = table.shape
    inside = near(length, window)
    place = torch.arange(length)
    upper = (place[None] >= place[:, None]).long()
    table = table + params["triangle.weight"][upper]
    by_row = row_attention(under(params, "rows."), table, window)
    flipped = table.transpose(0, 1)
    by_column = row_attention(under(params, "columns."), flipped, window)
    if columns == "paper":
        by_column = by_column.transpose(0, 1)
    both = torch.cat([by_row, by_column], -1)
    change = F.linear(both, params["dense.weight"], params["dense.bias"])
    norm = params["attention_norm.weight"], params["attention_norm.bias"]
    table = F.layer_norm(table + change, (size,), *norm)
    hidden = F.gelu(sheared_convolution(params["conv1.weight"], table, inside))
    change = sheared_convolution(params["conv2.weight"], hidden, inside)
    norm = params["conv_norm.weight"], params["conv_norm.bias"]
    return F.layer_norm(table + change, (size,), *norm)


def row_attention(params: Params, table: Tensor, window: int) -> Tensor:
    """Attention of the cells (i, j) of each row i, at position window + j - i."""
    length, _, size = table.shape
    inside = near(length, window)
    qkv = F.linear(table, params["qkv.weight"], params["qkv.bias"])
    rows = []
    for i in range(length):
        at = window + torch.arange(length, dtype=torch.float64) - i
        query, key, value = qkv[i].chunk(3, -1)
        query, key = turned(query, at), turned(key, at)
        scores = (query @ key.T / math.sqrt(size)).masked_fill(~inside[i], -math.inf)
        rows.append(scores.softmax(-1) @ value)
    return torch.stack(rows)


def turned(vectors: Tensor, positions: Tensor) -> Tensor:
    """Rotary embedding, one pair of features after the other; sines are in single precision."""
    size = vectors.shape[-1]
    features = []
    for k in range(size // 2):
        angles = positions / 10000 ** (2 * k / size)
        sine, cosine = (x.float().to(vectors) for x in (angles.sin(), angles.cos()))
        even, odd = vectors[:, 2 * k], vectors[:, 2 * k + 1]
        features += [even * cosine - odd * sine, even * sine + odd * cosine]
    return torch.stack(features, -1)


def sheared_convolution(weight: Tensor, table: Tensor, inside: Tensor) -> Tensor:
    """out(i, j) = sum over a, b in -1..1 of weight[a, b] table(i + a, j + a + b)."""
    length = len(table)
    out = torch.zeros_like(table)
    table = table * inside[..., None]
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            i = torch.arange(length)[:, None] + a
            j = torch.arange(length)[None] + a + b
            exists = (i >= 0) & (i < length) & (j >= 0) & (j < length)
            cells = table[i.clamp(0, length - 1), j.clamp(0, length - 1)] * exists[..., None]
            out = out + cells @ weight[:, :, a + 1, b + 1].T
    return out


def span_table(params: Params, tokens: Tensor, window: int, *, depth: int, columns: str) -> Tensor:
    """The logits of all cells, (L, L, n_labels); those further apart than the window are 0."""
    inside = near(len(tokens), window)[..., None]
    pairs = biaffine(under(params, "biaffine."), tokens)
    spans = pairs
    for k in range(depth):
        spans = bispa(under(params, f"blocks.{k}."), spans, window, columns=columns)
    logits = F.linear(spans + pairs, params["output.weight"], params["output.bias"])
    if "boundaries.marks.weight" in params:
        logits = logits + boundary_logits(under(params, "boundaries.marks."), tokens)
    return logits * inside


def boundary_logits(params: Params, tokens: Tensor) -> Tensor:
    """x of all cells, the same in both of a span, (L, L, n_labels)."""
    length = len(tokens)
    marks = F.linear(tokens, params["weight"], params["bias"]).unflatten(-1, (3, -1))
    cells = [(min(i, j), max(i, j)) for i in range(length) for j in range(length)]
    return torch.stack([boundary_logit(marks, *cell) for cell in cells]).unflatten(0, (length, -1))


def boundary_logit(marks: Tensor, first: int, last: int) -> Tensor:
    """x of one span, (n_labels,). marks: of starts, ends and insides, (L, 3, n_labels)."""
    starts, ends, insides = marks.unbind(1)
    x = starts[first] + ends[last] + insides[first : last + 1].mean(0)
    for others in (starts[first + 1 : last + 1], ends[first:last]):
        x = x + torch.log(1 - others.sigmoid()).sum(0)
    return x


def loss(
    tables: list[Tensor],
    window: int,
    gold: list[tuple[int, int, int, int]],
    *,
    target_of_gold: float = 1.0,
) -> Tensor:
    """Sum of the binary cross-entropy over the cells of every text's table."""
    total = torch.zeros((), dtype=torch.float64)
    for text, table in enumerate(tables):
        target = torch.zeros_like(table)
        for _, start, end, label in (span for span in gold if span[0] == text):
            target[start, end, label] = target[end, start, label] = target_of_gold
        every = F.binary_cross_entropy_with_logits(table, target, reduction="none")
        total = total + (every * near(len(table), window)[..., None]).sum()
    return total
