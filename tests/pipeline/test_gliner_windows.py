"""A document over several windows: no span is lost, wherever windows meet."""

import tracemalloc
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc
from tiny_gliner import (
    ALONE,
    FIRST,
    INNER,
    LAST,
    OTHER,
    answers,
    component,
    marking_pipeline,
    pipeline,
)

from spacy_sener import prompted
from spacy_sener.prompts import make_prompt

N_WORDS, MAX_PIECES = 70, 32


@pytest.fixture(scope="module")
def nlp(tiny_encoder: Path) -> Language:
    return marking_pipeline(tiny_encoder, max_pieces=MAX_PIECES)


def planted(nlp: Language, length: int, start: int) -> Doc:
    span = [ALONE] if length == 1 else [FIRST, *[INNER] * (length - 2), LAST]
    words = [OTHER] * start + span + [OTHER] * (N_WORDS - start - length)
    return Doc(nlp.vocab, words)


@pytest.mark.parametrize("length", [1, 2, 5, MAX_PIECES, N_WORDS - 3])
def test_a_span_is_found_wherever_it_stands(nlp: Language, length: int) -> None:
    starts = range(N_WORDS - length + 1)
    docs = [planted(nlp, length, start) for start in starts]
    for start, doc in zip(starts, nlp.pipe(docs), strict=True):
        assert answers(doc) == [(start, start + length, "thing")]


def test_windows_are_several_and_one_alone_is_enough_for_a_short_text(nlp: Language) -> None:
    gliner = component(nlp)
    prompt = gliner._prompt(planted(nlp, 2, 0))
    short, long = Doc(nlp.vocab, [OTHER] * 5), planted(nlp, 2, 0)
    windows = gliner.model.predict([(short, prompt), (long, prompt)]).layout.windows
    assert [window.item for window in windows].count(0) == 1
    assert [window.item for window in windows].count(1) > 3
    assert max(window.size for window in windows) == MAX_PIECES


def test_a_task_stands_in_every_window_and_moves_nothing(nlp: Language) -> None:
    prompt = make_prompt(["thing"], task=f"{OTHER} {ALONE}: {FIRST}")
    docs = [planted(nlp, 3, start) for start in range(N_WORDS - 2)]
    groups = component(nlp).find(docs, [prompt] * len(docs))
    for start, group in enumerate(groups):
        assert [(span.start, span.end) for span in group] == [(start, start + 3)]
    for found in component(nlp).find_in_task(docs, [prompt] * len(docs)):
        assert [(each.start_char, each.end_char, each.label) for each in found] == [
            (4, 4 + len(ALONE), "thing")
        ]


def test_tokens_as_words(tiny_encoder: Path) -> None:
    nlp = marking_pipeline(tiny_encoder, max_pieces=MAX_PIECES, model={"words": "tokens"})
    words = [OTHER, " ", f"{ALONE}-{OTHER}", "\n", OTHER, FIRST, LAST, *[OTHER] * N_WORDS, ALONE]
    doc = nlp(Doc(nlp.vocab, words))
    assert answers(doc) == [(2, 3, "thing"), (5, 7, "thing"), (N_WORDS + 7, N_WORDS + 8, "thing")]


def test_arrow_attention_reads_a_long_text_in_one_window(tiny_encoder: Path) -> None:
    model = {"encoder": {"@architectures": "spacy-sener.ArrowEncoder.v1", "piece_window": 8}}
    model["encoder"] |= {"attention": "arrow", "logn": False, "lora": None}
    nlp = pipeline(tiny_encoder, model, max_pieces=1000, threshold=0.3)
    docs = []
    for n, labels in enumerate([["thing"], ["person", "the place of work"], ["date"]] * 2):
        doc = Doc(nlp.vocab, [OTHER, ALONE, INNER] * 25 * (n + 1))
        doc._.gliner_labels = labels
        docs.append(doc)
    prompts = [component(nlp)._prompt(doc) for doc in docs]
    layout = component(nlp).model.predict(list(zip(docs, prompts, strict=True))).layout
    assert len(layout.windows) == len(docs)
    together = component(nlp)._read(docs, prompts)
    for doc, prompt, marks in zip(docs, prompts, together, strict=True):
        (alone,) = component(nlp)._read([doc], [prompt])
        # Not the spans: of a network that has learned nothing, rounding decides which is better.
        assert marks.text == pytest.approx(alone.text, abs=1e-5)


def test_marks_of_many_documents_are_not_held_together(
    tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompted, "MARKS_AT_ONCE", 1)
    nlp = marking_pipeline(tiny_encoder, max_pieces=256)
    prompt, n_words = make_prompt([f"thing {i}" for i in range(30)]), 300

    def peak(n_docs: int) -> int:
        docs = [Doc(nlp.vocab, [OTHER] * i + [ALONE] + [OTHER] * n_words) for i in range(n_docs)]
        tracemalloc.start()
        groups = component(nlp).find(docs, [prompt] * n_docs)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [span.start for group in groups for span in group] == list(range(n_docs))
        return most

    peak(1)
    assert peak(12) - peak(2) < 4 * n_words * len(prompt.labels) * 12  # the marks of 4 documents
