"""Registered builders: a config block to one thinc model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import Model
from thinc.types import Floats2d
from thinc.util import torch2xp, xp2torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .encoders import build_encoder, encoder_spec, own_spec
from .listeners import require_vectors
from .nn.attention_pattern import AttentionKind
from .nn.bispa import Columns
from .nn.encoder import EncoderSettings
from .nn.lora import LoRA
from .nn.scoring import Average, ScoredRows
from .nn.sener import SeNER
from .nn.span_table import SpanTable
from .nn.word_masking import WordMasking
from .pieces import PieceTokenizer
from .progress import tracked
from .shim import Spec, TorchShim, torch_shim
from .types import Initialization, SpanBand, SpanPairs, SpanRows, Window
from .windows import MAX_PIECES, group_windows, make_windows, padded_size

# In training it gives SpanBands, and takes the gradients of their logits, and of their evidence
# if there is any. In prediction, where nobody needs a whole band, it gives SpanRows and SpanPairs.
SpanModel = Model[Sequence[Doc], Any]
Tok2Vec = Model[list[Doc], list[Floats2d]]
# What a SpanModel gives, and the callback that takes the gradients of the logits.
Answer = tuple[Iterable[Any], Callable[[Sequence[Any]], Sequence[Doc]]]


def build_arrow_encoder_v1(
    attention: AttentionKind = "arrow",
    piece_window: int = 128,
    logn: bool = True,
    logn_multiple: int = 1,
    lora: dict[str, int] | None = {"rank": 8, "alpha": 16},  # noqa: B006 (thinc fills configs from it)
    dropout: float | None = None,
) -> EncoderSettings:
    """Registered as `spacy-sener.ArrowEncoder.v1`: how the encoder of a `SeNER.v1` attends.

    attention: "arrow", or "sliding" or "full" for comparison. piece_window: how far a piece sees to
    either side, in pieces. logn: scale the scores of [CLS] by ln(N) / ln(512); `logn_multiple`
    rounds N up, as the published checkpoints want it. lora: rank and alpha, or null to train the
    whole encoder. dropout: in the encoder; null keeps its own.
    """
    unknown = set(lora or {}) - {"rank", "alpha"}
    if unknown:
        raise ValueError(f"lora knows only 'rank' and 'alpha', not {sorted(unknown)}.")
    return EncoderSettings(
        attention=attention,
        piece_window=piece_window,
        logn=logn,
        logn_multiple=logn_multiple,
        lora=None if lora is None else LoRA(**lora),
        dropout=dropout,
    )


def build_sener_v1(
    encoder: EncoderSettings,
    span_window: int = 128,
    hidden_size: int = 100,
    span_size: int = 32,
    depth: int = 2,
    columns: Columns = "paper",
    average: Average = "logits",
    token_dropout: float = 0.1,
    span_dropout: float = 0.0,
    masking: float = 0.0,
    mixed_precision: bool = False,
    recompute: bool = False,
    save_encoder: bool = True,
    boundaries: bool = True,
    reach: int = 512,
    encoder_rate: float = 0.1,
) -> SpanModel:
    """Registered as `spacy-sener.SeNER.v1`: encoder, BiSPA span table and scores in one network.

    The defaults are for a small encoder and spaCy's default optimizer.

    span_window: largest distance between the ends of a span in the table, in tokens. hidden_size,
    span_size: widths of a token as an end of a span, and of a span. depth: BiSPA blocks.
    token_dropout, span_dropout: of the vectors of tokens, and of those of spans. columns:
    "paper", or "released" for published checkpoints. average: what is averaged over the two
    triangles.
    masking: share of the tokens hidden in training. mixed_precision: compute in bfloat16.
    recompute: train in much less memory and a little more time: of a layer only the input is kept,
    and the rest is computed again for the gradient.
    save_encoder: false leaves frozen weights out of a saved pipeline, which then needs the encoder
    it was trained from.
    boundaries: learn beside the table which tokens begin and end spans, and add it to the scores;
    false is the model of the paper. reach: largest distance between the ends of spans that are
    longer than span_window, in tokens; `boundaries` scores them. 0: there are none.
    encoder_rate: where the whole encoder is trained (lora is null), the share of the optimizer's
    rate at which it is. It is for optimizers that have one rate, as spaCy's: `AdamW.v1` has its own
    for the encoder. With any other than 1, `nlp.rehearse` with such an optimizer leaves the encoder
    as it is. Raises ValueError where that is no share.
    """
    table = {
        "span_window": span_window,
        "hidden_size": hidden_size,
        "span_size": span_size,
        "depth": depth,
        "columns": columns,
        "token_dropout": token_dropout,
        "span_dropout": span_dropout,
        "boundaries": boundaries,
        "reach": reach,
    }
    shim = TorchShim(
        partial(_build_sener, settings=encoder, table=table, masking=masking),
        encoder_prefix="encoder.",
        # LoRA's weights are as new as the head's.
        encoder_rate=encoder_rate if encoder.lora is None else 1.0,
        mixed_precision=mixed_precision,
        recompute=recompute,
        save_frozen=save_encoder,
    )
    return span_model(
        "sener", forward_sener, init_sener, shim, span_window, reach=reach, average=average
    )


def build_span_table_v1(
    tok2vec: Tok2Vec,
    span_window: int = 128,
    hidden_size: int = 100,
    span_size: int = 32,
    depth: int = 2,
    average: Average = "logits",
    token_dropout: float = 0.2,
    span_dropout: float = 0.1,
    mixed_precision: bool = False,
    recompute: bool = False,
    boundaries: bool = True,
    reach: int = 0,
) -> SpanModel:
    """Registered as `spacy-sener.SpanTable.v1`: the span table over any tok2vec, or a listener.

    `tok2vec` sees whole documents; the table is then laid over windows of them. The other settings
    are those of `SeNER.v1`.
    """
    table = {
        "span_window": span_window,
        "hidden_size": hidden_size,
        "span_size": span_size,
        "depth": depth,
        "token_dropout": token_dropout,
        "span_dropout": span_dropout,
        "boundaries": boundaries,
        "reach": reach,
    }
    shim = TorchShim(
        partial(_build_table, table=table), mixed_precision=mixed_precision, recompute=recompute
    )
    return span_model(
        "span_table",
        _forward_span_table,
        _init_span_table,
        shim,
        span_window,
        reach=reach,
        average=average,
        layers={"tok2vec": tok2vec},
    )


def span_model(
    name: str,
    forward: Callable[..., Any],
    init: Callable[..., None],
    shim: TorchShim,
    span_window: int,
    *,
    reach: int,
    average: Average,
    layers: dict[str, Tok2Vec] | None = None,
) -> SpanModel:
    """The thinc model around a span table. layers: below it, by the names they are called by.

    forward, init: `forward_sener` and `init_sener` where the shim's module is an nn.sener.SeNER.
    """
    layers = layers or {}
    return Model(
        name,
        forward,
        init=init,
        dims={"nO": None},
        attrs={
            "max_pieces": MAX_PIECES,
            "span_window": span_window,
            "reach": max(span_window, reach),
            "average": average,
        },
        layers=list(layers.values()),
        refs=dict(layers),
        shims=[shim],
    )


def _build_sener(
    spec: Spec, *, settings: EncoderSettings, table: dict[str, Any], masking: float
) -> SeNER:
    encoder = build_encoder(spec, settings)
    words = None
    if masking:
        tokenizer = PieceTokenizer.from_dict(spec["tokenizer"])
        words = WordMasking(
            mask_id=tokenizer.mask_id,
            vocab_size=encoder.config.vocab_size,
            special_ids=tokenizer.special_ids,
            rate=masking,
        )
    span_table = SpanTable(encoder.hidden_size, spec["n_labels"], **table)
    return SeNER(encoder, span_table, masking=words)


def init_sener(model: SpanModel, X: object = None, Y: Initialization | None = None) -> None:  # noqa: N803 (thinc's name)
    assert Y is not None, "the component knows the labels and the encoder"
    shim = torch_shim(model)
    spec = encoder_spec(Y.encoder, model.attrs["max_pieces"])
    spec["n_labels"] = Y.n_labels
    module = cast(SeNER, shim.build(spec))
    module.table.set_prior(torch.as_tensor(Y.prior), torch.as_tensor(Y.mark_prior))
    shim.set_module(module, own_spec(spec, module.encoder) if shim.save_frozen else spec)
    model.set_dim("nO", Y.n_labels)


def forward_sener(model: SpanModel, docs: Sequence[Doc], is_train: bool) -> Answer:
    tokenizer = PieceTokenizer.from_dict(torch_shim(model).spec["tokenizer"])

    def inputs(windows: list[Window]) -> list[Tensor]:
        ids = [torch.from_numpy(window.piece_ids) for window in windows]
        rows = [torch.from_numpy(window.piece_rows) for window in windows]
        return [
            pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_id),
            torch.tensor([window.size for window in windows]),
            pad_sequence(rows, batch_first=True),
        ]

    bands, backprops = _run(model, docs, tokenizer, inputs, is_train)

    def backprop(d_logits: Sequence[Any]) -> Sequence[Doc]:
        for callback, gradient in zip(backprops, d_logits, strict=True):
            callback(gradient)
        return docs

    return bands, backprop


def _build_table(spec: Spec, *, table: dict[str, Any]) -> SpanTable:
    return SpanTable(spec["input_size"], spec["n_labels"], **table)


def _init_span_table(
    model: SpanModel,
    X: list[Doc] | None = None,  # noqa: N803 (thinc's name)
    Y: Initialization | None = None,  # noqa: N803 (thinc's name)
) -> None:
    assert Y is not None, "the component knows the labels"
    tok2vec = model.get_ref("tok2vec")
    tok2vec.initialize(X=X)
    shim = torch_shim(model)
    spec = {"input_size": _width(tok2vec), "n_labels": Y.n_labels}
    module = cast(SpanTable, shim.build(spec))
    module.set_prior(torch.as_tensor(Y.prior), torch.as_tensor(Y.mark_prior))
    shim.set_module(module, spec)
    model.set_dim("nO", Y.n_labels)


def _width(tok2vec: Tok2Vec) -> int:
    """Of its vectors. A listener to a transformer does not know it, but gives such vectors."""
    if tok2vec.has_dim("nO"):
        return tok2vec.get_dim("nO")
    return tok2vec.predict([Doc(Vocab(), words=["a"])])[0].shape[1]


def _forward_span_table(model: SpanModel, docs: Sequence[Doc], is_train: bool) -> Answer:
    if not any(len(doc) for doc in docs):  # no listener to a transformer can answer these
        return [], lambda d_logits: docs
    tok2vec, shim = model.get_ref("tok2vec"), torch_shim(model)
    if not is_train:
        require_vectors(tok2vec, docs)
    vectors, backprop_tok2vec = tok2vec(list(docs), is_train)

    def inputs(windows: list[Window]) -> list[Tensor]:
        tokens = [
            xp2torch(vectors[window.doc], device=shim.device)[window.tokens] for window in windows
        ]
        padded = pad_sequence(tokens, batch_first=True).requires_grad_(is_train)
        return [padded, torch.tensor([len(window.tokens) for window in windows])]

    bands, backprops = _run(model, docs, None, inputs, is_train)

    def backprop(d_logits: Sequence[Any]) -> Sequence[Doc]:
        d_vectors: list[Any] = [model.ops.alloc2f(*each.shape) for each in vectors]
        for band, callback, gradient in zip(bands, backprops, d_logits, strict=True):
            d_tokens: Any = torch2xp(cast(Tensor, callback(gradient)[0]))
            for window, d_window in zip(band.windows, d_tokens, strict=True):
                d_vectors[window.doc][window.tokens] += d_window[: len(window.tokens)]
        backprop_tok2vec(d_vectors)
        return docs

    return bands, backprop


def _run(
    model: SpanModel,
    docs: Sequence[Doc],
    tokenizer: PieceTokenizer | None,
    inputs: Callable[[list[Window]], list[Tensor]],
    is_train: bool,
) -> tuple[Iterable[Any], list[Callable[[Any], list[Tensor | None]]]]:
    """The span tables of all windows, group by group; see `SpanModel`.

    While predicting they are computed as they are asked for, some rows at a time. While training
    all must wait for their gradients; where they are more than one group may hold, their
    activations are computed again instead of being kept.
    """
    shim, max_pieces = torch_shim(model), model.attrs["max_pieces"]
    span_window, reach = model.attrs["span_window"], model.attrs["reach"]
    windows = make_windows(
        docs, tokenizer, max_pieces=max_pieces, span_window=reach, overlap=reach + span_window
    )
    groups = list(group_windows(windows, max_pieces))
    if not is_train:
        return _stream(model, groups, inputs), []
    bands, backprops = [], []
    keep_nothing = padded_size(groups) > max_pieces
    for group in groups:
        answer, backprop = shim.begin_update(inputs(group), keep_nothing=keep_nothing)
        logits, evidence = answer if isinstance(answer, tuple) else (answer, None)
        lengths = torch.tensor([len(window.tokens) for window in group], device=logits.device)
        bands.append(SpanBand(group, logits, lengths, reach, evidence))
        backprops.append(backprop)
    return bands, backprops


def _stream(
    model: SpanModel, groups: list[list[Window]], inputs: Callable[[list[Window]], list[Tensor]]
) -> Iterator[SpanRows | SpanPairs]:
    for group in tracked(groups):
        for part in torch_shim(model).stream(inputs(group), average=model.attrs["average"]):
            if isinstance(part, ScoredRows):
                yield SpanRows(group[part.texts], part.first_row, part.scores)
            else:
                spans = part.starts, part.ends, part.labels, part.scores
                yield SpanPairs(group[part.text], *spans)
