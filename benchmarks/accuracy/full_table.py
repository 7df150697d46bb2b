"""CNN-NER and UTC-IE: two peers with a full table of token pairs, as models of our component.

Written from the descriptions in Yan et al. 2023a ("An Embarrassingly Easy but Strong Baseline for
Nested Named Entity Recognition") and 2023b ("UTC-IE: A Unified Token-pair Classification
Architecture for Information Extraction"). Importing this module registers

    spacy-sener-benchmarks.CNN-NER.v1
    spacy-sener-benchmarks.UTC-IE.v1

as architectures for `[components.sener.model]`. Encoder, windows, loss, training and decoding are
the component's own; the head alone is theirs: a table of all n x n pairs of a window, dense, one
text after the other. Both score a span by the mean of its probabilities in the two triangles.

Sizes. The authors ran CNN-NER, over encoders 768 wide, with ends of 200 to 400, tables of 120 to
200 and 2 or 3 convolutions. Over MiniLM, 384 wide, `configs/cnn_ner.cfg` has ends of 100, tables of
32 and 3 convolutions: twice the width of `configs/sener.cfg`, as a convolution costs less than
attention. A method's `overrides` can ask for wider ones. Of UTC-IE, SeNER's table is the banded
version: its widths are those of `configs/sener.cfg`, with 2 layers.

What they cost stands beside their figures in the results of the group "peers".
"""

from collections.abc import Callable, Iterator
from functools import partial

import spacy
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from benchmarks.accuracy.full_table_layers import (
    Biaffine,
    ConvBlock,
    MultiHeadBiaffine,
    Plusformer,
)
from spacy_sener.architectures import SpanModel, forward_sener, init_sener, span_model
from spacy_sener.encoders import build_encoder
from spacy_sener.nn.encoder import EncoderSettings
from spacy_sener.nn.scoring import Average, ScoredRows
from spacy_sener.nn.sener import SeNER
from spacy_sener.shim import Spec, TorchShim

BuildHead = Callable[[int, int], "FullTable"]
"""From the width of a token and the number of labels."""


class FullTable(nn.Module):
    """Score all spans of a text for all labels: logits = output(blocks(S) + S), S = pairs(tokens).

    In the place of `spacy_sener.nn.span_table.SpanTable`. The table is always whole; `span_window`
    is how much of it is read: the largest distance between the ends of a span, in tokens.
    """

    def __init__(
        self,
        pairs: nn.Module,
        blocks: list[nn.Module],
        *,
        span_size: int,
        n_labels: int,
        span_window: int,
    ):
        super().__init__()
        self.span_window = span_window
        self.biaffine = pairs
        self.blocks = nn.ModuleList(blocks)
        self.output = nn.Linear(span_size, n_labels)

    def set_prior(self, prior: Tensor, mark_prior: Tensor) -> None:
        """Begin with the log-odds of the labels. prior: probability in a cell, (n_labels,).

        mark_prior: of `Boundaries`, which are not here.
        """
        with torch.no_grad():
            self.output.bias.copy_(prior.logit())

    def forward(self, tokens: Tensor, token_lengths: Tensor, *, recompute: bool = False) -> Tensor:
        """Give the logits of all cells (i, j) with |i - j| <= `span_window`, as a band.

        tokens: (batch_size, n_tokens, input_size). token_lengths: in tokens, (batch_size,).
        recompute: keep only what passes from block to block for the backward pass, and compute the
        rest again.
        Returns (batch_size, n_tokens, 2 * window + 1, n_labels), `window` being `span_window` or
        n_tokens - 1 if that is less: column `window + j - i` of row `i` is cell (i, j). Cells
        outside of the text are 0.
        """
        n_tokens = tokens.shape[1]
        window = min(self.span_window, n_tokens - 1)
        bands = []
        for text, length in zip(tokens, token_lengths.tolist(), strict=True):
            band = diagonals(self._logits(text[:length], recompute), window, window)
            bands.append(F.pad(band, (0, 0, 0, 0, 0, n_tokens - length)))
        return torch.stack(bands)

    def stream(
        self, tokens: Tensor, token_lengths: Tensor, *, average: Average
    ) -> Iterator[ScoredRows]:
        """Give the probabilities of all spans, text by text; the arguments are those of `forward`.

        average: what is averaged over a span's two cells.
        """
        for i, length in enumerate(token_lengths.tolist()):
            cells = self._logits(tokens[i, :length], recompute=False)
            if average == "logits":
                scores = ((cells + cells.transpose(0, 1)) / 2).sigmoid()
            else:
                scores = (cells.sigmoid() + cells.transpose(0, 1).sigmoid()) / 2
            upper = diagonals(scores, 0, min(self.span_window, length - 1))
            yield ScoredRows(slice(i, i + 1), 0, upper[None])

    def _logits(self, tokens: Tensor, recompute: bool) -> Tensor:
        """(n_tokens, input_size) to (n_tokens, n_tokens, n_labels)."""
        run = partial(checkpoint, use_reentrant=False) if recompute else _apply
        pairs = spans = run(self.biaffine, tokens)
        for block in self.blocks:
            spans = run(block, spans)
        return self.output(spans + pairs)


def diagonals(table: Tensor, left: int, right: int) -> Tensor:
    """Give the cells (i, i - left) to (i, i + right) of each row i; 0 where there is none.

    table: (n_tokens, n_tokens, size). Returns (n_tokens, left + 1 + right, size).
    """
    rows = F.pad(table, (0, 0, left, right))  # the cells of row i begin at its column i
    n_tokens, n_columns, _ = rows.shape
    # Read in rows that are one longer, each begins a column later than the one before.
    flat = F.pad(rows.flatten(0, 1), (0, 0, 0, n_tokens))
    return flat.unflatten(0, (n_tokens, n_columns + 1))[:, : left + 1 + right]


def build_cnn_ner_v1(
    encoder: EncoderSettings,
    span_window: int,
    hidden_size: int = 100,
    span_size: int = 32,
    num_heads: int = 4,
    depth: int = 3,
    token_dropout: float = 0.4,
    recompute: bool = False,
) -> SpanModel:
    """Multi-head biaffine, then `depth` convolutions.

    span_window: how much of the table is read, in tokens between the ends of a span; at most
    `max_pieces - 3` of the component. hidden_size, span_size: widths of an end and of a pair.
    token_dropout: on token vectors. recompute: train in less memory and more time.
    """

    def head(input_size: int, n_labels: int) -> FullTable:
        pairs = MultiHeadBiaffine(
            input_size, hidden_size, span_size, num_heads=num_heads, dropout=token_dropout
        )
        blocks = [ConvBlock(span_size) for _ in range(depth)]
        return FullTable(
            pairs, blocks, span_size=span_size, n_labels=n_labels, span_window=span_window
        )

    return _model("cnn_ner", encoder, head, span_window, recompute)


def build_utc_ie_v1(
    encoder: EncoderSettings,
    span_window: int,
    hidden_size: int = 100,
    span_size: int = 32,
    depth: int = 2,
    token_dropout: float = 0.4,
    span_dropout: float = 0.2,
    normalized: bool = False,
    recompute: bool = False,
) -> SpanModel:
    """Biaffine, then `depth` Plusformer layers; settings as in `build_cnn_ner_v1`.

    span_size: must be even. span_dropout: on span vectors. normalized: of `Biaffine`.
    """

    def head(input_size: int, n_labels: int) -> FullTable:
        pairs = Biaffine(
            input_size, hidden_size, span_size, dropout=token_dropout, normalized=normalized
        )
        blocks = [Plusformer(span_size, dropout=span_dropout) for _ in range(depth)]
        return FullTable(
            pairs, blocks, span_size=span_size, n_labels=n_labels, span_window=span_window
        )

    return _model("utc_ie", encoder, head, span_window, recompute)


def _model(
    name: str, settings: EncoderSettings, head: BuildHead, span_window: int, recompute: bool
) -> SpanModel:
    """As `build_sener_v1` makes one."""

    def build(spec: Spec) -> SeNER:
        encoder = build_encoder(spec, settings)
        return SeNER(encoder, head(encoder.hidden_size, spec["n_labels"]))

    shim = TorchShim(build, encoder_prefix="encoder.", recompute=recompute)
    return span_model(
        name, forward_sener, init_sener, shim, span_window, reach=0, average="probabilities"
    )


def _apply(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


spacy.registry.architectures.register("spacy-sener-benchmarks.CNN-NER.v1", func=build_cnn_ner_v1)
spacy.registry.architectures.register("spacy-sener-benchmarks.UTC-IE.v1", func=build_utc_ie_v1)
