"""Which labels a document is asked for in training, and its spans in words."""

import random
from collections import Counter

import pytest
import spacy
from spacy.util import fix_random_seed

from spacy_sener.gold import GoldSpan
from spacy_sener.mark_gold import gold_words, training_prompt
from spacy_sener.prompts import make_prompt
from spacy_sener.words import words_of

ASKED = make_prompt({name: f"reading of {name}" for name in "abcdefgh"}, task="T ")


@pytest.mark.parametrize(
    ("gold", "most", "size"), [("ac", 5, 5), ("abc", 2, 3), ("", 4, 4), ("b", 30, 8)]
)
def test_labels_of_the_gold_spans_and_some_others(gold: str, most: int, size: int) -> None:
    random.seed(0)
    seen, orders = Counter(), set()
    for _ in range(200):
        prompt = training_prompt(ASKED, gold, most)
        assert len(set(prompt.labels)) == len(prompt.labels) == size
        assert set(gold) <= set(prompt.labels) <= set(ASKED.labels)
        assert prompt.readings == tuple(f"reading of {name}" for name in prompt.labels)
        assert prompt.task == "T "
        seen.update(prompt.labels)
        orders.add(prompt.labels)
    others = [seen[name] for name in ASKED.labels if name not in gold]
    assert min(others) > 0 or size == len(gold)
    assert len(orders) >= min(6, 2 ** (size - 1))


def test_the_draw_is_spacys_seeds() -> None:
    drawn = []
    for _ in range(2):
        fix_random_seed(3)
        drawn.append([training_prompt(ASKED, "a", 3) for _ in range(5)])
    assert drawn[0] == drawn[1]


def test_spans_hold_every_word_that_they_touch() -> None:
    doc = spacy.blank("en")("A state-of-the-art fee of 12.50 \u20ac")
    assert [token.text for token in doc][7:11] == ["art", "fee", "of", "12.50"]
    words = words_of(doc, "gliner")
    assert words.texts == ["A", "state-of-the-art", "fee", "of", "12", ".", "50", "\u20ac"]
    spans = [GoldSpan(7, 8, "b"), GoldSpan(10, 10, "a"), GoldSpan(0, 11, "b")]
    prompt = make_prompt(["a", "b"])
    assert gold_words(spans, words, prompt).tolist() == [[1, 2, 1], [4, 6, 0], [0, 7, 1]]
    assert gold_words([], words, prompt).shape == (0, 3)
