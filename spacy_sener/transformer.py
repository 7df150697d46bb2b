"""The arrow-attention encoder as the model of spacy-transformers' component "transformer".

Taggers, parsers and all that reads a `TransformerListener` then share one encoder that sees long
stretches of text at once. What they get of a document is a single sequence of pieces, each of them
once: of the windows that hold a piece, the one that sees most text around it answers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData
from spacy_transformers.layers.split_trf import split_trf_batch
from spacy_transformers.layers.trfs2arrays import trfs2arrays
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .encoders import build_encoder, encoder_spec, own_spec
from .nn.encoder import ArrowEncoder, EncoderSettings
from .pieces import PieceTokenizer
from .shim import TorchShim, torch_shim
from .sources import DEFAULT_SOURCE
from .stitching import lay_out, owned_pieces, stitched_batch
from .types import Window
from .windows import group_windows, make_windows, padded_size

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
        # What nlp.replace_listeners asks for.
        attrs={"replace_listener": _per_document, "replace_listener_cfg": _tok2vec_config},
    )


def build_tok2vec_arrow_transformer_v1(
    encoder: EncoderSettings,
    pooling: Model[Ragged, Floats2d],
    source: str = DEFAULT_SOURCE,
    max_pieces: int = 2048,
    mixed_precision: bool = False,
    save_encoder: bool = True,
    grad_factor: float = 1.0,
) -> Model[list[Doc], list[Floats2d]]:
    """Registered as `spacy-sener.Tok2VecArrowTransformer.v1`: a `tok2vec` of one component's own.

    It is what `nlp.replace_listeners` puts in a listener's place. pooling, grad_factor: as of
    `spacy-transformers.TransformerListener.v1`; the rest as of `build_arrow_transformer_v1`.
    """
    transformer = build_arrow_transformer_v1(
        encoder, source, max_pieces, mixed_precision, save_encoder
    )
    # Nested as a listener is that was replaced: saved weights are found by their place.
    return chain(_per_document(transformer), trfs2arrays(pooling, grad_factor))


def _per_document(transformer: TransformerModel) -> Model[list[Doc], list[TransformerData]]:
    return chain(transformer, split_trf_batch())


def _tok2vec_config(transformer: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    """The settings of a component's own encoder, made of the shared one's and its listener's."""
    return {
        **transformer,
        "@architectures": "spacy-sener.Tok2VecArrowTransformer.v1",
        "pooling": listener["pooling"],
        "grad_factor": listener.get("grad_factor", 1.0),
    }


def _init(
    model: TransformerModel,
    X: object = None,  # noqa: N803 (thinc's name)
    Y: object = None,  # noqa: N803 (thinc's name)
    *,
    source: str,
    max_pieces: int,
) -> None:
    shim = torch_shim(model)
    spec = encoder_spec(source, max_pieces)
    encoder = cast(ArrowEncoder, shim.build(spec))
    shim.set_module(encoder, own_spec(spec, encoder) if shim.save_frozen else spec)
    model.set_dim("nO", encoder.hidden_size)


def _forward(
    model: TransformerModel, docs: Sequence[Doc], is_train: bool, *, max_pieces: int, overlap: int
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], Sequence[Doc]]]:
    shim = torch_shim(model)
    tokenizer = PieceTokenizer.from_dict(shim.spec["tokenizer"])
    windows = make_windows(docs, tokenizer, max_pieces=max_pieces, span_window=0, overlap=overlap)
    groups = list(group_windows(windows, max_pieces))
    layout = lay_out(docs, windows, tokenizer.pad_id)
    vectors = torch.zeros(len(layout.ids), model.get_dim("nO"), device=shim.device)
    # Activations that one group may not hold are computed again for the gradient.
    keep_nothing = padded_size(groups) > max_pieces
    backprops = []
    for group in groups:
        inputs = _inputs(group, tokenizer.pad_id)
        if is_train:
            output, backprop_group = shim.begin_update(inputs, keep_nothing=keep_nothing)
            backprops.append((group, output, backprop_group))
        else:
            output = shim.predict(inputs)
        for window, window_output in zip(group, output, strict=True):
            vectors[layout.windows[window]] = window_output[owned_pieces(window)].float()

    def backprop(d_batch: FullTransformerBatch) -> Sequence[Doc]:
        d_vectors = d_batch.model_output.last_hidden_state[0]
        for group, output, backprop_group in backprops:
            d_output = torch.zeros_like(output)
            for window, d_window in zip(group, d_output, strict=True):
                d_window[owned_pieces(window)] = d_vectors[layout.windows[window]].to(d_window)
            backprop_group(d_output)
        return docs

    return stitched_batch(docs, layout, vectors, tokenizer), backprop


def _inputs(group: list[Window], pad_id: int) -> list[Tensor]:
    """(windows, pieces) piece ids, and (windows,) pieces of each."""
    ids = [torch.from_numpy(window.piece_ids) for window in group]
    sizes = torch.tensor([window.size for window in group])
    return [pad_sequence(ids, batch_first=True, padding_value=pad_id), sizes]
