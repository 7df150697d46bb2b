"""The ends of spans, token by token, and the spans that are longer than the table's window.

The table of the paper learns where spans begin and end from single cells among hundreds of
thousands, and has no cell for a span longer than its window, which the authors drop in training and
cannot predict. Here every token says with which odds it begins (s), ends (e) or belongs to (m) a
span of each label, which is learned from every token. Of a span from i to j that makes

    x_ijr = s_ir + e_jr + mean of m_kr over i <= k <= j
            + sum of ln(1 - sigmoid(s_kr)) over i < k <= j
            + sum of ln(1 - sigmoid(e_kr)) over i <= k < j,

in which the sums are the logarithm of the probability that no other span of the label starts or
ends in between: the start of one and the end of the next one make no span. It is added to the
table's logit of the span. For a span longer than the window there is no cell to add it to: the few
tokens that begin or end a span well enough are paired, however far apart, and
q_i . k_j / sqrt(PAIR_SIZE) is added, which says whether the two belong together. Memory and time
are linear in the text, but for the pairs, whose number is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAIR_SIZE = 64
"""Width of the vectors that tell which start belongs to which end."""
GATE = 0.05
"""Lowest probability, for its best label, of a token that is tried as an end of a long span."""
SHARE_TRIED, MOST_TRIED = 1 / 8, 512
"""Of a text's tokens, how many are tried as a start, and as an end: a share, and at most."""


@dataclass(frozen=True)
class Evidence:
    """What is known of the tokens of some texts, in single precision at least.

    marks: logits of being a start, an end and an inside of each label,
        (batch_size, n_tokens, 3, n_labels).
    queries, keys: of a token as a start and as an end, (batch_size, n_tokens, PAIR_SIZE).
    """

    marks: Tensor
    queries: Tensor
    keys: Tensor


class Boundaries(nn.Module):
    """Give each token its evidence.

    input_size: width of a token vector. dropout: on these.
    """

    def __init__(self, input_size: int, n_labels: int, *, dropout: float):
        super().__init__()
        self.marks = nn.Linear(input_size, 3 * n_labels)
        self.pairs = nn.Linear(input_size, 2 * PAIR_SIZE)
        self.dropout = nn.Dropout(dropout)
        # Small at first, so that the odds of the labels, which become the bias, lead.
        nn.init.normal_(self.marks.weight, std=0.1 / input_size**0.5)

    def set_prior(self, prior: Tensor) -> None:
        """Begin with the odds of being a start, an end and an inside, (3, n_labels), in (0, 1)."""
        with torch.no_grad():
            self.marks.bias.copy_(prior.logit().flatten())

    def forward(self, tokens: Tensor) -> Tensor:
        """All of the evidence in one tensor, which `read` takes apart.

        tokens: (batch_size, n_tokens, input_size).
        Returns (batch_size, n_tokens, 3 * n_labels + 2 * PAIR_SIZE).
        """
        tokens = self.dropout(tokens)
        evidence = torch.cat([self.marks(tokens), self.pairs(tokens)], dim=-1)
        return evidence if evidence.dtype == torch.float64 else evidence.float()


def read(evidence: Tensor) -> Evidence:
    """Take apart what `Boundaries` gives."""
    marks, queries, keys = evidence.split(
        [evidence.shape[-1] - 2 * PAIR_SIZE, PAIR_SIZE, PAIR_SIZE], dim=-1
    )
    return Evidence(marks.unflatten(-1, (3, -1)), queries, keys)


def band_logits(marks: Tensor, begin: int, end: int, window: int) -> Tensor:
    """x of the cells of some rows of a band, the same in both cells of a span.

    marks: see `Evidence`. Returns (batch_size, end - begin, 2 * window + 1, n_labels).
    """
    first, last = begin - window, end + window
    around = marks[:, max(first, 0) : last]
    missing = max(-first, 0), max(last - marks.shape[1], 0)
    starts, ends, insides = F.pad(around, (0, 0, 0, 0, *missing)).unbind(2)
    # A sum over what lies between is a difference of sums, one half of which goes to either end.
    crossed = _sums(_breaks(starts, ends))[:, :-1]
    # They stay double until they have met: each by itself is as large as the sum so far.
    starts, ends = starts + crossed, ends - crossed
    sums = _sums(insides)  # of the tokens before each, from `window` before the first row
    n_rows, size = end - begin, torch.arange(1, window + 2, device=marks.device)

    def ahead(values: Tensor, first: int, n_cells: int) -> Tensor:
        """Of each row the values `first`, `first` + 1, ... tokens further on, (..., n_cells)."""
        return values[:, window + first :].unfold(1, n_cells, 1)[:, :n_rows]

    own_start, own_end = (x[:, window : window + n_rows, :, None] for x in (starts, ends))
    before, after = (sums[:, window + k : window + k + n_rows, :, None] for k in (0, 1))
    # To the right of the diagonal, and on it, the row is the span's first token; to the left its
    # last.
    right = own_start + ahead(ends, 0, window + 1)
    right += (ahead(sums, 1, window + 1) - before).div_(size)
    right = right.to(marks.dtype)
    if not window:
        return right.transpose(2, 3)
    left = own_end + ahead(starts, -window, window)
    left += (after - ahead(sums, -window, window)).div_(size[1:].flip(0))
    return torch.cat([left.to(marks.dtype), right], dim=-1).transpose(2, 3)


def pair_logits(evidence: Evidence, text: int, starts: Tensor, ends: Tensor) -> Tensor:
    """x of all pairs of some tokens of one text, those that are no span included.

    starts: (n_starts,). ends: (n_ends,). Returns (n_starts, n_ends, n_labels).
    """
    begin, end, inside = evidence.marks[text].unbind(1)
    sums, crossed = _sums(torch.stack([inside, _breaks(begin[None], end[None])[0]]))
    size = (ends - starts[:, None] + 1).clamp(min=1)
    mean = (sums[ends + 1] - sums[starts][:, None]) / size[..., None]
    middle = (mean - crossed[ends] + crossed[starts][:, None]).to(inside.dtype)
    with torch.autocast(starts.device.type, enabled=False):  # the loss is computed outside of it
        match = evidence.queries[text, starts] @ evidence.keys[text, ends].T / PAIR_SIZE**0.5
    return begin[starts][:, None] + end[ends] + middle + match[..., None]


def long_spans(
    evidence: Evidence, text: int, n_tokens: int, *, window: int, reach: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Probabilities of the spans of one text that are longer than the table's window.

    n_tokens: of the text. window: of the table, in tokens. reach: largest distance between the
    first and the last token, in tokens.
    Returns first tokens, last tokens, labels and probabilities, each (n_scored,): every label of
    every pair of likely ends at such a distance.
    """
    starts, ends = (_likely(evidence.marks[text, :n_tokens, kind]) for kind in (0, 1))
    distance = ends - starts[:, None]
    allowed = (window < distance) & (distance <= reach)
    scores = pair_logits(evidence, text, starts, ends).sigmoid() * allowed[..., None]
    first, last, label = scores.nonzero().unbind(1)
    return starts[first], ends[last], label, scores[first, last, label]


def boundary_loss(
    evidence: Evidence,
    token_lengths: Tensor,
    marked: Tensor,
    gold: Tensor,
    *,
    window: int,
    reach: int,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Sum the binary cross-entropy over the marks of all tokens, and over pairs of far tokens.

    The pairs are those of the gold spans longer than the window, and of the tokens that look most
    like starts and ends, all with all. The many insides count a tenth.

    token_lengths: (batch_size,). marked: 1 at the starts, ends and insides of gold spans, else 0,
    in the shape of `evidence.marks`. gold: rows (text in the batch, first token, last token,
    label), (n_spans, 4), those inside the window included. label_smoothing: share by which targets
    of 1 are drawn towards 0.5. Returns a scalar.
    """
    yes = 1 - label_smoothing / 2
    present = torch.arange(marked.shape[1], device=marked.device) < token_lengths[:, None]
    costs = F.binary_cross_entropy_with_logits(evidence.marks, yes * marked, reduction="none")
    weight = costs.new_tensor([1.0, 1.0, 0.1])[:, None]
    loss = (costs * weight * present[..., None, None]).sum()
    if reach <= window:
        return loss
    far = gold[gold[:, 2] - gold[:, 1] > window]
    for text, n_tokens in enumerate(token_lengths.tolist()):
        if n_tokens > window + 1:
            spans = far[far[:, 0] == text, 1:]
            loss = loss + _pair_loss(evidence, text, n_tokens, spans, window, reach, yes)
    return loss


def _pair_loss(
    evidence: Evidence,
    text: int,
    n_tokens: int,
    gold: Tensor,
    window: int,
    reach: int,
    yes: float,
) -> Tensor:
    """gold: rows (first token, last token, label) of the text's spans longer than the window.

    yes: the target of these.
    """
    first, last, label = gold.T.contiguous()
    marks = evidence.marks[text, :n_tokens].detach()
    starts = torch.cat([_best(marks[:, 0]), first]).unique()
    ends = torch.cat([_best(marks[:, 1]), last]).unique()
    logits = pair_logits(evidence, text, starts, ends)
    target = torch.zeros_like(logits)
    target[torch.searchsorted(starts, first), torch.searchsorted(ends, last), label] = yes
    distance = ends - starts[:, None]
    allowed = (window < distance) & (distance <= reach)
    costs = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (costs * allowed[..., None]).sum()


def _breaks(starts: Tensor, ends: Tensor) -> Tensor:
    """-ln of the probability that no span ends at each token, or starts at the next one.

    starts, ends: logits, (batch_size, n_tokens, n_labels). Returns the same shape, in which the
    last token's means nothing.
    """
    return F.softplus(ends) + F.softplus(starts.roll(-1, 1))


def _sums(values: Tensor) -> Tensor:
    """Of all tokens before each, (batch_size, n_tokens + 1, n_labels).

    In double precision, as means are differences of sums.
    """
    return F.pad(values.double().cumsum(1), (0, 0, 1, 0))


def _best(logits: Tensor) -> Tensor:
    """The tokens that look most like it, for their best label; logits: (n_tokens, n_labels)."""
    n_tried = min(MOST_TRIED, max(1, int(SHARE_TRIED * len(logits))))
    return logits.amax(1).topk(n_tried).indices


def _likely(logits: Tensor) -> Tensor:
    """Those of `_best` that pass the gate, in the order of the text."""
    best = _best(logits)
    return best[logits[best].amax(1).sigmoid() >= GATE].sort().values
