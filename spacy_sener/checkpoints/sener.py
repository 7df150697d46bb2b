"""Checkpoints of the SeNER authors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig

from ..nn.bispa import sinusoidal_positions
from ..nn.encoder import ArrowEncoder, EncoderSettings
from ..nn.lora import LoRA
from ..nn.pretrained import load_config
from ..nn.sener import SeNER
from ..nn.span_table import SpanTable
from .files import State, check, listed, read_json, read_torch, rename
from .shapes import encoder_config as checked_config
from .shapes import wanted

WRAPPERS = ("module.", "base_model.model.")
"""Put before every name by what the authors train with: deepspeed, then peft."""

RENAMED = (
    (r"pretrain_model\.(.*)", r"encoder.model.\1"),
    (r"U", "table.biaffine.bilinear"),
    (r"W", "table.biaffine.affine"),
    (r"(head|tail)_mlp\.1\.(.*)", r"table.biaffine.\1.\2"),
    (r"down_fc\.(.*)", r"table.output.\1"),
    (r"cross_layers\.(\d+)\.pos_embed\.(.*)", r"table.blocks.\1.triangle.\2"),
    (r"cross_layers\.(\d+)\.h_qkv\.(.*)", r"table.blocks.\1.rows.qkv.\2"),
    (r"cross_layers\.(\d+)\.v_qkv\.(.*)", r"table.blocks.\1.columns.qkv.\2"),
    (r"cross_layers\.(\d+)\.embed_positions\.weight", r"table.blocks.\1.positions"),
    (r"cross_layers\.(\d+)\.dense\.(.*)", r"table.blocks.\1.dense.\2"),
    (r"cross_layers\.(\d+)\.LayerNorm\.(.*)", r"table.blocks.\1.attention_norm.\2"),
    (r"cross_layers\.(\d+)\.LayerNorm2\.(.*)", r"table.blocks.\1.conv_norm.\2"),
    (r"cross_layers\.(\d+)\.(conv[12])\.conv2d\.(.*)", r"table.blocks.\1.\2.\3"),
)
"""The authors' names, as patterns for the whole name, and ours."""

LORA_SCALE = 2
"""The authors' alpha divided by the rank."""
LOGN_MULTIPLE = 256
"""The authors' length for LogN scaling is that of the input padded to a multiple of this."""


def load_sener_checkpoint(
    path: str | Path,
    *,
    encoder_config: Mapping[str, Any] | PretrainedConfig | str | Path,
    labels: Sequence[str],
    span_window: int,
    piece_window: int = 128,
) -> SeNER:
    """Read a checkpoint of the SeNER authors, with the numerics of their code.

    The file holds weights alone. Sizes of the head are read from their shapes; low-rank adapters
    stay adapters, so that training can go on.

    path: the `.pth` file. encoder_config: Hugging Face config of the encoder: a config, its values
    (`deberta-v2` if they name no `model_type`), a JSON file of them, a folder that has one, or a
    name on the Hugging Face hub.
    labels: in the order of training. span_window: largest distance between the first and the last
    token of a span (the authors' `chunks_size`), in tokens. piece_window: of the encoder's
    attention, in pieces to either side.

    Returns the module in evaluation mode. Raises FileNotFoundError if the checkpoint or the config
    is not there, and ValueError, which lists what is wrong, if one is damaged, if a weight is left
    over, missing or of another shape, if the number of labels does not fit, or one is empty or
    there twice.
    """
    state, names = rename(_unwrap(_read(Path(path))), RENAMED)
    config = _config(encoder_config)
    _check_head(state, names, labels)

    def build() -> SeNER:
        return SeNER(_encoder(state, config, piece_window), _table(state, span_window))

    n_layers = {"num_hidden_layers": config.num_hidden_layers}
    shapes = wanted(build, n_layers=n_layers, n_weights=len(state), what="encoder_config")
    for name in [name for name in state if name.endswith(".positions")]:
        _check_positions(names[name], state.pop(name))
    check(state, shapes, names, against="encoder_config, labels and span_window")
    module = build()
    module.load_state_dict(state)
    return module.eval()


def _read(path: Path) -> State:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no checkpoint {path}: give the path of the authors' .pth file"
        )
    return read_torch(path)


def _unwrap(state: State) -> State:
    for wrapper in WRAPPERS:
        state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def _config(source: Mapping[str, Any] | PretrainedConfig | str | Path) -> PretrainedConfig:
    if isinstance(source, PretrainedConfig):
        return source
    if isinstance(source, (str, Path)) and not Path(source).is_file():
        return load_config(source)
    values = (
        dict(source) if isinstance(source, Mapping) else read_json(Path(source), "encoder_config")
    )
    return checked_config(values, "encoder_config")


def _encoder(state: State, config: PretrainedConfig, piece_window: int) -> ArrowEncoder:
    ranks = [len(value) for name, value in state.items() if ".lora_A." in name]
    lora = LoRA(rank=ranks[0], alpha=LORA_SCALE * ranks[0]) if ranks else None
    settings = EncoderSettings(piece_window=piece_window, logn_multiple=LOGN_MULTIPLE, lora=lora)
    return ArrowEncoder(config, settings)


def _check_positions(name: str, positions: Tensor) -> None:
    """Of rotary attention: no weight, and the same in every checkpoint, half precision aside."""
    shape = tuple(positions.shape)
    is_table = len(shape) == 2 and shape[1] % 2 == 0
    if not is_table or not torch.allclose(
        positions.float(), sinusoidal_positions(*shape).float(), atol=1e-2
    ):
        raise ValueError(f"{name}, of shape {shape}, is not the authors' table of sines")


def _check_head(state: State, names: Mapping[str, str], labels: Sequence[str]) -> None:
    needed = ("table.biaffine.head.weight", "table.biaffine.bilinear", "table.output.weight")
    if any(name not in state or not state[name].ndim for name in needed):
        raise ValueError(
            "This is no SeNER checkpoint: its head, with the weights U, W, head_mlp, tail_mlp and "
            f"down_fc, is not there. It has {listed(names.values())}"
        )
    n_labels = len(state["table.output.weight"])
    if len(labels) != n_labels:
        raise ValueError(
            f"The checkpoint has {n_labels} labels, but {len(labels)} are given: {list(labels)}. "
            "Name all of them, in the order of training"
        )
    if not all(label.strip() for label in labels):
        raise ValueError(f"One of the labels is empty: {list(labels)}. Name each")
    if twice := sorted(label for label, count in Counter(labels).items() if count > 1):
        raise ValueError(f"These labels are given twice: {twice}. Give each a name of its own")


def _table(state: State, span_window: int) -> SpanTable:
    hidden_size, input_size = state["table.biaffine.head.weight"].shape
    blocks = {name.split(".")[2] for name in state if name.startswith("table.blocks.")}
    return SpanTable(
        input_size,
        len(state["table.output.weight"]),
        span_window=span_window,
        hidden_size=hidden_size,
        span_size=len(state["table.biaffine.bilinear"]),
        depth=len(blocks),
        columns="released",
    )
