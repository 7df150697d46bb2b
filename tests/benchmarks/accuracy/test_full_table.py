"""CNN-NER and UTC-IE compute what their equations say, and learn in a pipeline of ours."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, load_model_from_config
from torch import Tensor, nn

from benchmarks.accuracy import full_table
from benchmarks.accuracy.full_table import FullTable, diagonals
from benchmarks.accuracy.full_table_layers import (
    LONGEST,
    Biaffine,
    ConvBlock,
    MultiHeadBiaffine,
    Plusformer,
)
from spacy_sener.nn.band import valid_cells
from spacy_sener.nn.scoring import span_scores
from spacy_sener.nn.span_table import SpanTable
from spacy_sener.optimizers import build_adamw_v1

CONFIGS = Path(full_table.__file__).parent / "configs"
SIZES = {"span_size": 4, "n_labels": 3}
LENGTHS = torch.tensor([9, 4])


def cnn_ner(span_window: int = 100) -> FullTable:
    pairs = MultiHeadBiaffine(5, 6, 4, num_heads=2, dropout=0.3)
    return FullTable(pairs, [ConvBlock(4), ConvBlock(4)], **SIZES, span_window=span_window)


def utc_ie(span_window: int = 100) -> FullTable:
    pairs = Biaffine(5, 6, 4, dropout=0.3)
    blocks = [Plusformer(4, dropout=0.3), Plusformer(4, dropout=0.3)]
    return FullTable(pairs, blocks, **SIZES, span_window=span_window)


def seeded(tensor_of: nn.Module) -> nn.Module:
    """The module in double precision and evaluation mode, with weights that matter."""
    torch.manual_seed(0)
    for p in tensor_of.parameters():
        nn.init.normal_(p, std=0.5)
    return tensor_of.double().eval()


def texts() -> Tensor:
    """Two texts of `LENGTHS` tokens, and padding."""
    return torch.randn(2, 9, 5, dtype=torch.double, generator=torch.manual_seed(1))


both = pytest.mark.parametrize("build", [cnn_ner, utc_ie])


@pytest.mark.parametrize(("left", "right"), [(5, 5), (2, 2), (0, 3), (0, 9)])
def test_diagonals(left: int, right: int) -> None:
    table = torch.randn(6, 6, 2)
    band = diagonals(table, left, right)
    assert band.shape == (6, left + 1 + right, 2)
    for i in range(6):
        for c in range(left + 1 + right):
            j = i + c - left
            expected = table[i, j] if 0 <= j < 6 else torch.zeros(2)
            assert band[i, c].equal(expected)


def test_pairs_of_cnn_ner() -> None:
    pairs = seeded(MultiHeadBiaffine(5, 6, 4, num_heads=2, dropout=0.3))
    tokens = torch.randn(LONGEST + 5, 5, dtype=torch.double)
    heads, tails = F.leaky_relu(pairs.head(tokens)), F.leaky_relu(pairs.tail(tokens))
    table = pairs(tokens)
    for i, j in [(0, 0), (1, 3), (3, 1), (2, LONGEST + 4)]:
        bilinear = [
            heads[i, k * 3 : k * 3 + 3] @ pairs.bilinear[k, :, d] @ tails[j, k * 3 : k * 3 + 3]
            for k in range(2)
            for d in range(2)
        ]
        expected = torch.stack(bilinear) + pairs.from_head(heads[i]) + pairs.from_tail(tails[j])
        expected = expected + pairs.length.weight[min(abs(i - j), LONGEST)]
        torch.testing.assert_close(table[i, j], expected)


def test_a_convolution_of_cnn_ner() -> None:
    block = seeded(ConvBlock(4))
    table = torch.randn(5, 5, 4, dtype=torch.double)
    padded = F.pad(table, (0, 0, 1, 1, 1, 1))
    for i, j in [(0, 0), (2, 3), (4, 0)]:
        neighbours = padded[i : i + 3, j : j + 3]
        summed = torch.einsum("oiab,abi->o", block.conv.weight, neighbours)
        expected = F.gelu(block.norm(summed + table[i, j]))
        torch.testing.assert_close(block(table)[i, j], expected)


@pytest.mark.parametrize("normalized", [False, True])
def test_pairs_of_utc_ie(normalized: bool) -> None:
    pairs = seeded(Biaffine(5, 6, 4, dropout=0.3, normalized=normalized))
    tokens = torch.randn(7, 5, dtype=torch.double)
    one = torch.ones(7, 1, dtype=torch.double)
    heads = torch.cat([F.gelu(pairs.head(tokens)), one], dim=1)
    tails = torch.cat([F.gelu(pairs.tail(tokens)), one], dim=1)
    table = pairs(tokens)
    for i, j in [(0, 0), (1, 3), (6, 2)]:
        bilinear = torch.stack([heads[i] @ pairs.bilinear[o] @ tails[j] for o in range(4)])
        affine = pairs.affine @ torch.cat([heads[i], tails[j]])
        if normalized:
            bilinear = F.layer_norm(bilinear, (4,), *pairs.bilinear_norm.parameters())
            affine = F.layer_norm(affine, (4,), *pairs.affine_norm.parameters())
        torch.testing.assert_close(table[i, j], bilinear + affine)


def sheared(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Two kernels that are one, in our band and in the full table.

    Ours is over (row, distance): a step down a row goes down a column, too. So seven of its nine
    places are in the square around a cell; the two others get zeros, and two corners there.
    """
    ours, full = torch.zeros_like(kernel), torch.zeros_like(kernel)
    for row in range(-1, 2):
        for column in range(-1, 2):
            distance = column - row
            if abs(distance) <= 1:
                weights = kernel[:, :, row + 1, column + 1]
                full[:, :, row + 1, column + 1] = weights
                ours[:, :, row + 1, distance + 1] = weights
    return ours, full


def test_utc_ie_is_our_table_with_a_window_as_wide_as_the_text() -> None:
    peer = seeded(utc_ie())
    ours = SpanTable(5, 3, span_window=100, hidden_size=6, span_size=4, depth=2)
    weights, own_weights = peer.state_dict(), {}
    for name, tensor in weights.items():
        own_weights[name] = tensor
        if ".conv" in name and tensor.ndim == 4:
            own_weights[name], weights[name] = sheared(tensor)
    peer.load_state_dict(weights)
    ours.double().eval().load_state_dict(own_weights)
    expected = ours(texts(), LENGTHS)[:, :, 100 - 8 : 100 + 9]
    torch.testing.assert_close(peer(texts(), LENGTHS), expected, atol=1e-5, rtol=1e-5)


@both
@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("span_window", [2, 100])
def test_streamed_scores_are_those_of_the_logits(build, average: str, span_window: int) -> None:
    table = seeded(build(span_window))
    logits = table(texts(), LENGTHS)
    window = logits.shape[2] // 2
    assert window == min(span_window, 8)
    expected = span_scores(logits, None, valid_cells(LENGTHS, 9, window), average=average)
    for rows in table.stream(texts(), LENGTHS, average=average):
        _, n_rows, n_distances, _ = rows.scores.shape
        assert (rows.first_row, n_rows) == (0, LENGTHS[rows.texts])
        torch.testing.assert_close(
            rows.scores.float(), expected[rows.texts, :n_rows, :n_distances], atol=1e-6, rtol=0
        )


@both
def test_a_text_is_scored_alike_alone_and_beside_a_longer_one(build) -> None:
    table = seeded(build())
    alone = table(texts()[1:, :4], LENGTHS[1:])
    together = table(texts(), LENGTHS)[1:]
    torch.testing.assert_close(together[:, :4, 5:12], alone)
    assert not together[:, 4:].any()


@both
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients(build, recompute: bool) -> None:
    table = seeded(build(span_window=2))
    tokens = texts()[:, :4].requires_grad_()
    lengths = torch.tensor([4, 3])

    def logits(*inputs: Tensor) -> Tensor:
        return table(inputs[0], lengths, recompute=recompute)

    torch.autograd.gradcheck(logits, (tokens, *table.parameters()), fast_mode=True)


@both
def test_it_starts_at_the_prior(build) -> None:
    table = build()
    table.set_prior(torch.tensor([0.5, 0.01, 0.001]), torch.full((3, 3), 0.1))
    torch.testing.assert_close(table.output.bias.sigmoid(), torch.tensor([0.5, 0.01, 0.001]))


def test_heads_must_divide_the_sizes() -> None:
    with pytest.raises(ValueError, match="multiples of num_heads"):
        MultiHeadBiaffine(5, 6, 4, num_heads=4, dropout=0.0)


TEXTS = [
    ("Anna Keller is a professor at the University of Zurich .", [(0, 2, "PER"), (6, 10, "ORG")]),
    ("She worked in Berlin from 2010 until 2014 .", [(1, 8, "JOB"), (3, 4, "PLACE")]),
    (
        "The library was founded in London . Her PhD is from Stanford University in 2009 . He was "
        "a fellow of the Royal Society and the director of the national library since then .",
        [(5, 6, "PLACE"), (8, 13, "DEGREE"), (11, 13, "ORG"), (19, 24, "AWARD"), (22, 24, "ORG")],
    ),
]


def examples(nlp: Language) -> list[Example]:
    found = []
    for text, spans in TEXTS:
        reference = Doc(nlp.vocab, text.split())
        reference.spans["sc"] = [Span(reference, s, e, label=label) for s, e, label in spans]
        found.append(Example(Doc(nlp.vocab, text.split()), reference))
    return found


@pytest.mark.parametrize("name", ["cnn_ner", "utc_ie"])
def test_it_learns_and_comes_back(name: str, tiny_encoder: Path) -> None:
    overrides = {
        "components.sener.max_pieces": 40,  # the last text needs two windows
        "components.sener.model.span_window": 37,
        "components.sener.model.hidden_size": 16,
        "components.sener.model.span_size": 8,
        "components.sener.model.depth": 1,
        "components.sener.model.token_dropout": 0.0,
        "initialize.components.sener.encoder": str(tiny_encoder),
        "training.optimizer.total_steps": 10**6,
        "training.optimizer.warmup_steps": 0,
    }
    fix_random_seed(0)
    config = load_config(CONFIGS / f"{name}.cfg", overrides=overrides)
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.initialize(lambda: examples(nlp))
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.002, warmup_steps=0, total_steps=0
    )
    for _ in range(60):
        nlp.update(examples(nlp), sgd=optimizer)
    assert nlp.evaluate(examples(nlp))["spans_sc_f"] == 1.0
    again = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert again.evaluate(examples(again))["spans_sc_f"] == 1.0
