"""The whole network: pieces to span logits."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from .encoder import ArrowEncoder
from .scoring import Average, ScoredPairs, ScoredRows
from .span_table import SpanTable
from .word_masking import WordMasking, mask_words


def pool_pieces(pieces: Tensor, token_index: Tensor) -> Tensor:
    """Give each token the element-wise maximum of its pieces' vectors.

    pieces: (batch_size, n_pieces, hidden_size). token_index: 1-based token of each piece, 0 for
    special pieces and padding, (batch_size, n_pieces).
    Returns (batch_size, n_tokens, hidden_size), `n_tokens` being the largest index; zeros for a
    token without pieces. Equal pieces share the gradient.
    """
    batch_size, _, hidden_size = pieces.shape
    tokens = pieces.new_zeros(batch_size, int(token_index.max()) + 1, hidden_size)
    index = token_index[..., None].expand_as(pieces)
    return tokens.scatter_reduce(1, index, pieces, "amax", include_self=False)[:, 1:]


class SeNER(nn.Module):
    """Encoder, pooling of pieces to tokens, and span table.

    masking: how the input is masked in training mode; not at all when None.
    """

    def __init__(
        self, encoder: ArrowEncoder, table: SpanTable, *, masking: WordMasking | None = None
    ):
        super().__init__()
        self.encoder = encoder
        self.table = table
        self.masking = masking

    def forward(
        self,
        input_ids: Tensor,
        piece_lengths: Tensor,
        token_index: Tensor,
        *,
        recompute: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Give the logits of all spans of all texts.

        input_ids: (batch_size, n_pieces). piece_lengths: with the special pieces, (batch_size,).
        token_index: 1-based token of each piece, 0 for special pieces and padding,
        (batch_size, n_pieces). A text has as many tokens as its largest index.
        recompute: keep few activations for the backward pass, and compute the others again.
        Returns what `SpanTable` does.
        """
        if self.training and self.masking is not None:
            input_ids = mask_words(input_ids, token_index, self.masking)
        pieces = self.encoder(input_ids, piece_lengths, recompute=recompute)
        tokens = pool_pieces(pieces, token_index)
        return self.table(tokens, token_index.amax(1), recompute=recompute)

    def stream(
        self, input_ids: Tensor, piece_lengths: Tensor, token_index: Tensor, *, average: Average
    ) -> Iterator[ScoredRows | ScoredPairs]:
        """Give the probabilities of all spans, some rows at a time; see `SpanTable.stream`.

        Other arguments as in `forward`.
        """
        tokens = pool_pieces(self.encoder(input_ids, piece_lengths), token_index)
        return self.table.stream(tokens, token_index.amax(1), average=average)
