"""Attention written down once more: dense, float64, one document and one pair at a time."""

import functools
import math

import torch
from torch import Tensor


@functools.cache
def visible(length: int, kind: str, window: int, n_global: int = 1) -> Tensor:
    """(length, length) bool: does query (row) see key (column)?"""
    seen = torch.zeros(length, length, dtype=torch.bool)
    for q in range(length):
        for j in range(length):
            near = abs(q - j) <= window
            arrow = near or q < n_global or j < n_global
            seen[q, j] = {"arrow": arrow, "sliding": near, "full": True}[kind]
    return seen


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: list[int],
    *,
    kind: str,
    window: int,
    logn: bool,
    n_global: int = 1,
    multiple: int = 1,
    scale: float | None = None,
    position_scores: Tensor | None = None,
) -> Tensor:
    """(batch, heads, pieces, head_dim) each; 0 in the rows of padding.

    position_scores: (batch, heads, pieces, pieces), added to query . key before scaling.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    contexts = []
    for b, n in enumerate(lengths):
        scores = query[b, :, :n] @ key[b, :, :n].mT
        if position_scores is not None:
            scores = scores + position_scores[b, :, :n, :n]
        scores = scores * scale
        if logn and kind != "sliding":
            rounded = math.ceil(n / multiple) * multiple
            factor = torch.ones(n, 1, dtype=torch.float64)
            factor[:n_global] = math.log(rounded) / math.log(512)
            scores = scores * factor
        scores = scores.masked_fill(~visible(n, kind, window, n_global), -math.inf)
        context = scores.softmax(-1) @ value[b, :, :n]
        rest = query.new_zeros(context.shape[0], query.shape[2] - n, context.shape[2])
        contexts.append(torch.cat([context, rest], dim=1))
    return torch.stack(contexts)


def bucket(distance: int, buckets: int, max_distance: int) -> int:
    """DeBERTa's: the distance itself up to half the buckets, then by its logarithm."""
    mid = buckets // 2
    if buckets <= 0 or abs(distance) <= mid:
        return distance
    share = math.log(abs(distance) / mid) / math.log((max_distance - 1) / mid)
    # 1e-9: where the share is a whole number, it comes out a rounding error too large or small
    far = math.ceil(share * (mid - 1) - 1e-9) + mid
    return int(math.copysign(far, distance))


@functools.cache
def _rows(n: int, buckets: int, max_distance: int) -> Tensor:
    """Rows of the table, for queries by keys."""
    span = buckets if buckets > 0 else max_distance
    rows = [[bucket(q - j, buckets, max_distance) for j in range(n)] for q in range(n)]
    return (torch.tensor(rows) + span).clamp(0, 2 * span - 1)


def position_scores(
    query: Tensor,
    key: Tensor,
    position_key: Tensor | None,
    position_query: Tensor | None,
    *,
    buckets: int,
    max_distance: int,
) -> Tensor:
    """c2p + p2c, unscaled: (batch, heads, pieces, pieces). Tables: (heads, 2 * span, head_dim)."""
    n = query.shape[2]
    row = _rows(n, buckets, max_distance)
    total = query.new_zeros(*query.shape[:2], n, n)
    if position_key is not None:
        total = total + torch.einsum("bhqd,hqjd->bhqj", query, position_key[:, row])
    if position_query is not None:
        total = total + torch.einsum("bhjd,hqjd->bhqj", key, position_query[:, row])
    return total
