"""Windows of prompted documents: the prompt in each, every word owned once, labels in passes."""

import re
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from spacy_sener.pieces import PieceTokenizer
from spacy_sener.prompted import (
    SHORT_WINDOWS_PIECES,
    Layout,
    Markers,
    Prompted,
    group_prompted,
    lay_out,
)
from spacy_sener.prompts import make_prompt

WORDS = ["professor", "the", "University", "e-mail", "\u200b", "Berlin", "12.5"]
LABELS = ["person", "place of birth", "a \u200b b", "<<ENT>> x", "Ada <> founder of", "date"]
TASKS = ["", "Who founded it?\n", "\u200b Summarize: "]

prompts = st.builds(
    lambda labels, task: make_prompt(labels, task=task),
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=6),
    st.sampled_from(TASKS),
)
batches = st.lists(
    st.tuples(st.lists(st.sampled_from([*WORDS, " "]), max_size=40), prompts), max_size=4
)


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PieceTokenizer:
    plain = PieceTokenizer.from_pretrained(str(tiny_encoder))
    return plain.with_special("<<ENT>>", "<<SEP>>")


def markers(tokenizer: PieceTokenizer) -> Markers:
    return Markers(tokenizer.piece_id("<<ENT>>"), tokenizer.piece_id("<<SEP>>"))


def laid_out(items: list[Prompted], tokenizer: PieceTokenizer, max_pieces: int) -> Layout:
    marks = markers(tokenizer)
    return lay_out(items, tokenizer, marks, max_pieces=max_pieces, words="gliner")


def strings(ids: np.ndarray, tokenizer: PieceTokenizer) -> str:
    return " ".join(tokenizer.strings(ids)).replace(" ##", "")


@given(batch=batches, max_pieces=st.integers(60, 100))
@settings(max_examples=60)
def test_every_word_of_every_pass_is_owned_once(
    nlp: Language, tokenizer: PieceTokenizer, batch: list, max_pieces: int
) -> None:
    items = [(Doc(nlp.vocab, words), prompt) for words, prompt in batch]
    layout = laid_out(items, tokenizer, max_pieces)
    assert [window.item for window in layout.windows] == sorted(w.item for w in layout.windows)
    for i, (doc, prompt) in enumerate(items):
        windows = [window for window in layout.windows if window.item == i]
        has_pieces = any(not token.is_space and token.text != "\u200b" for token in doc)
        assert bool(windows) == has_pieces
        passes = [labels for labels, _ in groupby(window.labels for window in windows)]
        if windows:
            assert [a for a, _ in passes] == [0, *(b for _, b in passes[:-1])]
            assert passes[-1][1] == len(prompt.labels)
        for labels in passes:
            mine = [window for window in windows if window.labels == labels]
            owned = [range(w.words[0] + w.owned[0], w.words[0] + w.owned[1]) for w in mine]
            assert [word for each in owned for word in each] == list(
                range(len(layout.words[i].texts))
            )


@given(batch=batches, max_pieces=st.integers(60, 100))
@settings(max_examples=60)
def test_a_window_reads_prompt_task_and_text(
    nlp: Language, tokenizer: PieceTokenizer, batch: list, max_pieces: int
) -> None:
    items = [(Doc(nlp.vocab, words), prompt) for words, prompt in batch]
    layout = laid_out(items, tokenizer, max_pieces)
    marker = markers(tokenizer)
    for window in layout.windows:
        prompt, words = items[window.item][1], layout.words[window.item]
        ids, places = window.piece_ids, window.piece_words
        assert len(ids) == len(places) == window.size <= max_pieces
        n_prompt = window.n_prompt_pieces
        n_labels = int((places[:n_prompt] == 0).sum())  # their pieces, and those around them
        assert ids[0] == tokenizer.cls_id
        assert ids[n_labels - 1] == marker.end
        assert ids[-1] == tokenizer.sep_id
        assert not places[:n_labels].any()
        assert places[-1] == 0
        assert (ids[:n_labels] == marker.label).sum() == window.labels[1] - window.labels[0]
        assert (places[:n_prompt] <= window.n_task_words).all()
        assert (places[n_prompt:-1] > window.n_task_words).all()
        assert n_prompt <= max_pieces // 2
        task = [prompt.task[a:b] for a, b in layout.task_words[window.item]]
        assert len(task) == window.n_task_words
        read = [*task, *words.texts[slice(*window.words)]]
        assert window.n_words == len(read)
        for k, word in enumerate(read, 1):
            expected = re.sub(r"[\s\u200b]", "", word.lower())
            assert strings(ids[places == k], tokenizer).replace(" ", "") == expected


def test_each_label_is_one_word_of_the_prompt_behind_its_marker(
    nlp: Language, tokenizer: PieceTokenizer
) -> None:
    prompt = make_prompt({"A": "place of birth", "B": "\u0301", "C": "the <<ENT>> person"})
    (window,) = laid_out([(nlp("Berlin"), prompt)], tokenizer, 64).windows
    read = strings(window.piece_ids, tokenizer)
    assert read == ("[CLS] <<ENT>> place of birth <<ENT>> <<ENT>> the person <<SEP>> berlin [SEP]")


def test_the_window_that_sees_most_around_a_word_owns_it(
    nlp: Language, tokenizer: PieceTokenizer
) -> None:
    doc = Doc(nlp.vocab, ["the"] * 200)
    windows = laid_out([(doc, make_prompt(["date"]))], tokenizer, 40).windows
    assert len(windows) > 4
    for word in range(200):
        seeing = [w for w in windows if w.words[0] <= word < w.words[1]]
        owner = next(w for w in seeing if w.owned[0] <= word - w.words[0] < w.owned[1])
        sight = [
            min(word - a if a else 200, b - 1 - word if b < 200 else 200)
            for a, b in (w.words for w in seeing)
        ]
        assert sight[seeing.index(owner)] >= max(sight) - 1
        assert sight[seeing.index(owner)] >= 3


def test_groups_are_of_one_prompt_length_and_bounded(
    nlp: Language, tokenizer: PieceTokenizer
) -> None:
    kinds = [make_prompt(each) for each in (["date"], ["person"], ["date", "place of birth"])]
    kinds += [make_prompt(["date"], task=task) for task in TASKS[1:]]
    items = [(Doc(nlp.vocab, ["the"] * n), kinds[n % len(kinds)]) for n in range(1, 120)]
    windows = laid_out(items, tokenizer, 100).windows
    groups = list(group_prompted(windows, 100))
    assert {id(window) for group in groups for window in group} == {id(w) for w in windows}
    for group in groups:
        assert len({window.n_prompt_pieces for window in group}) == 1
        assert len(group) * max(window.size for window in group) <= SHORT_WINDOWS_PIECES
    assert max(map(len, groups)) > 10


def test_a_label_or_a_task_that_is_too_long_is_named(
    nlp: Language, tokenizer: PieceTokenizer
) -> None:
    doc = nlp("Berlin")
    with pytest.raises(ValueError, match=r"label 'the the.*82 word pieces.*max_pieces = 64"):
        laid_out([(doc, make_prompt(["person", "the " * 81]))], tokenizer, 64)
    with pytest.raises(ValueError, match=r"task 'the the.*70 word pieces.*max_pieces = 64"):
        laid_out([(doc, make_prompt(["person"], task="the " * 70))], tokenizer, 64)
    prompt = make_prompt(["the", "place of birth"], task="the " * 28)
    with pytest.raises(ValueError, match=r"task 'the.*28 word pieces.*label 'place of birth'"):
        laid_out([(doc, prompt)], tokenizer, 64)


def test_a_word_of_very_many_pieces_is_cut_and_keeps_its_place(
    nlp: Language, tokenizer: PieceTokenizer
) -> None:
    doc = Doc(nlp.vocab, ["the", "b" * 40, "of"])
    with pytest.warns(UserWarning, match=r"1 token\(s\) have more than 16 word pieces"):
        layout = laid_out([(doc, make_prompt(["date"]))], tokenizer, 64)
    (window,) = layout.windows
    assert np.bincount(window.piece_words)[1:].tolist() == [1, 16, 1]


def test_words_without_pieces_fill_windows_too(nlp: Language, tokenizer: PieceTokenizer) -> None:
    doc = Doc(nlp.vocab, ["Anna", *["\u200b"] * 1000, "Keller"])
    layout = laid_out([(doc, make_prompt(["person"]))], tokenizer, 64)
    assert all(window.n_words <= 64 for window in layout.windows)
    owned = sum(window.owned[1] - window.owned[0] for window in layout.windows)
    assert owned == len(layout.words[0].texts) > 1000


def test_one_document_under_several_prompts(nlp: Language, tokenizer: PieceTokenizer) -> None:
    doc = nlp("the University")
    items = [(doc, make_prompt(["date"])), (doc, make_prompt(["person"], task="Who? "))]
    layout = laid_out(items, tokenizer, 64)
    assert layout.words[0] is layout.words[1]
    assert [window.n_words for window in layout.windows] == [2, 4]
