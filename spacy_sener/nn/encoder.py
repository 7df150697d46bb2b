"""A pretrained Hugging Face encoder with its self-attention replaced by arrow attention."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from .attention_pattern import AttentionKind, AttentionPattern, attention_pattern
from .families import Inputs, family_of
from .layers import keep_freed_memory
from .lora import LoRA, add_lora
from .modernbert_config import adapt_modernbert
from .position_table import enlarge_config, position_capacity, tile_positions
from .pretrained import build_model, load_config, load_model

DEFAULT_LORA = LoRA()


@dataclass(frozen=True)
class EncoderSettings:
    """How an encoder attends, and what of it is trained."""

    attention: AttentionKind = "arrow"
    """"arrow"; "sliding" without global pieces; "full" (the paper's ablations)."""
    piece_window: int = 128
    """One-sided, inclusive, in pieces: |q - j| <= piece_window."""
    logn: bool = True
    """Scale the scores of global pieces by ln(N) / ln(512); never in "sliding"."""
    logn_multiple: int = 1
    """N is the document's own piece count rounded up to a multiple of this. The authors'
    checkpoints were trained with 256."""
    lora: LoRA | None = DEFAULT_LORA
    """None trains the whole encoder."""
    dropout: float | None = None
    """In place of the config's dropout rates, of hidden states and attention alike; None keeps
    them."""

    def __post_init__(self) -> None:
        kinds = get_args(AttentionKind)
        if self.attention not in kinds:
            raise ValueError(f"'attention' must be one of {kinds}, got {self.attention!r}")
        if self.piece_window < 1:
            raise ValueError(f"'piece_window' must be at least 1, got {self.piece_window}")
        if self.logn_multiple < 1:
            raise ValueError(f"'logn_multiple' must be at least 1, got {self.logn_multiple}")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"'dropout' must be in [0, 1) or none, got {self.dropout}")


class ArrowEncoder(nn.Module):
    """An encoder of any family in `families.FAMILIES`, in time and memory linear in the text.

    With a window as wide as the text and `logn` off it computes what the stock encoder does.
    `config` and the state dict are enough to build it again: `ArrowEncoder(config, settings)`,
    then `load_state_dict`. Parameters keep the names of the stock encoder, after "model.".

    Attributes:
        model: the stock model, its self-attention modules replaced. Its own `forward` is not used.
        config: the model's config, in which `max_position_embeddings` is what the table holds.
        hidden_size: width of the vectors.
    """

    model: PreTrainedModel
    config: PretrainedConfig
    hidden_size: int

    def __init__(
        self, config: PretrainedConfig, settings: EncoderSettings, *, max_pieces: int | None = None
    ):
        """Build with random weights.

        Args:
            config: of the Hugging Face encoder; a copy is taken.
            settings: LoRA is added if they ask for it.
            max_pieces: most pieces of a document. An absolute position table is made long enough.

        Raises:
            ValueError: the config's family is not supported.
        """
        super().__init__()
        config = _own_config(config, settings)
        enlarge_config(config, max_pieces)
        self._adopt(build_model(config), settings)

    @classmethod
    def from_pretrained(
        cls, source: str | Path, settings: EncoderSettings, *, max_pieces: int | None = None
    ) -> "ArrowEncoder":
        """Load pretrained weights; see `pretrained.load_model`. Eval mode.

        Args:
            source: a folder, or a name on the Hugging Face hub.
            settings: LoRA is added if they ask for it.
            max_pieces: most pieces of a document. An absolute position table that is shorter is
                copied end to end, as Longformer did.

        Raises:
            FileNotFoundError: no such folder or name, or no config or weights in it.
            ValueError: they can't be read, don't fit, or are of a family that is not supported.
        """
        config = _own_config(load_config(source), settings)
        model = load_model(source, config)
        tile_positions(model, max_pieces)
        encoder = cls.__new__(cls)
        nn.Module.__init__(encoder)
        encoder._adopt(model, settings)
        return encoder.eval()

    def _adopt(self, model: PreTrainedModel, settings: EncoderSettings) -> None:
        """Replace the model's attention and add LoRA."""
        keep_freed_memory()
        family = family_of(model.config)
        family.install(model)
        if settings.lora is not None:
            add_lora(model, settings.lora, family.lora_targets)
        self.model = model
        self.config = model.config
        self.settings = settings
        self.hidden_size = model.config.hidden_size

    def forward(
        self,
        input_ids: Tensor,
        piece_lengths: Tensor,
        *,
        n_global: int = 1,
        recompute: bool = False,
    ) -> Tensor:
        """Encode a batch.

        Args:
            input_ids: (batch, pieces) int64; [CLS] first, [SEP] last, then padding.
            piece_lengths: (batch,) pieces of each document, [CLS] and [SEP] included.
            n_global: pieces at the front of every document that see, and are seen by, all: [CLS],
                and a prompt if there is one. They are those whose scores `logn` scales. "sliding"
                has none, and in "full" they differ from others only in this scaling.
            recompute: keep only the input of each layer for the backward pass, which then takes
                longer by one forward pass. Without gradients it means nothing: layers then run by
                rows, and would draw other dropout.

        Returns:
            (batch, pieces, hidden_size); rows of padding are finite and mean nothing.

        Raises:
            ValueError: more pieces than the position table holds; `n_global` below 1.
        """
        if n_global < 1:
            raise ValueError(f"'n_global' must be at least 1, for [CLS] is global, got {n_global}")
        n_pieces = input_ids.shape[1]
        self._check_length(n_pieces)
        position = torch.arange(n_pieces, device=input_ids.device)
        inputs = Inputs(
            input_ids=input_ids,
            mask=(position < piece_lengths[:, None]).long(),
            pattern=self._pattern(piece_lengths, n_pieces, n_global),
            local_pattern=self._local_pattern(piece_lengths, n_pieces),
            recompute=recompute,
        )
        return family_of(self.config).encode(self.model, inputs)

    def _check_length(self, n_pieces: int) -> None:
        capacity = position_capacity(self.config)
        if capacity is not None and n_pieces > capacity:
            raise ValueError(
                f"'input_ids' has {n_pieces} pieces but the encoder's position table holds "
                f"{capacity}: build the encoder with max_pieces={n_pieces} or more"
            )

    def _pattern(self, piece_lengths: Tensor, n_pieces: int, n_global: int) -> AttentionPattern:
        return attention_pattern(
            piece_lengths,
            n_pieces,
            attention=self.settings.attention,
            window=self.settings.piece_window,
            n_global=n_global,
            logn=self.settings.logn,
            logn_multiple=self.settings.logn_multiple,
        )

    def _local_pattern(self, piece_lengths: Tensor, n_pieces: int) -> AttentionPattern | None:
        """Of the layers that are local in the stock encoder: ModernBERT's."""
        if self.config.model_type != "modernbert":
            return None
        window = self.config.local_attention // 2
        if self.settings.attention != "full":
            window = min(window, self.settings.piece_window)
        return attention_pattern(piece_lengths, n_pieces, attention="sliding", window=window)


def _own_config(config: PretrainedConfig, settings: EncoderSettings) -> PretrainedConfig:
    """A copy with the settings' dropout, which all versions of transformers read alike."""
    dropouts = family_of(config).dropouts
    config = copy.deepcopy(config)
    if config.model_type == "modernbert":
        adapt_modernbert(config)
    if settings.dropout is not None:
        rates: dict[str, Any] = dict.fromkeys(dropouts, settings.dropout)
        config.update(rates)
    return config
