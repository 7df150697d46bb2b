"""Self-training, through the command and from Python: what is learned from, and what comes out."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from self_trained import (
    DATA,
    EMPTY,
    NAMES,
    gold_examples,
    make_gliner_pipeline,
    make_pipeline,
    save_gold,
)
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from test_span_table import pipeline as cnn_pipeline
from typer.testing import CliRunner, Result

import spacy_sener.cli  # noqa: F401 - the import adds the commands, as spaCy's entry points do
from spacy_sener.cli.self_train import self_train_files
from spacy_sener.corpora.files import folder_written_whole
from spacy_sener.self_training import LOWEST_SCORE, Settings, annotate, evaluate, self_train, train

TEXTS = [*(text for text, _ in DATA), EMPTY]
FAST = Settings(threshold=0.5, steps=20, learn_rate=3e-3, encoder_learn_rate=6e-4)
FAST_OPTIONS = ("--threshold", "0.5", "--steps", "20", "--learn-rate", "3e-3")
FAST_OPTIONS += ("--encoder-learn-rate", "6e-4")


@pytest.fixture(scope="session")
def half_trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(tiny_encoder, steps=6)
    nlp.add_pipe("sentencizer", first=True)
    nlp.meta["performance"] = {"spans_sc_f": 0.99, "spans_sc_per_type": {}, "speed": 5.0}
    folder = tmp_path_factory.mktemp("half_trained") / "pipeline"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def nlp(half_trained: Path) -> Language:
    return spacy.load(half_trained)


def texts(nlp: Language) -> list[Doc]:
    return [Doc(nlp.vocab, words=text.split()) for text in TEXTS]


def write_texts(folder: Path) -> Path:
    path = folder / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "self-train", *map(str, arguments)])


def shown(result: Result) -> str:
    return " ".join(result.output.split())


def weights(nlp: Language, name: str = "sener") -> dict[str, np.ndarray]:
    module = nlp.get_pipe(name).model.shims[0].module
    return {key: tensor.numpy().copy() for key, tensor in module.state_dict().items()}


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(left[key], right[key]) for key in left)


# The command


def test_the_command_from_end_to_end(half_trained: Path, tmp_path: Path) -> None:
    gold = save_gold(tmp_path / "gold.spacy", DATA)
    output, report = tmp_path / "new" / "out", tmp_path / "figures.json"
    files = (half_trained, write_texts(tmp_path), output, "--gold", gold, "--report", report)
    result = command(*files, *FAST_OPTIONS)
    assert result.exit_code == 0, result.output
    done = json.loads(report.read_text())
    assert done["component"] == "sener"
    assert done["texts"] == len(TEXTS) == done["examples"] + done["left_out"]
    assert done["left_out"] > 0
    assert sum(done["spans_per_label"].values()) == done["spans"] > 0
    assert len(done["losses"]) == done["steps"] == 20
    assert np.mean(done["losses"][-5:]) < np.mean(done["losses"][:5])
    assert done["before"]["f"] < done["after"]["f"]
    table = dict(line.split(maxsplit=1) for line in result.output.splitlines() if "After" in line)
    assert table["After"].split() == [f"{100 * done['after'][name]:.2f}" for name in "prf"]
    assert f"{done['left_out']} text(s) or segments left out" in shown(result)

    nlp = spacy.load(output)
    assert nlp.pipe_names == ["sentencizer", "sener"]
    assert evaluate(nlp, "sener", gold_examples(nlp, DATA)) == pytest.approx(done["after"])
    figures = {f"spans_sc_{name}": value for name, value in done["after"].items()}
    assert nlp.meta["performance"] == pytest.approx({"speed": 5.0, **figures})
    # What was changed for the run only is as it was.
    before, after = (spacy.load(path).get_pipe("sener").cfg for path in (half_trained, output))
    assert before == after
    assert [path.name for path in output.parent.iterdir()] == ["out"]


def test_without_gold(half_trained: Path, tmp_path: Path) -> None:
    result = command(half_trained, write_texts(tmp_path), tmp_path / "out", "--steps", 1)
    assert result.exit_code == 0, result.output
    assert "Before" not in result.output
    assert spacy.load(tmp_path / "out").meta["performance"] == {"speed": 5.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--threshold", "0.9999"),
            "no span with a score of 0.9999 or more in 28 text(s): the best",
        ),
        (("--threshold", "2"), "threshold must lie in [0, 1], not 2.0"),
        (("--steps", "0"), "steps must be 1 or more, not 0"),
        (("--learn-rate", "0"), "learn_rate must be above 0"),
        (("--component", "ner"), "'ner' is no component that can be self-trained"),
        (("--component", "sentencizer"), "'sentencizer' is no component that can be self-trained"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    half_trained: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = command(half_trained, write_texts(tmp_path), tmp_path / "out", *options)
    assert result.exit_code == 1
    assert message in shown(result)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_wrong_paths(half_trained: Path, tmp_path: Path) -> None:
    source, output = write_texts(tmp_path), tmp_path / "out"
    assert "Can't find model" in shown(command(tmp_path / "none", source, output))
    (tmp_path / "blank.spacy").write_bytes(DocBin().to_bytes())
    assert "has no texts" in shown(command(half_trained, tmp_path / "blank.spacy", output))
    assert not output.exists()
    assert "is there already" in shown(command(half_trained, source, half_trained))
    gold = DocBin(docs=[spacy.blank("en")("no annotation")])
    gold.to_disk(tmp_path / "gold.spacy")
    result = command(half_trained, source, output, "--gold", tmp_path / "gold.spacy")
    assert result.exit_code == 1
    assert "no annotation in doc.spans['sc']" in shown(result)


def test_an_interruption_leaves_nothing(half_trained: Path, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    source = write_texts(tmp_path)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        with pytest.raises(KeyboardInterrupt):
            self_train_files(
                str(half_trained), source, tmp_path / "out", settings=Settings(steps=10**6)
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "out"

    def half_written() -> None:
        with folder_written_whole(path) as part:
            part.mkdir()
            (part / "half").write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_written()
    assert list((tmp_path / "sub").iterdir()) == []
    (tmp_path / "sub" / ".part-out").mkdir()
    (tmp_path / "sub" / ".part-out" / "of a killed process").write_text("")
    with folder_written_whole(path) as part:
        part.mkdir()
        (part / "whole").write_text("")
    assert [file.name for file in path.iterdir()] == ["whole"]
    assert list((tmp_path / "sub").iterdir()) == [path]
    with pytest.raises(FileExistsError, match="is there already"), folder_written_whole(path):
        pass
    assert [file.name for file in path.iterdir()] == ["whole"]


# What is learned from


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 0.8])
def test_the_threshold_is_kept(nlp: Language, threshold: float) -> None:
    nlp.get_pipe("sener").cfg["threshold"] = 0.6
    found = annotate(nlp, "sener", texts(nlp), threshold=threshold)
    assert nlp.get_pipe("sener").cfg["threshold"] == 0.6

    nlp.get_pipe("sener").cfg["threshold"] = LOWEST_SCORE
    all_docs = list(nlp.pipe(texts(nlp)))
    scored = [
        [
            (span.start, span.end, span.label_, score)
            for span, score in zip(doc.spans["sc"], doc.spans["sc"].attrs["scores"], strict=True)
        ]
        for doc in all_docs
    ]
    sure = [[one[:3] for one in spans if one[3] >= np.float32(threshold)] for spans in scored]
    assert [
        [(span.start, span.end, span.label_) for span in doc.spans["sc"]] for doc in found.docs
    ] == [spans for spans in sure if spans]
    n_sure = sum(map(len, sure))
    assert found.labels.total() == n_sure
    assert found.n_uncertain == sum(map(len, scored)) - n_sure
    assert found.n_left_out == sure.count([])
    assert found.best == pytest.approx(max(score for spans in scored for *_, score in spans))


def test_no_span_at_all(nlp: Language) -> None:
    docs = [Doc(nlp.vocab, words=["books"])]
    with pytest.raises(ValueError, match=r"0\.5 or more in 1 text\(s\): no span .*down to 0\.05"):
        annotate(nlp, "sener", docs, threshold=0.5)


def test_no_text(nlp: Language) -> None:
    with pytest.raises(ValueError, match="no texts to learn from"):
        self_train(nlp, [])


def test_long_documents_are_learned_in_segments(nlp: Language) -> None:
    words = [word for text in (TEXTS[0], EMPTY, EMPTY, TEXTS[1]) for word in text.split()]
    [whole] = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5).docs
    found = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5, max_length=10)
    assert all(len(doc) <= 10 for doc in found.docs)
    assert found.n_left_out > 0
    assert found.n_cut == 0
    texts_of = [[span.text for span in doc.spans["sc"]] for doc in (whole, *found.docs)]
    assert sorted(texts_of[0]) == sorted(text for some in texts_of[1:] for text in some)
    assert found.labels.total() == len(whole.spans["sc"])

    found = annotate(nlp, "sener", [Doc(nlp.vocab, words=words)], threshold=0.5, max_length=1)
    assert found.n_cut > 0
    assert found.labels.total() + found.n_cut == len(whole.spans["sc"])


# Training


def test_the_same_seed_gives_the_same_result(half_trained: Path) -> None:
    results = []
    for seed in (1, 1, 2):
        nlp = spacy.load(half_trained)
        settings = Settings(**{**FAST.__dict__, "seed": seed, "steps": 6, "batch_size": 5})
        done = self_train(nlp, texts(nlp), settings=settings)
        results.append((done, weights(nlp)))
    assert results[0][0] == results[1][0]
    assert same(results[0][1], results[1][1])
    assert not same(results[0][1], results[2][1])


def test_rates(half_trained: Path) -> None:
    before, nlp = weights(spacy.load(half_trained)), spacy.load(half_trained)
    docs = annotate(nlp, "sener", texts(nlp), threshold=0.5).docs
    train(nlp, "sener", docs, Settings(steps=3, learn_rate=1e-3, encoder_learn_rate=0))
    after = weights(nlp)
    changed = {key.split(".")[0] for key in before if not np.array_equal(before[key], after[key])}
    assert changed == {"table"}
    # AdamW moves each weight by the rate at most, and the rate falls to 0: 1 + 2/3 + 1/3.
    largest = max(float(np.abs(after[key] - before[key]).max()) for key in before)
    assert 0.5e-3 < largest < 2.2e-3


def test_label_smoothing_reaches_the_loss(half_trained: Path) -> None:
    losses = {}
    for smoothing in (0.0, 0.5):
        nlp = spacy.load(half_trained)
        docs = annotate(nlp, "sener", texts(nlp), threshold=0.5).docs
        settings = Settings(steps=1, batch_size=100, label_smoothing=smoothing)
        [losses[smoothing]] = train(nlp, "sener", docs, settings)
        assert nlp.get_pipe("sener").cfg["label_smoothing"] == 0
    assert losses[0.0] != pytest.approx(losses[0.5], rel=1e-4)


def test_settings_are_as_before_after_a_failure(nlp: Language) -> None:
    cfg = dict(nlp.get_pipe("sener").cfg)

    def broken() -> Iterator[Doc]:
        yield from texts(nlp)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        self_train(nlp, broken())
    assert nlp.get_pipe("sener").cfg == cfg


def test_a_component_that_listens_to_a_shared_tok2vec() -> None:
    nlp = cnn_pipeline(shared=True)
    before = nlp.get_pipe("tok2vec").model.to_bytes()
    table = weights(nlp)
    settings = Settings(threshold=0.0001, steps=3, learn_rate=1e-3)
    done = self_train(nlp, [nlp.make_doc(text) for text in TEXTS], settings=settings)
    assert nlp.get_pipe("tok2vec").model.to_bytes() == before
    assert not same(weights(nlp), table)
    assert done["losses"][-1] < done["losses"][0]


def test_of_two_components_one_has_to_be_named(nlp: Language, half_trained: Path) -> None:
    nlp.add_pipe("sener", name="other", source=spacy.load(half_trained))
    with pytest.raises(ValueError, match=r"\['sener', 'other'\]"):
        self_train(nlp, texts(nlp))
    before = weights(nlp, "sener"), weights(nlp, "other")
    done = self_train(nlp, texts(nlp), component="other", settings=FAST)
    assert done["component"] == "other"
    assert same(weights(nlp, "sener"), before[0])
    assert not same(weights(nlp, "other"), before[1])


def test_a_pipeline_without_such_a_component() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match=r"of \['sentencizer'\] these are such: none"):
        self_train(nlp, [nlp.make_doc("one")])


def test_gold_documents_are_asked_for_their_own_labels(nlp: Language) -> None:
    examples: list[Any] = gold_examples(nlp, DATA[:2])
    examples[0].reference._.gliner_labels = ["PER"]
    seen = []
    Language.component("see_labels", func=lambda doc: seen.append(doc._.gliner_labels) or doc)
    nlp.add_pipe("see_labels")
    evaluate(nlp, "sener", examples)
    assert seen == [["PER"], None]
    assert examples[0].predicted._.gliner_labels is None


def test_the_folder_can_be_moved_and_trained_on(half_trained: Path, tmp_path: Path) -> None:
    source, first, second = write_texts(tmp_path), tmp_path / "first", tmp_path / "second"
    for model, output in ((half_trained, first), (first, second)):
        result = command(model, source, output, "--steps", 2, "--threshold", 0.5)
        assert result.exit_code == 0, result.output
        if output == first:
            shutil.move(first, tmp_path / "moved")
            shutil.move(tmp_path / "moved", first)
    assert spacy.load(second).pipe_names == ["sentencizer", "sener"]


# The other component


def test_gliner_multitask(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = make_gliner_pipeline(tiny_encoder, steps=15)
    nlp.to_disk(tmp_path / "model")
    gold = save_gold(tmp_path / "gold.spacy", NAMES)
    lines = [{"text": text} for text in TEXTS[:-1]]
    lines.append({"text": TEXTS[0], "gliner_labels": {"named": "name"}})
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    files = (tmp_path / "model", tmp_path / "texts.jsonl", tmp_path / "out")
    options = ("--threshold", 0.5, "--steps", 20, "--learn-rate", 3e-3, "--label-smoothing", 0.1)
    report = tmp_path / "figures.json"
    result = command(*files, *options, "--gold", gold, "--report", report)
    assert result.exit_code == 0, result.output
    done = json.loads(report.read_text())
    assert done["component"] == "gliner_multitask"
    assert np.mean(done["losses"][-5:]) < np.mean(done["losses"][:5])
    assert set(done["spans_per_label"]) == {"name", "named"}
    assert done["after"]["f"] > 0.8
    trained = spacy.load(tmp_path / "out")
    assert evaluate(trained, "gliner_multitask", gold_examples(trained, NAMES)) == done["after"]
    assert trained.get_pipe("gliner_multitask").cfg == nlp.get_pipe("gliner_multitask").cfg


def test_gliner_multitask_learns_what_each_document_was_asked_for(tiny_encoder: Path) -> None:
    nlp = make_gliner_pipeline(tiny_encoder, steps=15)
    docs = texts(nlp)[:2]
    docs[1]._.gliner_labels = {"named": "name"}
    found = annotate(nlp, "gliner_multitask", docs, threshold=0.5)
    labels = [{span.label_ for span in doc.spans["sc"]} for doc in found.docs]
    assert labels == [{"name"}, {"named"}]
    [loss] = train(nlp, "gliner_multitask", found.docs, Settings(steps=1, label_smoothing=0.0))
    # Those that the model reads, it knows: an answer that was no gold span would cost much more.
    found.docs[1]._.gliner_labels = {"named": "named", "name": "name"}
    [other] = train(nlp, "gliner_multitask", found.docs, Settings(steps=1, label_smoothing=0.0))
    assert loss < other


def test_means_of_marks_are_annotated_at_the_threshold(tiny_encoder: Path) -> None:
    """A lower threshold would let spans with one low mark and a high mean take others' places."""
    nlp = make_gliner_pipeline(tiny_encoder, steps=11)
    nlp.get_pipe("gliner_multitask").cfg.update(span_score="mean", overlap="flat", threshold=0.3)
    expected = [
        [(span.start, span.end) for span in doc.spans["sc"]] for doc in nlp.pipe(texts(nlp))
    ]
    found = annotate(nlp, "gliner_multitask", texts(nlp), threshold=0.3)
    assert [[(span.start, span.end) for span in doc.spans["sc"]] for doc in found.docs] == [
        spans for spans in expected if spans
    ]
    assert found.n_uncertain == 0
