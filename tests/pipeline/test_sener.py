"""The component in a pipeline: it learns, answers alike however asked, and comes back whole."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from tiny_sener import BY_HEART

from spacy_sener.optimizers import build_adamw_v1

SENTENCES = [
    ("Anna Keller is a professor at the University of Zurich", [(0, 2, "PER"), (6, 10, "ORG")]),
    ("She worked in Berlin from 2010 until 2014", [(1, 8, "JOB"), (3, 4, "PLACE")]),
    ("Her PhD is from Stanford University", [(1, 6, "DEGREE"), (4, 6, "ORG")]),
    ("The library was founded in London", [(5, 6, "PLACE")]),
    ("He is a fellow of the Royal Society", [(3, 8, "AWARD"), (5, 8, "ORG")]),
]
MODEL = BY_HEART | {"span_window": 12}


def examples(nlp: Language) -> list[Example]:
    """Texts of one to five of the sentences, so that their lengths differ."""
    found = []
    for n in range(1, len(SENTENCES) + 1):
        words: list[str] = []
        spans = []
        for text, annotated in SENTENCES[:n]:
            spans += [(len(words) + s, len(words) + e, label) for s, e, label in annotated]
            words += [*text.split(), ".", "\n"]
        reference = Doc(nlp.vocab, words)
        reference.spans["sc"] = [Span(reference, s, e, label) for s, e, label in spans]
        found.append(Example(Doc(nlp.vocab, words), reference))
    return found


def make_nlp(encoder: Path, model: dict[str, Any] = MODEL, **config: Any) -> Language:
    """A pipeline with the component, initialized on the sentences."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"max_pieces": 40, **config, "model": model})
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(encoder)}
    nlp.initialize(lambda: examples(nlp))
    return nlp


def train(nlp: Language, steps: int) -> list[float]:
    """The loss of each step on all of the sentences."""
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.002, warmup_steps=0, total_steps=0
    )
    history = []
    for _ in range(steps):
        losses: dict[str, float] = {}
        nlp.update(examples(nlp), sgd=optimizer, losses=losses)
        history.append(losses["sener"])
    return history


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path) -> Language:
    nlp = make_nlp(tiny_encoder)
    train(nlp, 60)
    return nlp


def answers(doc: Doc) -> list[tuple[int, int, str, float]]:
    """Spans and scores of a document."""
    group = doc.spans["sc"]
    return [
        (span.start, span.end, span.label_, float(score))
        for span, score in zip(group, group.attrs["scores"], strict=True)
    ]


def assert_alike(left: Doc, right: Doc, tolerance: float = 1e-5) -> None:
    """The same spans, and scores that differ by float32 noise at most."""
    assert [a[:3] for a in answers(left)] == [a[:3] for a in answers(right)]
    np.testing.assert_allclose(
        [a[3] for a in answers(left)], [a[3] for a in answers(right)], atol=tolerance
    )


def test_learns_nested_spans_over_several_windows(trained: Language) -> None:
    # max_pieces = 40: the longer texts do not fit in one window.
    scores = trained.evaluate(examples(trained))
    assert scores["spans_sc_f"] == 1.0
    assert scores["spans_sc_per_type"]["ORG"]["f"] == 1.0
    assert scores["spans_sc_per_length"]["5-16"]["r"] == 1.0


def test_scores_are_probabilities_beside_their_spans(trained: Language) -> None:
    doc = trained(examples(trained)[-1].reference.text)
    scores = doc.spans["sc"].attrs["scores"]
    assert len(scores) == len(doc.spans["sc"]) > 5
    assert ((scores >= 0.5) & (scores <= 1)).all()


@settings(max_examples=8)
@given(order=st.permutations(range(5)), batch_size=st.integers(1, 5))
def test_a_document_gets_the_same_alone_and_in_any_batch(
    trained: Language, order: list[int], batch_size: int
) -> None:
    texts = [example.reference.text for example in examples(trained)]
    set_threshold(trained, 1e-4)
    try:
        alone = [trained(text) for text in texts]
        batch = list(trained.pipe([texts[i] for i in order], batch_size=batch_size))
    finally:
        set_threshold(trained, 0.5)
    for i, doc in zip(order, batch, strict=True):
        assert_alike(alone[i], doc)


def set_threshold(nlp: Language, threshold: float) -> None:
    nlp.get_pipe("sener").cfg["threshold"] = threshold


def test_a_lower_threshold_only_adds_spans(trained: Language) -> None:
    text = examples(trained)[2].reference.text
    set_threshold(trained, 1e-12)
    trained.get_pipe("sener").cfg["overlap"] = "any"
    try:
        many = trained(text)
    finally:
        set_threshold(trained, 0.5)
        trained.get_pipe("sener").cfg["overlap"] = "nested"
    assert set(answers(many)) > set(answers(trained(text)))


def test_bytes_and_disk_bring_back_the_same_answers(trained: Language, tmp_path: Path) -> None:
    text = examples(trained)[-1].reference.text
    expected = trained(text)
    trained.to_disk(tmp_path / "model")
    assert_alike(expected, spacy.load(tmp_path / "model")(text), tolerance=0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"model": MODEL})
    nlp.from_bytes(trained.to_bytes())
    assert_alike(expected, nlp(text), tolerance=0)


def test_a_new_process_without_network_gives_the_same_answers(
    trained: Language, tmp_path: Path
) -> None:
    text = examples(trained)[-1].reference.text
    trained.to_disk(tmp_path / "model")
    code = (
        "import sys, spacy; nlp = spacy.load(sys.argv[1]); doc = nlp(sys.argv[2]);"
        "doc.to_disk(sys.argv[3])"
    )
    saved = tmp_path / "doc"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), text, str(saved)],
        check=True,
        env={"HF_HUB_OFFLINE": "1", "PATH": ""},
    )
    assert_alike(trained(text), Doc(trained.vocab).from_disk(saved), tolerance=1e-6)


def test_only_what_was_trained_is_saved_on_demand(tiny_encoder: Path) -> None:
    lora = {**MODEL, "encoder": {**MODEL["encoder"], "lora": {"rank": 2, "alpha": 4}}}
    whole = make_nlp(tiny_encoder, lora)
    small = make_nlp(tiny_encoder, {**lora, "save_encoder": False})
    train(small, 3)
    data = small.to_bytes()
    assert len(data) < 0.7 * len(whole.to_bytes())
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"model": {**lora, "save_encoder": False}})
    set_threshold(small, 0.0001)
    text = examples(small)[1].reference.text
    expected = small(text)
    assert len(expected.spans["sc"]) > 0
    assert_alike(expected, nlp.from_bytes(small.to_bytes())(text), tolerance=0)


def test_an_encoder_that_came_with_the_pipeline_is_saved_all_the_same(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    """Nothing says where else it could be taken from."""
    lora = {**MODEL, "encoder": {**MODEL["encoder"], "lora": {"rank": 2, "alpha": 4}}}
    whole = make_nlp(tiny_encoder, lora, threshold=0.0001)
    whole.to_disk(tmp_path / "whole")
    small = {"components.sener.model.save_encoder": False}
    nlp = spacy.load(tmp_path / "whole", config=small)
    with pytest.warns(UserWarning, match="The encoder is saved as well, in spite of save_encoder"):
        nlp.to_disk(tmp_path / "again")
    text = examples(whole)[1].reference.text
    assert len(whole(text).spans["sc"]) > 0
    assert_alike(whole(text), spacy.load(tmp_path / "again")(text), tolerance=0)


def assert_other_entities_stay(nlp: Language, doc: Doc) -> None:
    """Those that an earlier component found where ours finds none."""
    free = next(token for token in doc if not token.ent_type)
    again = Doc(nlp.vocab, words=[token.text for token in doc])
    again.ents = [Span(again, free.i, free.i + 1, label="EARLIER"), *overlapped(again, doc)]
    assert [entity.label_ for entity in nlp(again).ents].count("EARLIER") == 1
    assert len(again.ents) == len(doc.ents) + 1


def overlapped(again: Doc, doc: Doc) -> list[Span]:
    first = doc.ents[0]
    return [Span(again, first.start, first.end, label="EARLIER")]


def test_entities_are_the_best_spans_that_do_not_overlap(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder, set_ents=True)
    train(nlp, 40)
    doc = nlp(examples(nlp)[-1].reference.text)
    assert len(doc.ents) > 0
    assert_other_entities_stay(nlp, doc)
    by_place = {(s, e): score for s, e, _, score in answers(doc)}
    chosen = {(entity.start, entity.end) for entity in doc.ents}
    for entity in doc.ents:
        rivals = [
            score
            for (start, end), score in by_place.items()
            if start < entity.end and entity.start < end and (start, end) not in chosen
        ]
        assert all(score <= by_place[entity.start, entity.end] for score in rivals)


def test_the_gradient_of_a_batch_does_not_depend_on_recomputing(tiny_encoder: Path) -> None:
    # All documents together need several groups of windows, one of them alone only one.
    nlp = make_nlp(tiny_encoder)
    model = nlp.get_pipe("sener").model

    def gradients(max_pieces: int) -> list[np.ndarray]:
        model.attrs["max_pieces"] = max_pieces
        module, runs = model.shims[0].module, []
        handle = module.encoder.register_forward_hook(lambda *_: runs.append(1))
        list(nlp.get_pipe("sener").predict([eg.predicted for eg in examples(nlp)[:2]]))
        n_groups = len(runs)
        nlp.get_pipe("sener").update(examples(nlp)[:2])
        handle.remove()
        assert (n_groups == 1) == (max_pieces == 400)
        # Several are run a second time for the gradient.
        assert len(runs) - n_groups == (1 if n_groups == 1 else 2 * n_groups)
        found = [p.grad.clone().numpy() for p in module.parameters() if p.grad is not None]
        module.zero_grad(set_to_none=True)
        assert len(found) > 20
        return found

    for few, many in zip(gradients(40), gradients(400), strict=True):
        np.testing.assert_allclose(few, many, rtol=1e-3, atol=1e-3)


def test_loss_is_the_mean_over_documents(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder)
    every = examples(nlp)[:3]
    sener = nlp.get_pipe("sener")
    alone = [sener.update([example])["sener"] for example in every]
    assert sener.update(every)["sener"] == pytest.approx(np.mean(alone), rel=1e-4)


def test_rehearsal_pulls_back_to_the_earlier_answers(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder)
    train(nlp, 20)
    sener = nlp.get_pipe("sener")
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.002
    assert sener.rehearse(examples(nlp))["sener"] == pytest.approx(0, abs=1e-6)
    for parameter in sener.model.shims[0].module.table.output.parameters():
        parameter.data += 0.3
    losses = [nlp.rehearse(examples(nlp), sgd=optimizer)["sener"] for _ in range(12)]
    assert losses[-1] < 0.3 * losses[0]


def test_rehearsal_keeps_to_the_rates(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder)
    optimizer = build_adamw_v1(encoder_learn_rate=0.0, warmup_steps=0, use_averages=True)
    nlp.resume_training(sgd=optimizer)
    module = nlp.get_pipe("sener").model.shims[0].module
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    for learn in (nlp.update, nlp.rehearse, nlp.update):
        learn(examples(nlp), sgd=optimizer)
    changed = {n for n, p in module.named_parameters() if not torch.equal(p, before[n])}
    assert {name.split(".")[0] for name in changed} == {"table"}


@pytest.mark.parametrize("max_pieces", [40, 2048])
def test_recomputing_learns_the_same(tiny_encoder: Path, max_pieces: int) -> None:
    """In windows that are run again as a whole, too. With all dropouts."""
    lively = {**MODEL, "token_dropout": 0.3, "span_dropout": 0.3, "masking": 0.3}
    histories = []
    for recompute in (False, True):
        model = {**lively, "recompute": recompute}
        histories.append(train(make_nlp(tiny_encoder, model, max_pieces=max_pieces), 8))
    assert histories[0] == pytest.approx(histories[1], rel=1e-5)
    assert histories[0][-1] < histories[0][0]


def test_recomputing_in_half_precision_learns_the_same(tiny_encoder: Path) -> None:
    histories = []
    for recompute in (False, True):
        model = {**MODEL, "mixed_precision": True, "recompute": recompute}
        histories.append(train(make_nlp(tiny_encoder, model), 4))
    assert histories[0] == pytest.approx(histories[1], rel=1e-3)
    whole = train(make_nlp(tiny_encoder, MODEL), 4)
    assert histories[0] == pytest.approx(whole, rel=0.1)
    assert histories[0] != pytest.approx(whole, rel=1e-5)


def test_recomputing_can_be_switched_on_for_a_saved_pipeline(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path)
    change = {"components": {"sener": {"model": {"recompute": True}}}}
    again = spacy.load(tmp_path, config=change)
    assert again.get_pipe("sener").model.shims[0].recompute
    assert not spacy.load(tmp_path).get_pipe("sener").model.shims[0].recompute


def test_label_data_and_labels(trained: Language) -> None:
    sener = trained.get_pipe("sener")
    assert set(sener.labels) == {"PER", "ORG", "JOB", "PLACE", "DEGREE", "AWARD"}
    assert sener.label_data == list(sener.labels)
    assert trained.pipe_labels["sener"] == list(sener.labels)


def test_output_starts_at_the_odds_of_the_labels(tiny_encoder: Path) -> None:
    # With zero logits the loss of an empty table would be 1,000 times as large.
    nlp = make_nlp(tiny_encoder)
    losses = nlp.get_pipe("sener").update(examples(nlp))
    n_spans = sum(len(example.reference.spans["sc"]) for example in examples(nlp)) / 5
    assert losses["sener"] < 5 * n_spans * 8  # of two cells and three kinds of mark


@pytest.mark.parametrize(
    "change", [{"attention": "sliding"}, {"attention": "full"}, {"logn": False}]
)
def test_ablations_learn(tiny_encoder: Path, change: dict[str, Any]) -> None:
    nlp = make_nlp(tiny_encoder, {**MODEL, "encoder": {**MODEL["encoder"], **change}})
    history = train(nlp, 15)
    assert history[-1] < 0.5 * history[0]


def test_deberta_and_bfloat16_learn(tiny_deberta: Path) -> None:
    nlp = make_nlp(tiny_deberta, {**MODEL, "mixed_precision": True})
    history = train(nlp, 20)
    assert history[-1] < 0.5 * history[0]


def test_encoder_rate_is_of_whole_encoders() -> None:
    """LoRA's weights are as new as the head's, and trained at its rate."""
    for lora, expected in ((None, 0.1), ({"rank": 2, "alpha": 4}, 1.0)):
        nlp = spacy.blank("en")
        model = {**MODEL, "encoder": {**MODEL["encoder"], "lora": lora}}
        sener = nlp.add_pipe("sener", config={"model": model})
        assert sener.model.shims[0].encoder_rate == expected


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_encoder_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ValueError, match=f"encoder_rate is {rate}"):
        spacy.blank("en").add_pipe("sener", config={"model": {**MODEL, "encoder_rate": rate}})


def test_default_optimizer_learns(tiny_encoder: Path) -> None:
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("sener", config={"max_pieces": 60, "model": MODEL})
    nlp.config["initialize"]["components"]["sener"] = {"encoder": str(tiny_encoder)}
    optimizer = nlp.initialize(lambda: examples(nlp))
    history = [nlp.update(examples(nlp), sgd=optimizer)["sener"] for _ in range(50)]
    assert history[-1] < 0.6 * history[0]


def test_smoothing_draws_gold_cells_and_gold_marks_to_less_than_1(tiny_encoder: Path) -> None:
    nlp = make_nlp(tiny_encoder)
    sener, [example] = nlp.get_pipe("sener"), examples(nlp)[:1]
    bands, _ = sener.model.begin_update([example.predicted])
    plain, smooth = [], []
    for smoothing, found in ((0.0, plain), (0.4, smooth)):
        sener.cfg["label_smoothing"] = smoothing
        _, [gradient] = sener.get_loss([example], bands)
        found += [of_one.flatten() for of_one in gradient]
    cells, marks = (after - before for before, after in zip(plain, smooth, strict=True))
    n_ends = 2 * len(example.reference.spans["sc"])
    # The gradient in a logit is the probability less its target, of which 0.4 / 2 is taken off.
    assert cells[cells.abs() > 1e-6].tolist() == pytest.approx([0.2] * n_ends, abs=1e-5)
    assert marks[marks.abs() > 0.1].tolist() == pytest.approx([0.2] * n_ends, abs=1e-5)
    assert (marks > -1e-6).all()
