"""Spans that are longer than the table's window: learned, found at every edge, and kept."""

import random
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from tiny_sener import BY_HEART

from spacy_sener.optimizers import build_adamw_v1

WINDOW, REACH = 3, 24
MODEL = BY_HEART | {"span_window": WINDOW, "reach": REACH}
FILLING = ["the", "a", "of", "in", "is", "was", "from", "until", "with", "at"]


def block(rng: random.Random, size: int) -> list[str]:
    return ["Professor", *rng.choices(FILLING, k=size - 2), "University"]


def document(nlp: Language, rng: random.Random, before: int, size: int, after: int) -> Example:
    """One block of `size` tokens, in which a shorter span is nested, among other words."""
    words = [*rng.choices(FILLING, k=before), *block(rng, size), *rng.choices(FILLING, k=after)]
    words[before + 1] = "Zurich"
    reference = Doc(nlp.vocab, words)
    reference.spans["sc"] = [
        Span(reference, before, before + size, "BLOCK"),
        Span(reference, before + 1, before + 2, "PLACE"),
    ]
    return Example(Doc(nlp.vocab, words), reference)


def make_nlp(encoder: Path, **model: Any) -> Language:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"max_pieces": 80, "model": {**MODEL, **model}})
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(encoder)}
    return nlp


def training_examples(nlp: Language) -> list[Example]:
    rng = random.Random(0)
    return [
        document(nlp, rng, rng.randrange(60), rng.choice([4, rng.randrange(5, REACH + 2)]), 30)
        for _ in range(48)
    ]


@pytest.fixture(scope="module")
def trained(tiny_deberta: Path) -> Language:
    nlp = make_nlp(tiny_deberta)
    examples = training_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.002, warmup_steps=0, total_steps=0
    )
    for _ in range(25):
        for i in range(0, len(examples), 12):
            nlp.update(examples[i : i + 12], sgd=optimizer)
    return nlp


def found(doc: Doc) -> set[tuple[int, int, str]]:
    return {(span.start, span.end, span.label_) for span in doc.spans["sc"]}


def test_learns_blocks_beyond_the_window_and_spans_inside_them(trained: Language) -> None:
    rng = random.Random(1)
    for size in (4, 5, 12, REACH, REACH + 1):  # the distance of the ends is one less
        example = document(trained, rng, 20, size, 9)
        expected = {(20, 20 + size, "BLOCK"), (21, 22, "PLACE")}
        assert found(trained(example.predicted)) == expected


def test_blocks_of_documents_that_are_read_at_once_are_not_mixed_up(trained: Language) -> None:
    rng = random.Random(2)
    # Of one length, so that nothing but the answers tells them apart.
    sizes = {REACH: 1, 9: 6, 5: 12}
    docs = [
        document(trained, rng, before, size, 40 - before - size).predicted
        for size, before in sizes.items()
    ]
    sener: Any = trained.get_pipe("sener")
    before, sener.model.attrs["max_pieces"] = sener.model.attrs["max_pieces"], 400
    try:
        together = [found(doc) for doc in trained.pipe([doc.copy() for doc in docs])]
    finally:
        sener.model.attrs["max_pieces"] = before
    assert together == [found(trained(doc)) for doc in docs]
    assert all(len(spans) == 2 for spans in together)


def test_no_block_is_lost_or_doubled_at_the_edge_of_a_window(trained: Language) -> None:
    # 80 pieces a window: three windows or more, with edges that pass over the block. How sure the
    # small model is of a block does not matter here.
    sener = trained.get_pipe("sener")
    sener.cfg["threshold"] = 0.1
    for before in range(20, 110, 3):
        doc = trained(document(trained, random.Random(before), before, 20, 60).predicted)
        blocks = [(span.start, span.end) for span in doc.spans["sc"] if span.label_ == "BLOCK"]
        assert blocks == [(before, before + 20)]
    sener.cfg["threshold"] = 0.5


def test_a_span_beyond_the_reach_is_counted_and_not_found(trained: Language) -> None:
    example = document(trained, random.Random(2), 5, REACH + 2, 5)
    assert all(label == "PLACE" for *_, label in found(trained(example.predicted)))
    nlp = make_nlp(Path(str(trained.config["initialize"]["components"]["sener"]["encoder"])))
    for _ in range(2):  # it is told again: the data may be other data
        with pytest.warns(
            UserWarning, match=rf"1 longer than the model reaches \(reach = {REACH}\)"
        ):
            nlp.initialize(lambda: [example])


def test_saving_keeps_what_was_learned(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    example = document(trained, random.Random(3), 10, 15, 40)
    first, second = (
        trained(example.predicted),
        again(Doc(again.vocab, example.predicted.text.split())),
    )
    assert found(first) == found(second)
    scores = [doc.spans["sc"].attrs["scores"] for doc in (first, second)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


def test_rehearsing_leaves_what_finds_long_spans_alone(tiny_deberta: Path) -> None:
    """It is taught the table's answers, and not which far ends belong together."""
    nlp = make_nlp(tiny_deberta)
    examples = training_examples(nlp)[:8]
    nlp.initialize(lambda: examples)
    nlp.resume_training()
    optimizer = build_adamw_v1(head_learn_rate=0.01, warmup_steps=0, total_steps=0)
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    assert nlp.get_pipe("sener").rehearse(examples)["sener"] > 1e-3
    module = nlp.get_pipe("sener").model.shims[0].module
    moved = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.any()}
    assert {"table.output.weight", "table.boundaries.marks.weight"} <= moved
    assert not [name for name in moved if name.startswith("table.boundaries.pairs.")]


def test_a_reach_needs_boundaries(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder, boundaries=False)
    with pytest.raises(
        ValueError, match="reach is 24 tokens, more than span_window = 3: that needs"
    ):
        nlp.initialize(lambda: training_examples(nlp))


def test_windows_bound_the_reach_and_what_they_lose_is_counted(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder, reach=10**6)
    rng = random.Random(0)
    short, long = document(nlp, rng, 70, 20, 60), document(nlp, rng, 0, 100, 0)
    crooked = Example(Doc(nlp.vocab, words=["ab"]), Doc(nlp.vocab, words=["a", "b"]))
    crooked.reference.spans["sc"] = [Span(crooked.reference, 0, 1, "BLOCK")]
    with pytest.warns(UserWarning, match="1 not aligned"):
        nlp.initialize(lambda: [short, long, crooked])
    with pytest.warns(UserWarning, match="1 in no window whole.*max_pieces = 80"):
        nlp.update([short, long])


def test_without_boundaries_the_model_is_that_of_the_paper(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder, boundaries=False, reach=0)
    with pytest.warns(UserWarning, match="longer than the model reaches"):
        nlp.initialize(lambda: training_examples(nlp))
    names = [name for name, _ in nlp.get_pipe("sener").model.shims[0].module.named_parameters()]
    assert not any("boundaries" in name for name in names)
