"""Pooling of pieces, and the whole network on a tiny encoder."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig

from spacy_sener.nn.encoder import ArrowEncoder, EncoderSettings
from spacy_sener.nn.sener import SeNER, pool_pieces
from spacy_sener.nn.span_table import SpanTable
from spacy_sener.nn.word_masking import WordMasking


def make_sener(**options: object) -> SeNER:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=128,
    )
    encoder = ArrowEncoder(config, EncoderSettings(piece_window=5))
    table = SpanTable(16, 3, span_window=4, token_dropout=0.0, span_dropout=0.0)
    return SeNER(encoder, table, **options)


def make_batch(sizes: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Texts whose tokens have these numbers of pieces: input ids, piece lengths, token index."""
    index = [
        torch.tensor([0, *(t for t, size in enumerate(text, 1) for _ in range(size)), 0])
        for text in sizes
    ]
    lengths = torch.tensor([len(text) for text in index])
    token_index = torch.nn.utils.rnn.pad_sequence(index, batch_first=True)
    generator = torch.Generator().manual_seed(1)
    input_ids = torch.randint(5, 60, token_index.shape, generator=generator)
    return input_ids, lengths, token_index


@settings(max_examples=30)
@given(
    sizes=st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=3
    ).filter(lambda texts: all(sum(text) for text in texts)),
    seed=st.integers(0, 99),
)
def test_a_token_is_the_maximum_of_its_pieces(sizes: list[list[int]], seed: int) -> None:
    torch.manual_seed(seed)
    _, _, token_index = make_batch(sizes)
    pieces = torch.randn(*token_index.shape, 4, dtype=torch.float64, requires_grad=True)
    tokens = pool_pieces(pieces, token_index)
    assert tokens.shape[1] == token_index.max()
    rows = []
    for text, index in zip(pieces, token_index, strict=True):
        for token in range(1, int(token_index.max()) + 1):
            own = text[index == token]
            rows.append(own.amax(0) if len(own) else torch.zeros(4, dtype=torch.float64))
    expected = torch.stack(rows).view_as(tokens)
    assert torch.equal(tokens, expected)

    weight = torch.randn_like(tokens)
    (grad,) = torch.autograd.grad((tokens * weight).sum(), pieces)
    (expected_grad,) = torch.autograd.grad((expected * weight).sum(), pieces)
    torch.testing.assert_close(grad, expected_grad)


def test_equal_pieces_share_the_gradient() -> None:
    pieces = torch.tensor([[[9.0], [2.0], [2.0], [1.0]]], requires_grad=True)
    pool_pieces(pieces, torch.tensor([[0, 1, 1, 1]])).sum().backward()
    assert pieces.grad.flatten().tolist() == [0.0, 0.5, 0.5, 0.0]


def test_a_text_is_scored_alone_as_in_any_batch() -> None:
    module = make_sener().eval()
    sizes = [[1, 2, 3, 1, 1, 2, 4, 1, 1], [2], [1, 0, 3, 1, 2]]
    input_ids, lengths, token_index = make_batch(sizes)
    together = module(input_ids, lengths, token_index)
    for text, length in enumerate(lengths.tolist()):
        alone = module(
            input_ids[text : text + 1, :length],
            lengths[text : text + 1],
            token_index[text : text + 1, :length],
        )
        n_tokens = len(sizes[text])
        torch.testing.assert_close(together[text, :n_tokens], alone[0], atol=1e-5, rtol=1e-5)
        assert not together[text, n_tokens:].any()


def test_a_text_without_tokens_has_no_rows() -> None:
    module = make_sener().eval()
    input_ids, lengths, token_index = make_batch([[]])
    assert module(input_ids, lengths, token_index).shape == (1, 0, 9, 3)


@pytest.mark.parametrize("trained", [True, False])
def test_input_is_masked_in_training_only(trained: bool) -> None:
    masking = WordMasking(mask_id=4, vocab_size=60, special_ids=(0, 1, 2, 3, 4), rate=0.5)
    module = make_sener(masking=masking).train(trained)
    batch = make_batch([[1] * 20])
    with torch.no_grad():
        same = torch.equal(module(*batch), module(*batch))
    assert same is not trained


def test_state_and_config_are_enough_to_build_it_again() -> None:
    module = make_sener().eval()
    batch = make_batch([[1, 2, 3], [1]])
    encoder = ArrowEncoder(module.encoder.config, EncoderSettings(piece_window=5))
    again = SeNER(encoder, SpanTable(16, 3, span_window=4))
    again.load_state_dict(module.state_dict())
    assert torch.equal(again.eval()(*batch), module(*batch))
