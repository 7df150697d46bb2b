"""GLiNER as one thinc model: documents with their prompts to marks of words."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from thinc.api import Model
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .checkpoints import load_gliner_checkpoint, read_gliner_config
from .encoders import build_encoder, encoder_spec, own_spec
from .marks import MarkBand, MarkedBatch
from .nn.encoder import EncoderSettings
from .nn.gliner import GLiNER, GLiNERSettings, Pooling
from .nn.position_table import tile_positions
from .nn.pretrained import load_config
from .pieces import PieceTokenizer
from .progress import tracked
from .prompted import (
    Markers,
    Prompted,
    PromptedWindow,
    fitting_labels,
    group_prompted,
    lay_out,
    pieces_at_once,
)
from .shim import Spec, TorchShim, torch_shim
from .sources import resolve_source
from .types import Floats
from .windows import MAX_PIECES, padded_size
from .words import WordKind

# Gives a MarkedBatch, and in training takes the gradients of the logits of its bands.
MarkModel = Model[Sequence[Prompted], Any]

N_MARKS = 3  # start, end, inside
LABEL_PIECE, END_PIECE = "<<ENT>>", "<<SEP>>"  # the authors', in networks that are made here


@dataclass(frozen=True)
class GLiNERSource:
    """Where the weights of a network come from."""

    checkpoint: str | None = None
    """Folder of a checkpoint of GLiNER, for all of them."""
    encoder: str | None = None
    """Else: a hub name, a folder or "package:NAME", for the encoder below a new network."""
    prior: Floats | None = None
    """(3,) how often a word is a start, an end and an inside of a label, for a new network."""


def build_gliner_v1(
    encoder: EncoderSettings,
    hidden_size: int | None = None,
    pooling: Pooling = "first",
    label_after_marker: bool = True,
    n_lstm_layers: int = 1,
    dropout: float = 0.4,
    words: WordKind = "gliner",
    mixed_precision: bool = False,
    recompute: bool = False,
    encoder_rate: float = 0.1,
) -> MarkModel:
    """Registered as `spacy-sener.GLiNER.v1`: encoder, LSTM over words, scores of words with labels.

    encoder: how it attends and what of it is trained, an `ArrowEncoder.v1` block. With "arrow"
    attention the prompt, labels and task, is global: it sees all of the text, which sees it.
    hidden_size: width of words and labels; null for the encoder's. pooling: the pieces that a word
    takes its vector from: "first", "last", "mean" or "max". label_after_marker: a label's vector is
    that of its first piece, which the encoder knows, and not of its marker, which is new to it and
    at first the same for all labels. n_lstm_layers: of the LSTM; 0 for none. dropout: of the
    scores. These five are for a new network; a checkpoint brings its own.
    words: what the marks are on: "gliner" for the words of the authors' splitter, on which the
    published checkpoints were trained, "tokens" for spaCy's tokens.
    mixed_precision: compute in bfloat16. recompute: train in less memory and a little more time.
    encoder_rate: as of `SeNER.v1`.
    """
    network = GLiNERSettings(
        hidden_size=2 if hidden_size is None else hidden_size,  # replaced when the encoder is known
        marker=0,
        pooling=pooling,
        label_after_marker=label_after_marker,
        n_lstm_layers=n_lstm_layers,
        dropout=dropout,
    )
    shim = TorchShim(
        partial(_build, settings=encoder),
        encoder_prefix="encoder.",
        # LoRA's weights are as new as the head's.
        encoder_rate=encoder_rate if encoder.lora is None else 1.0,
        mixed_precision=mixed_precision,
        recompute=recompute,
    )
    return Model(
        "gliner",
        partial(_forward, words=words),
        init=partial(_init, network=network, hidden_size=hidden_size),
        dims={"nO": None},
        attrs={"max_pieces": MAX_PIECES},
        shims=[shim],
    )


def _build(spec: Spec, *, settings: EncoderSettings) -> GLiNER:
    encoder = build_encoder(spec, settings)
    n_pieces = PieceTokenizer.from_dict(spec["tokenizer"]).n_pieces
    if n_pieces > encoder.config.vocab_size:
        # New pieces start at random, as all do; their mean would take all others' covariance.
        encoder.model.resize_token_embeddings(n_pieces, mean_resizing=False)
    return GLiNER(encoder, GLiNERSettings(**spec["network"]))


def _init(
    model: MarkModel,
    X: object = None,  # noqa: N803 (thinc's name)
    Y: GLiNERSource | None = None,  # noqa: N803 (thinc's name)
    *,
    network: GLiNERSettings,
    hidden_size: int | None,
) -> None:
    assert Y is not None, "the component knows the source"
    shim, max_pieces = torch_shim(model), model.attrs["max_pieces"]
    if Y.checkpoint is not None:
        module, spec = _published(shim, Y.checkpoint, max_pieces)
    else:
        assert Y.encoder is not None, "a network needs an encoder"
        module, spec = _new(shim, Y.encoder, max_pieces, network, hidden_size)
        if Y.prior is not None:
            prior = torch.as_tensor(Y.prior)
            module.scores.marks.bias.data.copy_(prior.logit())
    shim.set_module(module, own_spec(spec, module.encoder))
    model.set_dim("nO", N_MARKS)


def _new(
    shim: TorchShim,
    source: str,
    max_pieces: int,
    network: GLiNERSettings,
    hidden_size: int | None,
) -> tuple[GLiNER, Spec]:
    """A network over a pretrained encoder, whose tokenizer gets the pieces of the prompt."""
    spec = encoder_spec(source, max_pieces)
    tokenizer = PieceTokenizer.from_dict(spec["tokenizer"]).with_special(LABEL_PIECE, END_PIECE)
    network = replace(
        network,
        hidden_size=hidden_size or load_config(resolve_source(source)).hidden_size,
        marker=tokenizer.piece_id(LABEL_PIECE),
    )
    spec = {**spec, **_spec(tokenizer, network, END_PIECE)}
    return cast(GLiNER, shim.build(spec)), spec


def _published(shim: TorchShim, folder: str, max_pieces: int) -> tuple[GLiNER, Spec]:
    """The network of a checkpoint; its table of positions is made longer if need be."""
    published, config = load_gliner_checkpoint(folder), read_gliner_config(folder)
    tokenizer = PieceTokenizer.from_pretrained(folder, spaced=False)  # as GLiNER's trainer does
    if tokenizer.piece_id(config.label_token) != published.settings.marker:
        raise ValueError(
            f"The tokenizer in {folder} has {tokenizer.piece_id(config.label_token)} for "
            f"{config.label_token!r}, but the network was trained with "
            f"{published.settings.marker}: are they of two checkpoints?"
        )
    tile_positions(published.encoder.model, max_pieces)
    spec = _spec(tokenizer, published.settings, config.end_token)
    # Built anew from the settings: these may ask for another attention, and for LoRA.
    module = cast(GLiNER, shim.build(own_spec(spec, published.encoder)))
    weights = published.state_dict()
    own = {name: name.replace(".base_layer.", ".") for name in module.state_dict()}
    found = {name: weights.pop(plain) for name, plain in own.items() if plain in weights}
    assert not weights, "every weight of the checkpoint has its place"
    module.load_state_dict(found, strict=False)  # LoRA's own weights are new
    return module, spec


def _spec(tokenizer: PieceTokenizer, network: GLiNERSettings, end_piece: str) -> Spec:
    """What, beside the encoder, the network and its prompts are built from."""
    return {
        "tokenizer": tokenizer.to_dict(),
        "network": asdict(network),
        "end": tokenizer.piece_id(end_piece),
    }


def fitting(model: MarkModel, labels: Sequence[str], *, task: str) -> list[bool]:
    """Of each label, whether it is short enough to be asked beside the task, as it is read."""
    tokenizer, markers = _prompt_pieces(model)
    return fitting_labels(
        labels, tokenizer, markers, task=task, max_pieces=model.attrs["max_pieces"]
    )


def _prompt_pieces(model: MarkModel) -> tuple[PieceTokenizer, Markers]:
    spec = torch_shim(model).spec
    tokenizer = PieceTokenizer.from_dict(spec["tokenizer"])
    return tokenizer, Markers(label=spec["network"]["marker"], end=spec["end"])


def _forward(
    model: MarkModel, items: Sequence[Prompted], is_train: bool, *, words: WordKind
) -> tuple[MarkedBatch, Callable[[Sequence[Tensor]], Sequence[Prompted]]]:
    """The marks of all windows, group by group.

    While predicting they are computed as they are asked for. While training all must wait for their
    gradients; where they are more than one group may hold, their activations are computed again
    instead of being kept.
    """
    shim, max_pieces = torch_shim(model), model.attrs["max_pieces"]
    tokenizer, markers = _prompt_pieces(model)
    layout = lay_out(items, tokenizer, markers, max_pieces=max_pieces, words=words)
    groups = list(group_prompted(layout.windows, max_pieces))
    inputs = partial(_inputs, pad_id=tokenizer.pad_id)
    if not is_train:
        bands = (MarkBand(group, shim.predict(inputs(group))) for group in tracked(groups))
        return MarkedBatch(layout, bands), lambda d_logits: items
    keep_nothing = padded_size(groups) > pieces_at_once(max_pieces)
    answers = [shim.begin_update(inputs(group), keep_nothing=keep_nothing) for group in groups]

    def backprop(d_logits: Sequence[Tensor]) -> Sequence[Prompted]:
        for (_, callback), gradient in zip(answers, d_logits, strict=True):
            callback(gradient)
        return items

    trained = [MarkBand(group, logits) for group, (logits, _) in zip(groups, answers, strict=True)]
    return MarkedBatch(layout, trained), backprop


def _inputs(group: list[PromptedWindow], pad_id: int) -> list[Tensor]:
    """input_ids, attention_mask, words_mask, text_lengths, the words to score and task_lengths, as
    `nn.gliner.GLiNER` has them."""
    ids = [torch.from_numpy(window.piece_ids) for window in group]
    words = [torch.from_numpy(window.piece_words) for window in group]
    return [
        pad_sequence(ids, batch_first=True, padding_value=pad_id),
        pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
        pad_sequence(words, batch_first=True),
        torch.tensor([window.n_words for window in group]),
        pad_sequence([torch.from_numpy(window.answered) for window in group], batch_first=True),
        torch.tensor([window.n_task_words for window in group]),
    ]
