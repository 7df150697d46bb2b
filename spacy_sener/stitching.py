"""The windows of a batch put together again, in the terms of spacy-transformers.

Its documents stand end to end in one sequence, each piece of them once: of the windows that hold a
piece, the one that owns its row answers for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.types import Floats3d, Ragged
from thinc.util import torch2xp, xp2torch
from torch import Tensor
from transformers.utils import ModelOutput

from .pieces import PieceTokenizer
from .types import Ints, Window


class StitchedBatch(FullTransformerBatch):
    """A batch of documents end to end.

    Outputs of the batch, of a document, and gradients have the shape (1, pieces, hidden_size).
    """

    def unsplit_by_doc(self, arrays: list[list[Floats3d]]) -> FullTransformerBatch:
        """The batch with the gradients of its documents, empty ones left out, for its outputs."""
        d_vectors = torch.cat([xp2torch(gradient) for (gradient,) in arrays], dim=1)
        output = ModelOutput(last_hidden_state=d_vectors)
        return FullTransformerBatch(self.spans, self.wordpieces, output, self.align)


@dataclass(frozen=True)
class Layout:
    """Where the pieces of a batch stand, each of them once."""

    ids: Ints  # (pieces,)
    windows: dict[Window, slice]  # places of the pieces that a window answers for
    docs: list[slice]  # places of the pieces of each document
    token_sizes: list[Ints]  # of each document: (tokens,) pieces of each token


def owned_pieces(window: Window) -> slice:
    """The pieces of the rows that the window owns: they are neighbours."""
    begin, end = np.searchsorted(window.piece_rows[:-1], np.array(window.owned), side="right")
    return slice(int(begin), int(end))


def lay_out(docs: Sequence[Doc], windows: Sequence[Window], pad_id: int) -> Layout:
    """Give each owned piece its place.

    A document of whitespace alone has one piece, of padding, that no token is aligned with:
    spacy-transformers reads an output without pieces as that of a document without tokens.
    """
    by_doc: dict[int, list[Window]] = {}
    for window in windows:
        by_doc.setdefault(window.doc, []).append(window)
    places: dict[Window, slice] = {}
    doc_places, token_sizes, end = [], [], 0
    for i, doc in enumerate(docs):
        begin, sizes = end, np.zeros(len(doc), dtype=np.int64)
        for window in by_doc.get(i, []):
            rows = window.piece_rows[owned_pieces(window)]
            places[window] = slice(end, end + len(rows))
            end += len(rows)
            sizes += np.bincount(window.tokens[rows - 1], minlength=len(doc))
        end += len(doc) > 0 and begin == end
        doc_places.append(slice(begin, end))
        token_sizes.append(sizes)
    ids = np.full(end, pad_id, dtype=np.int64)
    for window, place in places.items():
        ids[place] = window.piece_ids[owned_pieces(window)]
    return Layout(ids, places, doc_places, token_sizes)


def stitched_batch(
    docs: Sequence[Doc], layout: Layout, vectors: Tensor, tokenizer: PieceTokenizer
) -> StitchedBatch:
    """The batch whose pieces have these vectors: (pieces, hidden_size), as `layout` places them."""
    output: Any = torch2xp(vectors[None])
    pieces = tokenizer.strings(layout.ids)
    doc_data = [
        TransformerData(
            wordpieces=_wordpieces(pieces[place], layout.ids[place]),
            model_output=ModelOutput(last_hidden_state=output[:, place]),
            align=_align([sizes], [0]),
        )
        if len(doc)
        else TransformerData.empty()
        for doc, place, sizes in zip(docs, layout.docs, layout.token_sizes, strict=True)
    ]
    return StitchedBatch(
        spans=[[doc[:]] if len(doc) else [] for doc in docs],
        wordpieces=_wordpieces(pieces, layout.ids),
        model_output=ModelOutput(last_hidden_state=vectors[None]),
        align=_align(layout.token_sizes, [place.start for place in layout.docs]),
        cached_doc_data=doc_data,
    )


def _wordpieces(pieces: list[str], ids: Ints) -> WordpieceBatch:
    return WordpieceBatch(
        strings=[pieces],
        input_ids=ids[None],
        attention_mask=np.ones((1, len(ids)), dtype=np.float32),
        lengths=[len(ids)],
        token_type_ids=None,
    )


def _align(token_sizes: list[Ints], starts: list[int]) -> Ragged:
    """The pieces of each token, those of a document following each other from its start."""
    pieces = [np.arange(int(n.sum())) + start for n, start in zip(token_sizes, starts, strict=True)]
    data: Any = np.concatenate(pieces).astype(np.int32)
    lengths: Any = np.concatenate(token_sizes).astype(np.int32)
    return Ragged(data, lengths)
