"""A bad document, and no memory: the other documents get what they always get."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_gliner
import tiny_sener
import torch
from spacy.language import Language
from spacy.tokens import Doc

from spacy_sener.pieces import PieceTokenizer

TEXTS = [
    "Anna Keller was born in London .",
    "She worked in Zurich .",
    "a bad one",
    "We met in Berlin .",
    "",
    "The library in London .",
]
BAD = 2


def sener(encoder: Path) -> Language:
    return tiny_sener.initialize(tiny_sener.blank(threshold=0.0), encoder)


def gliner(encoder: Path) -> Language:
    return tiny_gliner.pipeline(encoder, labels=["person", "place"], threshold=0.1)


@pytest.fixture(scope="module", params=[sener, gliner], ids=["sener", "gliner_multitask"])
def nlp(request: pytest.FixtureRequest, tiny_encoder: Path) -> Language:
    made: Language = request.param(tiny_encoder)
    return made


def spans_of(doc: Doc) -> list[tuple[int, int, str, float]]:
    group = doc.spans["sc"]
    scores = [round(float(score), 4) for score in group.attrs["scores"]]
    return [
        (span.start, span.end, span.label_, score)
        for span, score in zip(group, scores, strict=True)
    ]


@pytest.fixture
def before_encoder(nlp: Language) -> Any:
    """Have a function called with the pieces of each batch, before the encoder reads them."""
    encoder = nlp.get_pipe(nlp.pipe_names[-1]).model.shims[0].module.encoder
    hooks = []

    def add(call: Callable[[torch.Tensor], None]) -> None:
        hooks.append(encoder.register_forward_pre_hook(lambda _, inputs: call(inputs[0])))

    yield add
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_one_bad_document_costs_no_other_its_answer(
    nlp: Language, before_encoder: Any, batch_size: int
) -> None:
    expected = [spans_of(nlp(text)) for text in TEXTS]
    assert any(expected)
    bad_pieces = pieces_of(nlp, "bad")

    def fail(pieces: torch.Tensor) -> None:
        if torch.isin(pieces, bad_pieces).any():
            raise ZeroDivisionError("the fault")

    before_encoder(fail)
    told: list[tuple[str, list[str], str]] = []
    nlp.set_error_handler(
        lambda name, _, docs, error: told.append((name, [doc.text for doc in docs], str(error)))
    )
    try:
        docs = list(nlp.pipe(TEXTS, batch_size=batch_size))
    finally:
        nlp.set_error_handler(raise_it)
    assert told == [(nlp.pipe_names[-1], [TEXTS[BAD]], "the fault")]
    assert [doc.text for doc in docs] == TEXTS[:BAD] + TEXTS[BAD + 1 :]
    assert [spans_of(doc) for doc in docs] == expected[:BAD] + expected[BAD + 1 :]
    # Without a handler the fault is raised, after the documents before it.
    stream = nlp.pipe(TEXTS, batch_size=batch_size)
    assert [next(stream).text for _ in range(BAD)] == TEXTS[:BAD]
    with pytest.raises(ZeroDivisionError, match="the fault"):
        next(stream)


def test_what_a_failed_batch_had_in_memory_is_gone_when_its_documents_are_done_alone(
    nlp: Language, before_encoder: Any
) -> None:
    held: list[weakref.ref[torch.Tensor]] = []
    still_there = []

    def fail_together(pieces: torch.Tensor) -> None:
        if len(pieces) > 1:
            large = torch.ones(3)
            held.append(weakref.ref(large))
            raise ZeroDivisionError("the fault")
        still_there.append([ref() for ref in held if ref() is not None])

    before_encoder(fail_together)
    assert len(list(nlp.pipe(TEXTS))) == len(TEXTS)
    assert held
    assert still_there
    assert not any(still_there)


def raise_it(name: str, component: Any, docs: list[Doc], error: Exception) -> None:
    raise error


def pieces_of(nlp: Language, word: str) -> torch.Tensor:
    """Those of the word and of none of the other texts."""
    spec = nlp.get_pipe(nlp.pipe_names[-1]).model.shims[0].spec["tokenizer"]
    tokenizer = PieceTokenizer.from_dict(spec)
    others = [text.split() for i, text in enumerate(TEXTS) if i != BAD]
    seen = {i for encoding in tokenizer.encode(others) for i in encoding.ids}
    mine = set(tokenizer.encode([[word]])[0].ids) - seen
    assert mine
    return torch.tensor(sorted(mine))


def ask_for_more(pieces: torch.Tensor) -> None:
    """Memory that there is not, for every window but the first: torch's own error on a CPU."""
    torch.empty(len(pieces) - 1, 10**15)


def run_out(pieces: torch.Tensor) -> None:
    """What torch raises on a GPU. There is none here: this is that error, and not that fault."""
    if len(pieces) > 1:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def run_out_in_cublas(pieces: torch.Tensor) -> None:
    """What torch raises there where a library of CUDA's has no memory."""
    if len(pieces) > 1:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate()")


@pytest.mark.parametrize("fault", [ask_for_more, run_out, run_out_in_cublas])
def test_a_batch_that_does_not_fit_is_read_in_halves(
    nlp: Language, before_encoder: Any, fault: Callable[[torch.Tensor], None]
) -> None:
    expected = [spans_of(nlp(text)) for text in TEXTS]
    sizes: list[int] = []
    before_encoder(lambda pieces: sizes.append(len(pieces)))
    before_encoder(fault)
    assert [spans_of(doc) for doc in nlp.pipe(TEXTS)] == expected
    assert max(sizes) > 1
    assert sizes.count(1) >= 5


def test_a_document_that_does_not_fit_is_told_with_the_setting_to_change(
    nlp: Language, before_encoder: Any
) -> None:
    def never(pieces: torch.Tensor) -> None:
        torch.empty(10**15)

    before_encoder(never)
    name = nlp.pipe_names[-1]
    with pytest.raises(MemoryError, match=rf"\[components\.{name}\] max_pieces = 64 smaller"):
        nlp(TEXTS[0])


def test_other_errors_are_not_taken_for_want_of_memory(nlp: Language, before_encoder: Any) -> None:
    calls = []

    def fail(pieces: torch.Tensor) -> None:
        calls.append(len(pieces))
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    before_encoder(fail)
    component: Any = nlp.get_pipe(nlp.pipe_names[-1])
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        component.predict([nlp.make_doc(text) for text in TEXTS])
    assert len(calls) == 1
