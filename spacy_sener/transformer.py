"""The arrow-attention encoder as the model of spacy-transformers' component "transformer".

Taggers, parsers and all that reads a `TransformerListener` then share one encoder that sees long
stretches of text at once. What they get of a document looks like a single sequence of pieces, each
of them once: of the windows that hold a piece, the one that sees most text around it answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import Model
from thinc.types import Floats3d, Ragged
from thinc.util import torch2xp, xp2torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers.utils import ModelOutput

from .encoders import build_encoder, encoder_spec, own_spec
from .nn.encoder import ArrowEncoder, EncoderSettings
from .pieces import PieceTokenizer
from .shim import TorchShim
from .sources import DEFAULT_SOURCE
from .types import Ints, Window
from .windows import group_windows, make_windows

TransformerModel = Model[list[Doc], FullTransformerBatch]


def build_arrow_transformer_v1(
    encoder: EncoderSettings,
    source: str = DEFAULT_SOURCE,
    max_pieces: int = 2048,
    mixed_precision: bool = False,
    save_encoder: bool = True,
) -> TransformerModel:
    """Registered as `spacy-sener.ArrowTransformer.v1`: for the `model` of a `transformer`.

    encoder: how it attends and what of it is trained, an `ArrowEncoder.v1` block. source: its
    pretrained weights and tokenizer, read once by nlp.initialize(): a hub name, a folder, or
    "package:NAME". max_pieces: longest stretch of text that it sees at once, in word pieces; longer
    documents are covered by overlapping windows. mixed_precision: compute in bfloat16.
    save_encoder: false leaves frozen weights out of a saved pipeline, which then needs `source`.

    Raises ValueError if a window of `max_pieces` could hold no text.
    """
    if max_pieces < 4:
        raise ValueError(
            f"max_pieces = {max_pieces} leaves no room for text: a window holds two special "
            "pieces. Set it to what fits your memory, such as 2048."
        )
    shim = TorchShim(
        partial(build_encoder, settings=encoder),
        encoder_prefix="",
        mixed_precision=mixed_precision,
        save_frozen=save_encoder,
    )
    # Half of the overlap lies on either side of the place where one window takes over.
    overlap = 2 * encoder.piece_window
    return Model(
        "arrow_transformer",
        partial(_forward, max_pieces=max_pieces, overlap=overlap),
        init=partial(_init, source=source, max_pieces=max_pieces),
        dims={"nO": None},
        shims=[shim],
    )


class StitchedBatch(FullTransformerBatch):
    """A batch whose documents stand end to end in one sequence, whatever windows they were cut to.

    Outputs of the batch, of a document, and gradients have the shape (1, pieces, hidden_size).
    """

    def unsplit_by_doc(self, arrays: list[list[Floats3d]]) -> FullTransformerBatch:
        """The batch with the gradients of its documents, empty ones left out, for its outputs."""
        d_vectors = torch.cat([xp2torch(gradient) for (gradient,) in arrays], dim=1)
        output = ModelOutput(last_hidden_state=d_vectors)
        return FullTransformerBatch(self.spans, self.wordpieces, output, self.align)


@dataclass(frozen=True)
class Layout:
    """Where the pieces of a batch stand when its documents are laid end to end, each piece once."""

    ids: Ints  # (pieces,)
    windows: dict[Window, slice]  # places of the pieces that a window answers for
    docs: list[slice]  # places of the pieces of each document
    token_sizes: list[Ints]  # of each document: (tokens,) pieces of each token


def _init(
    model: TransformerModel,
    X: object = None,  # noqa: N803
    Y: object = None,  # noqa: N803
    *,
    source: str,
    max_pieces: int,
) -> None:
    shim = _shim(model)
    spec = encoder_spec(source, max_pieces)
    encoder = cast(ArrowEncoder, shim.build(spec))
    shim.set_module(encoder, own_spec(spec, encoder) if shim.save_frozen else spec)
    model.set_dim("nO", encoder.hidden_size)


def _forward(
    model: TransformerModel, docs: Sequence[Doc], is_train: bool, *, max_pieces: int, overlap: int
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], Sequence[Doc]]]:
    shim = _shim(model)
    tokenizer = PieceTokenizer.from_dict(shim.spec["tokenizer"])
    windows = make_windows(docs, tokenizer, max_pieces=max_pieces, span_window=0, overlap=overlap)
    groups = list(group_windows(windows, max_pieces))
    layout = _lay_out(docs, windows, tokenizer.pad_id)
    vectors = torch.zeros(len(layout.ids), model.get_dim("nO"), device=shim.device)
    # Activations that one group may not hold are computed again for the gradient.
    recompute = sum(len(group) * group[-1].size for group in groups) > max_pieces
    backprops = []
    for group in groups:
        inputs = _inputs(group, tokenizer.pad_id)
        if is_train:
            output, backprop_group = shim.begin_update(inputs, recompute=recompute)
            backprops.append((group, output, backprop_group))
        else:
            output = shim.predict(inputs)
        for window, window_output in zip(group, output, strict=True):
            vectors[layout.windows[window]] = window_output[_owned(window)].float()

    def backprop(d_batch: FullTransformerBatch) -> Sequence[Doc]:
        d_vectors = d_batch.model_output.last_hidden_state[0]
        for group, output, backprop_group in backprops:
            d_output = torch.zeros_like(output)
            for window, d_window in zip(group, d_output, strict=True):
                d_window[_owned(window)] = d_vectors[layout.windows[window]].to(d_window)
            backprop_group(d_output)
        return docs

    return _batch(docs, layout, vectors, tokenizer), backprop


def _inputs(group: list[Window], pad_id: int) -> list[Tensor]:
    """(windows, pieces) piece ids, and (windows,) pieces of each."""
    ids = [torch.from_numpy(window.piece_ids) for window in group]
    sizes = torch.tensor([window.size for window in group])
    return [pad_sequence(ids, batch_first=True, padding_value=pad_id), sizes]


def _owned(window: Window) -> slice:
    """The pieces of the rows that the window owns: they are neighbours."""
    begin, end = np.searchsorted(window.piece_rows[:-1], np.array(window.owned), side="right")
    return slice(int(begin), int(end))


def _lay_out(docs: Sequence[Doc], windows: Sequence[Window], pad_id: int) -> Layout:
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
            rows = window.piece_rows[_owned(window)]
            places[window] = slice(end, end + len(rows))
            end += len(rows)
            sizes += np.bincount(window.tokens[rows - 1], minlength=len(doc))
        end += len(doc) > 0 and begin == end
        doc_places.append(slice(begin, end))
        token_sizes.append(sizes)
    ids = np.full(end, pad_id, dtype=np.int64)
    for window, place in places.items():
        ids[place] = window.piece_ids[_owned(window)]
    return Layout(ids, places, doc_places, token_sizes)


def _batch(
    docs: Sequence[Doc], layout: Layout, vectors: Tensor, tokenizer: PieceTokenizer
) -> StitchedBatch:
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


def _shim(model: TransformerModel) -> TorchShim:
    return cast(TorchShim, model.shims[0])
