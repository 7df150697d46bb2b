"""Whole words are hidden, at the right rates."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_sener.nn.word_masking import WordMasking, mask_words

MASK, SPECIAL, VOCAB = 4, (0, 1, 2, 4, 60), 60


def make_text(sizes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and token index of one text whose tokens have these numbers of pieces."""
    index = [0, *(t for t, size in enumerate(sizes, 1) for _ in range(size)), 0, 0]
    ids = [1, *(10 + k % 7 for k in range(sum(sizes))), 2, 0]
    return torch.tensor([ids]), torch.tensor([index])


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(0, 4), max_size=12), seed=st.integers(0, 999))
def test_special_pieces_are_left_and_nothing_is_changed_in_place(
    sizes: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    input_ids, token_index = make_text(sizes)
    before = input_ids.clone()
    masked = mask_words(input_ids, token_index, WordMasking(MASK, VOCAB, SPECIAL, rate=0.9))
    assert torch.equal(input_ids, before)
    special = token_index == 0
    assert torch.equal(masked[special], input_ids[special])
    assert not torch.isin(masked[~special], torch.tensor([0, 1, 2, 60])).any()
    assert (masked[~special] < VOCAB).all()


def test_rates_and_whole_words() -> None:
    torch.manual_seed(0)
    n_tokens, pieces_each = 4000, 5
    index = torch.arange(1, n_tokens + 1).repeat_interleave(pieces_each)[None].repeat(2, 1)
    ids = torch.full_like(index, 50)  # a kept piece is 50, a random one almost never
    masked = mask_words(ids, index, WordMasking(MASK, 30000, SPECIAL))
    fate = torch.where(masked == MASK, 0, torch.where(masked == 50, 2, 1))
    touched = (fate < 2).view(2, n_tokens, pieces_each)
    words = touched.any(-1)
    assert words.float().mean() == pytest.approx(0.15, abs=0.015)
    of_chosen = fate.view(2, n_tokens, pieces_each)[words]
    assert (of_chosen == 0).float().mean() == pytest.approx(0.8, abs=0.02)
    assert (of_chosen == 1).float().mean() == pytest.approx(0.1, abs=0.015)
    assert (of_chosen == 2).float().mean() == pytest.approx(0.1, abs=0.015)
    assert not torch.equal(words[0], words[1])  # texts are drawn apart


def test_random_pieces_are_any_but_special_ones() -> None:
    torch.manual_seed(0)
    settings_ = WordMasking(2, 9, (0, 3, 4, 8, 99), rate=0.1)
    drawn = settings_.random_pieces(torch.zeros(2000))
    values, counts = drawn.unique(return_counts=True)
    assert values.tolist() == [1, 2, 5, 6, 7]
    assert counts.min() > 300


def test_the_seed_decides() -> None:
    input_ids, token_index = make_text([2] * 50)
    masking = WordMasking(MASK, VOCAB, SPECIAL)

    def masked(seed: int) -> list[int]:
        torch.manual_seed(seed)
        return mask_words(input_ids, token_index, masking).tolist()

    assert masked(1) == masked(1)
    assert masked(1) != masked(2)


@pytest.mark.parametrize("wrong", [{"rate": 1.5}, {"rate": -0.1}, {"vocab_size": 3}])
def test_wrong_settings_are_named(wrong: dict[str, float]) -> None:
    options = {"mask_id": MASK, "vocab_size": VOCAB, "special_ids": SPECIAL, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WordMasking(**options)
