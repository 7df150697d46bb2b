"""GLiNER as one thinc model: documents with their prompts to marks of words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, cast

import torch
from thinc.api import Model
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .checkpoints import load_gliner_checkpoint, read_gliner_config
from .encoders import build_encoder, own_spec
from .marks import MarkBand
from .nn.encoder import EncoderSettings
from .nn.gliner import GLiNER, GLiNERSettings
from .nn.position_table import tile_positions
from .pieces import PieceTokenizer
from .prompted import Layout, Markers, Prompted, PromptedWindow, group_prompted, lay_out
from .shim import Spec, TorchShim, torch_shim
from .words import WordKind

MAX_PIECES = 2048


@dataclass(frozen=True)
class Answer:
    """What the model gives: windows, and their marks as they are asked for, or all in training."""

    layout: Layout
    bands: Iterable[MarkBand]


@dataclass(frozen=True)
class GLiNERSource:
    """Where a network comes from."""

    checkpoint: str


N_MARKS = 3  # start, end, inside
MarkModel = Model[Sequence[Prompted], Any]


def build_gliner_v1(
    encoder: EncoderSettings,
    words: WordKind = "gliner",
    mixed_precision: bool = False,
    recompute: bool = False,
) -> MarkModel:
    """Registered as `spacy-sener.GLiNER.v1`."""
    shim = TorchShim(
        partial(_build, settings=encoder),
        encoder_prefix="encoder.",
        mixed_precision=mixed_precision,
        recompute=recompute,
    )
    return Model(
        "gliner",
        _forward,
        init=_init,
        dims={"nO": None},
        attrs={"max_pieces": MAX_PIECES, "words": words},
        shims=[shim],
    )


def _init(model: MarkModel, X: object = None, Y: GLiNERSource | None = None) -> None:  # noqa: N803 (thinc's name)
    assert Y is not None, "the component knows the source"
    shim = torch_shim(model)
    module, spec = _load(shim, Y.checkpoint, model.attrs["max_pieces"])
    shim.set_module(module, spec)
    model.set_dim("nO", N_MARKS)


def _load(shim: TorchShim, folder: str, max_pieces: int) -> tuple[GLiNER, Spec]:
    """The network of a checkpoint."""
    loaded, config = load_gliner_checkpoint(folder), read_gliner_config(folder)
    tokenizer = PieceTokenizer.from_pretrained(folder)
    tile_positions(loaded.encoder.model, max_pieces)
    spec = {
        "tokenizer": tokenizer.to_dict(),
        "network": asdict(loaded.settings),
        "end": tokenizer.piece_id(config.end_token),
    }
    spec = own_spec(spec, loaded.encoder)
    module = cast(GLiNER, shim.build(spec))
    module.load_state_dict(loaded.state_dict())
    return module, spec


def _build(spec: Spec, *, settings: EncoderSettings) -> GLiNER:
    return GLiNER(build_encoder(spec, settings), GLiNERSettings(**spec["network"]))


def _forward(
    model: MarkModel, items: Sequence[Prompted], is_train: bool
) -> tuple[Answer, Callable[[Sequence[Tensor]], Sequence[Prompted]]]:
    shim, max_pieces = torch_shim(model), model.attrs["max_pieces"]
    tokenizer = PieceTokenizer.from_dict(shim.spec["tokenizer"])
    markers = Markers(label=shim.spec["network"]["marker"], end=shim.spec["end"])
    layout = lay_out(items, tokenizer, markers, max_pieces=max_pieces, words=model.attrs["words"])
    groups = list(group_prompted(layout.windows, max_pieces))
    if not is_train:
        return Answer(layout, _stream(shim, groups, tokenizer.pad_id)), lambda d_logits: items
    raise NotImplementedError


def _stream(shim: TorchShim, groups: list[list[PromptedWindow]], pad_id: int) -> Iterator[MarkBand]:
    for group in groups:
        yield MarkBand(group, shim.predict(_inputs(group, pad_id)))


def _inputs(group: list[PromptedWindow], pad_id: int) -> list[Tensor]:
    """input_ids, attention_mask, words_mask and text_lengths, as `nn.gliner.GLiNER` has them."""
    ids = [torch.from_numpy(window.piece_ids) for window in group]
    words = [torch.from_numpy(window.piece_words) for window in group]
    return [
        pad_sequence(ids, batch_first=True, padding_value=pad_id),
        pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
        pad_sequence(words, batch_first=True),
        torch.tensor([window.n_words for window in group]),
    ]
