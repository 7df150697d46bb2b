"""GLiNER multi-task: labels are words of the prompt, and every word of the text is marked.

Stepanov and Shtopko, arXiv 2406.12925; the numerics are those of the authors' package, 0.2.29. One
encoder reads

    [CLS] <<ENT>> label <<ENT>> label ... <<SEP>> word word word ... [SEP]

in which a label may be of many words; its vector is that of the piece after its <<ENT>>, or, in
some checkpoints, of that itself (`label_after_marker`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .encoder import ArrowEncoder
from .prompt_scores import PromptScores

Pooling = Literal["first", "last", "mean", "max"]
"""Which of its pieces a word takes its vector from."""
MAX_LSTM_LAYERS = 100
"""What a hostile file asks for must not keep us busy for ever."""


@dataclass(frozen=True)
class GLiNERSettings:
    """What is around the encoder."""

    hidden_size: int
    """Width of words and labels; even if there is an LSTM."""
    marker: int
    """The piece that stands before each label, <<ENT>>."""
    pooling: Pooling = "first"
    label_after_marker: bool = False
    """A label's vector is that of the piece after its marker, not of the marker."""
    n_lstm_layers: int = 1
    """Of the LSTM over words; 0 for none."""
    dropout: float = 0.1
    """Of the scores' hidden vectors; the encoder has its own."""

    def __post_init__(self) -> None:
        if self.hidden_size < 1:
            raise ValueError(f"'hidden_size' must be at least 1, got {self.hidden_size}")
        if self.n_lstm_layers < 0:
            raise ValueError(f"'n_lstm_layers' must not be negative, got {self.n_lstm_layers}")
        if self.n_lstm_layers > MAX_LSTM_LAYERS:
            raise ValueError(
                f"'n_lstm_layers' must be at most {MAX_LSTM_LAYERS}, got {self.n_lstm_layers}"
            )
        if self.n_lstm_layers and self.hidden_size % 2:
            raise ValueError(
                f"'hidden_size' must be even, for an LSTM of two directions, got {self.hidden_size}"
            )
        if self.marker < 0:
            raise ValueError(f"'marker' must be the id of a piece, got {self.marker}")
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"'pooling' must be one of {get_args(Pooling)}, got {self.pooling!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"'dropout' must be in [0, 1), got {self.dropout}")


@dataclass(frozen=True)
class PromptedWords:
    """The words of some texts, and the labels that each text is asked for."""

    words: Tensor
    """(batch_size, n_words, hidden_size), zeros after the last word of a text."""
    labels: Tensor
    """(batch_size, n_labels, hidden_size), zeros after the last label of a text."""


class GLiNER(nn.Module):
    """Encoder, LSTM over words, and scores of words with labels."""

    def __init__(self, encoder: ArrowEncoder, settings: GLiNERSettings):
        super().__init__()
        size = settings.hidden_size
        self.encoder = encoder
        self.settings = settings
        self.projection = None
        if encoder.hidden_size != size:
            self.projection = nn.Linear(encoder.hidden_size, size)
        self.lstm = None
        if settings.n_lstm_layers:
            self.lstm = nn.LSTM(
                size,
                size // 2,
                num_layers=settings.n_lstm_layers,
                bidirectional=True,
                batch_first=True,
            )
        self.scores = PromptScores(size, dropout=settings.dropout)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        words_mask: Tensor,
        text_lengths: Tensor,
        scored: Tensor | None = None,
        task_lengths: Tensor | None = None,
        *,
        recompute: bool = False,
    ) -> Tensor:
        """Give the logits of all words with all labels of their texts.

        input_ids: (batch_size, n_pieces). attention_mask: 1 at real pieces, then 0 at padding,
        (batch_size, n_pieces). words_mask: 1-based word of each piece of the text, 0 for those of
        the prompt, special pieces and padding, (batch_size, n_pieces); pieces that do not count
        for the pooling may be 0 as well, but for the first of a text if attention is "arrow": the
        prompt ends before it, and texts need prompts of one length. text_lengths: words of each
        text, (batch_size,) or (batch_size, 1). scored: the only words of each text that are to be
        scored, counted from 0, (batch_size, n_words); any word stands for padding. task_lengths:
        first words of each text that put a task, such as a question, and are a part of the prompt
        for "arrow", (batch_size,); by default none. recompute: keep few activations for the
        backward pass, and compute the others again.
        Returns logits of start, end and inside, (batch_size, n_words, n_labels, 3), where the words
        are those of `scored`, else of the longest text, and the labels those of the longest
        prompt; cells beyond those of a text are finite and mean nothing.
        Raises ValueError if attention is "arrow" and prompts are of different lengths.
        """
        prompted = self.embed(
            input_ids, attention_mask, words_mask, text_lengths, task_lengths, recompute=recompute
        )
        words = prompted.words
        if scored is not None:
            words = words.take_along_dim(scored[..., None], dim=1)
        logits: Tensor = self.scores(words, prompted.labels, recompute=recompute)
        return logits

    def embed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        words_mask: Tensor,
        text_lengths: Tensor,
        task_lengths: Tensor | None = None,
        *,
        recompute: bool = False,
    ) -> PromptedWords:
        """Give the vectors of all words and labels, to be scored; arguments as in `forward`."""
        task_lengths = torch.zeros_like(text_lengths) if task_lengths is None else task_lengths
        of_text = words_mask > task_lengths.view(-1, 1)
        pieces = self._encode(input_ids, attention_mask, of_text, recompute=recompute)
        word_lengths = text_lengths.flatten().long()
        words = pool_words(pieces, words_mask, int(word_lengths.max()), self.settings.pooling)
        if self.lstm is not None:
            words = _read(self.lstm, words, word_lengths)
        # A marker that the text itself holds is a word of it, and asks for nothing.
        markers = (input_ids == self.settings.marker) & (words_mask == 0)
        labels = pick_labels(pieces, markers, after=self.settings.label_after_marker)
        return PromptedWords(words, labels)

    def _encode(
        self, input_ids: Tensor, attention_mask: Tensor, of_text: Tensor, *, recompute: bool
    ) -> Tensor:
        """Vectors of all pieces, (batch_size, n_pieces, hidden_size).

        What sees what is the encoder's: "full" attention is the authors'. In "arrow" the whole
        prompt is global: every piece sees the labels and the task, and these see every piece.
        of_text: True at pieces of words that are not of the task, (batch_size, n_pieces).
        """
        piece_lengths = attention_mask.sum(1)
        n_global = 1
        if self.encoder.settings.attention == "arrow":
            n_global = prompt_length(of_text, piece_lengths)
        pieces: Tensor = self.encoder(
            input_ids, piece_lengths, n_global=n_global, recompute=recompute
        )
        return pieces if self.projection is None else self.projection(pieces)


def prompt_length(of_text: Tensor, piece_lengths: Tensor) -> int:
    """Give the number of pieces before the text, [CLS] included, of a batch of texts.

    A text without words is a prompt and its [SEP], which does not count either.
    of_text: True at pieces of its words, (batch_size, n_pieces). piece_lengths: real pieces of each
    text, (batch_size,). Raises ValueError if texts have prompts of different lengths.
    """
    lengths = torch.where(of_text.any(1), of_text.int().argmax(1), piece_lengths - 1)
    found: list[int] = lengths.unique().tolist()
    if len(found) > 1:
        raise ValueError(
            f"'words_mask' has prompts of {', '.join(map(str, found))} pieces; with attention "
            "'arrow' the texts of a batch need prompts of one length: batch them by it"
        )
    return found[0]


def pool_words(pieces: Tensor, words_mask: Tensor, n_words: int, pooling: Pooling) -> Tensor:
    """Give each word the vector of its first or last piece, or the mean or maximum of all.

    pieces: (batch_size, n_pieces, hidden_size). words_mask: 1-based word of each piece or 0,
    (batch_size, n_pieces); the pieces of a word that are not 0 lie together.
    Returns (batch_size, n_words, hidden_size), zeros for words without a piece.
    """
    counts = (words_mask > 0) & (words_mask <= n_words)
    if pooling in ("first", "last"):
        counts &= words_mask != _beside(words_mask, -1 if pooling == "first" else 1)
    text, piece = counts.nonzero(as_tuple=True)
    word = text * n_words + words_mask[text, piece].long() - 1
    words = pieces.new_zeros(len(pieces) * n_words, pieces.shape[-1])
    if pooling in ("first", "last"):
        words = words.index_put((word,), pieces[text, piece])
    else:
        index = word[:, None].expand(-1, pieces.shape[-1])
        words = words.scatter_reduce(
            0,
            index,
            pieces[text, piece],
            "mean" if pooling == "mean" else "amax",
            include_self=False,
        )
    return words.unflatten(0, (len(pieces), n_words))


def _beside(words_mask: Tensor, step: int) -> Tensor:
    """The word of the piece before (-1) or after (1) each, 0 at the ends."""
    beside = torch.zeros_like(words_mask)
    if step < 0:
        beside[:, 1:] = words_mask[:, :-1]
    else:
        beside[:, :-1] = words_mask[:, 1:]
    return beside


def pick_labels(pieces: Tensor, markers: Tensor, *, after: bool) -> Tensor:
    """Give the vectors of the labels, which are those of their markers or of the pieces after.

    pieces: (batch_size, n_pieces, hidden_size). markers: (batch_size, n_pieces), True at markers.
    Returns (batch_size, n_labels, hidden_size) with as many labels as the longest prompt has, zeros
    where a text has fewer.
    """
    text, piece = markers.nonzero(as_tuple=True)
    label = markers.cumsum(1)[text, piece] - 1
    labels = pieces.new_zeros(len(pieces), int(markers.sum(1).max()), pieces.shape[-1])
    piece = (piece + int(after)).clamp(max=pieces.shape[1] - 1)
    return labels.index_put((text, label), pieces[text, piece])


def _read(lstm: nn.LSTM, words: Tensor, word_lengths: Tensor) -> Tensor:
    """Run an LSTM over the words of each text alone.

    words: (batch_size, n_words, hidden_size). Returns the same shape, zeros after the last word.
    """
    n_words = words.shape[1]
    if not n_words:
        return words
    # A text without words is read as one word, which is then put out again.
    packed = pack_padded_sequence(
        words.to(next(lstm.parameters()).dtype),
        word_lengths.cpu().clamp(min=1),
        batch_first=True,
        enforce_sorted=False,
    )
    # In full precision: autocast has cuDNN's LSTM in float16, whatever it is told, and nothing here
    # scales the loss so that small gradients stay.
    with torch.autocast(words.device.type, enabled=False):
        output = lstm(packed)[0]
    read, _ = pad_packed_sequence(output, batch_first=True, total_length=n_words)
    return read * (word_lengths > 0)[:, None, None]
