"""The component in a pipeline: it learns, answers alike however asked, and comes back whole."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.util import fix_random_seed
from thinc.api import Adam
from tiny_gliner import (
    ALONE,
    OTHER,
    answers,
    component,
    gold,
    marking_pipeline,
    module_of,
    pipeline,
)

from spacy_sener.evaluation.predictions import from_pipeline
from spacy_sener.optimizers import build_adamw_v1
from spacy_sener.prompts import make_prompt

SENTENCES = [
    ("Anna Keller was born in Zurich .", [("Anna Keller", "person"), ("Zurich", "place")]),
    ("The library in Berlin opened .", [("library in Berlin", "house"), ("Berlin", "place")]),
    ("Mary Stone left London .", [("Mary Stone", "person"), ("London", "place")]),
]
LABELS = ["person", "place", "house"]
TEXTS = [
    *(text for text, _ in SENTENCES),
    "",
    " \n ",
    " ".join(text for text, _ in SENTENCES * 4),  # of several windows
    "\u200b",
]


def examples(nlp: Language) -> list[Example]:
    return [gold(nlp, text, spans) for text, spans in SENTENCES]


def train(nlp: Language, steps: int, shown: list[Example] | None = None) -> list[float]:
    """The loss of each step on all of the examples."""
    shown = shown or examples(nlp)
    optimizer = build_adamw_v1(
        head_learn_rate=0.01, encoder_learn_rate=0.003, warmup_steps=0, total_steps=0
    )
    fix_random_seed(0)
    return [nlp.update(shown, sgd=optimizer)["gliner_multitask"] for _ in range(steps)]


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path) -> Language:
    nlp = pipeline(tiny_encoder, labels=LABELS, max_pieces=40)
    train(nlp, 150)
    return nlp


@pytest.fixture
def nlp(tiny_encoder: Path) -> Language:
    """Of random weights, and with a threshold that random scores pass."""
    return pipeline(tiny_encoder, labels=LABELS, max_pieces=40, threshold=0.3)


def scored(doc: Doc) -> tuple[list[tuple[int, int, str]], list[float]]:
    return answers(doc), doc.spans["sc"].attrs["scores"].tolist()


def assert_same(ours: Doc, theirs: Doc) -> None:
    (spans, scores), (expected, expected_scores) = scored(ours), scored(theirs)
    assert spans == expected
    assert scores == pytest.approx(expected_scores, abs=1e-5)


def test_learns_what_it_is_shown(trained: Language) -> None:
    for example in examples(trained):
        doc = trained(example.reference.text)
        expected = {(span.start, span.end, span.label_) for span in example.reference.spans["sc"]}
        assert set(answers(doc)) == expected
    scores = trained.evaluate(examples(trained))
    assert scores["spans_sc_f"] == 1.0
    assert scores["spans_sc_per_length"]["1"]["f"] == 1.0


def test_what_counts_is_what_the_model_reads_for_a_label(trained: Language) -> None:
    doc = trained.make_doc(SENTENCES[0][0])
    doc._.gliner_labels = {"house": "house", "person": "place", "place": "person"}
    assert answers(trained(doc)) == [(0, 2, "place"), (5, 6, "person")]


def test_a_document_is_trained_on_its_own_labels(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["never seen"])
    shown = []
    for text, spans in SENTENCES:
        for label in LABELS:
            example = gold(nlp, text, [span for span in spans if span[1] == label])
            example.reference._.gliner_labels = [label]
            shown.append(example)
    train(nlp, 60, shown)
    for example in shown:
        doc = nlp.make_doc(example.reference.text)
        doc._.gliner_labels = example.reference._.gliner_labels
        expected = {(s.start, s.end, s.label_) for s in example.reference.spans["sc"]}
        assert set(answers(nlp(doc))) == expected
    assert component(nlp).labels == ("never seen",)


def test_evaluation_asks_for_the_labels_of_each_gold_document(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    """Though spaCy's corpora make the predicted documents without them."""
    nlp = marking_pipeline(tiny_encoder, labels=["thing"])
    shown = [gold(nlp, f"{OTHER} {ALONE}", [(ALONE, label)]) for label in ("thing", "city")]
    shown[1].reference._.gliner_labels = {"city": "a town"}
    docs = [each.reference for each in shown]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    read = list(Corpus(tmp_path / "a.spacy")(nlp))
    assert [each.predicted._.gliner_labels for each in read] == [None, None]
    scores = nlp.evaluate(read)
    assert scores["spans_sc_f"] == 1.0
    assert set(scores["spans_sc_per_type"]) == {"thing", "city"}
    run = from_pipeline(nlp, tmp_path / "a.spacy", spans_key="sc")
    found = [[span.label_ for span in each.predicted.spans["sc"]] for each in run.examples]
    assert found == [["thing"], ["city"]]


def test_evaluation_goes_on_where_an_error_handler_does(tiny_encoder: Path) -> None:
    nlp = marking_pipeline(tiny_encoder, labels=["thing"])
    shown = [gold(nlp, f"{OTHER} {ALONE}", [(ALONE, "thing")]) for _ in range(2)]
    shown[0].reference._.gliner_labels = [" "]
    failures: list[Doc] = []
    component(nlp).set_error_handler(lambda name, pipe, docs, error: failures.extend(docs))
    scores = nlp.evaluate(shown)
    assert len(failures) == 1
    assert scores["spans_sc_f"] == 1.0  # what is found for the component's label


@pytest.mark.parametrize(("lora", "expected"), [(None, 0.001), ({"rank": 2, "alpha": 4}, 0.01)])
def test_an_optimizer_of_spacy_trains_the_whole_encoder_at_a_tenth_of_its_rate(
    tiny_encoder: Path, lora: dict[str, int] | None, expected: float
) -> None:
    """The largest change by a first update of Adam is the rate. LoRA's weights are new."""
    encoder = {"@architectures": "spacy-sener.ArrowEncoder.v1", "lora": lora, "logn": False}
    nlp = pipeline(tiny_encoder, labels=LABELS, model={"encoder": encoder})
    before = {name: p.detach().clone() for name, p in module_of(nlp).named_parameters()}
    nlp.update(examples(nlp), sgd=Adam(0.01, L2=0.0, grad_clip=0.0))
    changes = {
        name: float((p.detach() - before[name]).abs().max())
        for name, p in module_of(nlp).named_parameters()
    }
    of_encoder = max(change for name, change in changes.items() if name.startswith("encoder."))
    of_head = max(change for name, change in changes.items() if not name.startswith("encoder."))
    assert (of_encoder, of_head) == pytest.approx((expected, 0.01), rel=1e-2)


def test_labels_may_be_a_list_in_the_settings(trained: Language) -> None:
    gliner = component(spacy.blank("en").from_config(trained.config).from_bytes(trained.to_bytes()))
    gliner.cfg["labels"] = ["person", "place"]
    assert gliner.label_data == {"person": "person", "place": "place"}
    assert gliner.add_label("house") == 1
    assert gliner.label_data == {"person": "person", "place": "place", "house": "house"}


def test_documents_get_the_same_alone_and_in_any_company(nlp: Language) -> None:
    alone = {text: nlp(text) for text in TEXTS}
    assert sum(len(doc.spans["sc"]) for doc in alone.values()) > 20
    for texts, size in ((TEXTS, 2), (TEXTS[::-1], 100), (TEXTS * 2, 3)):
        for text, doc in zip(texts, nlp.pipe(texts, batch_size=size), strict=True):
            assert_same(doc, alone[text])


def test_neighbours_with_other_labels_change_nothing(nlp: Language) -> None:
    labels = [["date"], LABELS, ["work of art", "person"], [f"thing {i}" for i in range(9)]]
    docs = []
    for i in range(8):
        doc = nlp.make_doc(TEXTS[i % 3])
        doc._.gliner_labels = labels[i % 4]
        docs.append(doc)
    alone = [nlp(doc.copy()) for doc in docs]
    assert [doc._.gliner_labels for doc in alone] == [labels[i % 4] for i in range(8)]
    for doc, expected in zip(nlp.pipe(docs), alone, strict=True):
        assert_same(doc, expected)


def test_several_processes_answer_alike(nlp: Language) -> None:
    docs = [nlp.make_doc(text) for text in TEXTS[:4]]
    docs[1]._.gliner_labels = {"X": "place"}
    expected = [nlp(doc.copy()) for doc in docs]
    for doc, other in zip(nlp.pipe(docs, n_process=2, batch_size=2), expected, strict=True):
        assert_same(doc, other)


def test_scores_are_in_order_beside_their_spans(nlp: Language) -> None:
    doc = nlp(TEXTS[5])
    group = doc.spans["sc"]
    assert group.attrs["scores"].dtype == np.float32
    assert len(group) == len(group.attrs["scores"])
    assert [span.start for span in group] == sorted(span.start for span in group)
    assert all(0.3 <= score <= 1 for score in group.attrs["scores"])


def test_find_writes_nothing_and_takes_its_own_settings(nlp: Language) -> None:
    doc, gliner = nlp.make_doc(TEXTS[5]), component(nlp)
    prompt = make_prompt(LABELS)
    (everything,) = gliner.find(
        [doc], [prompt], threshold=0.0, overlap="any", labels_per_span="many"
    )
    (few,) = gliner.find([doc], [prompt], threshold=0.6)
    (own,) = gliner.find([doc], [prompt])
    assert not doc.spans
    assert len(everything) > len(own) > len(few)
    assert min(few.attrs["scores"], default=1) > 0.6
    assert own.name == "sc"
    (flat,) = gliner.find([doc], [prompt], overlap="flat")
    assert len(spacy.util.filter_spans(list(flat))) == len(flat) > 0


def test_entities_are_the_best_spans_that_do_not_overlap(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=LABELS, threshold=0.3, set_ents=True)
    doc = nlp(TEXTS[5])
    group = doc.spans["sc"]
    scores = dict(zip(group, group.attrs["scores"], strict=True))
    assert 0 < len(doc.ents) < len(group)
    best = max(group, key=lambda span: scores[span])
    ents = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
    assert ents <= {(span.start, span.end, span.label_) for span in group}
    assert any(
        scores[span] == scores[best] and (span.start, span.end, span.label_) in ents
        for span in group
    )


def test_labels_are_names_or_descriptions_and_may_change(nlp: Language) -> None:
    gliner = component(nlp)
    assert gliner.labels == tuple(LABELS)
    assert gliner.label_data == {label: label for label in LABELS}
    gliner.set_labels({"WHERE": "place", "WHO": "person"})
    described = nlp(TEXTS[0])
    gliner.set_labels(["place", "person"])
    plain = nlp(TEXTS[0])
    names = {"WHERE": "place", "WHO": "person"}
    assert [(a, b, names[label]) for a, b, label in answers(described)] == answers(plain)
    assert gliner.add_label("date") == 1
    assert gliner.add_label("date") == 0
    assert gliner.labels == ("place", "person", "date")


def test_a_list_of_labels_that_was_set_by_hand_is_saved(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=LABELS)
    component(nlp).cfg["labels"] = ["place", "person"]
    expected = answers(nlp(TEXTS[0]))
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    assert component(again).label_data == {"place": "place", "person": "person"}
    assert answers(again(TEXTS[0])) == expected


def test_many_labels_are_asked_in_passes(nlp: Language) -> None:
    gliner, doc = component(nlp), nlp.make_doc(TEXTS[5])
    labels = [f"{word} {i}" for i in range(125) for word in ("person", "place", "house", "date")]
    everything = {"threshold": 0.3, "overlap": "any", "labels_per_span": "many"}
    prompt = make_prompt(labels)
    windows = gliner.model.predict([(doc, prompt)]).layout.windows
    passes = sorted({window.labels for window in windows})
    assert len(passes) > 50
    (together,) = gliner.find([doc], [prompt], **everything)
    found = {
        (span.start, span.end, span.label_): score
        for span, score in zip(together, together.attrs["scores"], strict=True)
    }
    one_by_one = {}
    for begin, end in passes:
        (group,) = gliner.find([doc], [make_prompt(labels[begin:end])], **everything)
        for span, score in zip(group, group.attrs["scores"], strict=True):
            one_by_one[span.start, span.end, span.label_] = score
    assert len(found) > 500
    assert found.keys() == one_by_one.keys()
    assert found == pytest.approx(one_by_one, abs=1e-5)


def test_bytes_and_disk_bring_back_the_same_answers(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "saved")
    from_disk = spacy.load(tmp_path / "saved")
    from_bytes = spacy.blank("en", config=trained.config).from_bytes(trained.to_bytes())
    for nlp in (from_disk, from_bytes):
        assert component(nlp).labels == tuple(LABELS)
        for text in TEXTS:
            assert_same(nlp(text), trained(text))


def test_a_new_process_without_network_or_encoder_gives_the_same_answers(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "saved")
    assert "encoders" not in (tmp_path / "saved" / "config.cfg").read_text()
    script = (
        "import socket, spacy\n"
        "def refuse(*_): raise AssertionError('the network is asked')\n"
        "socket.socket.connect = refuse\n"
        f"doc = spacy.load({str(tmp_path / 'saved')!r})({TEXTS[5]!r})\n"
        "print([(s.start, s.end, s.label_) for s in doc.spans['sc']])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == str(answers(trained(TEXTS[5])))


def test_it_trains_on_after_loading(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "saved")
    nlp = spacy.load(tmp_path / "saved")
    (loss,) = train(nlp, 1)
    for parameter in component(nlp).model.shims[0].module.parameters():
        parameter.data.normal_(0, 0.3)
    assert loss < 0.1 * train(nlp, 1)[0]
