"""`python -m spacy sener init-config`, through spaCy's own command line, and its choices."""

from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import load_config
from typer.testing import CliRunner, Result

import spacy_sener.cli.init_config  # noqa: F401 - the import adds the command
from spacy_sener.corpora.segments import cut
from spacy_sener.statistics.advice import Advisor, Encoder
from spacy_sener.statistics.corpus import CorpusStatistics, count
from spacy_sener.statistics.lengths import Lengths

SMALL = Encoder("small", width=384, pieces_per_token=1.25, measured=True)
LARGE = Encoder("large", width=1024, pieces_per_token=1.25, measured=False)
TEXTS = [
    "Anna Keller worked at the University of Zurich from 2009 until 2014 .",
    "Peter Brown is director of the Royal Society .",
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def corpus_path(tmp_path: Path) -> Path:
    nlp, docs = spacy.blank("en"), DocBin()
    for text in TEXTS:
        doc = nlp.make_doc(text)
        for key in ("sc", "mine"):
            doc.spans[key] = [Span(doc, 0, 2, "PERSON"), Span(doc, 3, 8, "JOB")]
        docs.add(doc)
    docs.to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def test_a_config_that_trains_at_once(
    corpus_path: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    path, out = tmp_path / "new" / "my.cfg", tmp_path / "out"
    options = ["--corpus", corpus_path, "--dev", corpus_path, "--encoder", tiny_encoder]
    options += ["--spans-key", "mine", "--labels", "PERSON, JOB"]
    result = run("sener", "init-config", path, *options)
    assert result.exit_code == 0, result.output
    assert (
        "components.sener.model.span_window = 16: the longest span needs 4 tokens." in result.output
    )
    assert f"python -m spacy train {path} --output out" in result.output
    assert path.read_text().startswith(f"# Chosen for {corpus_path}: 2")
    assert "Config is valid" in run("debug", "config", path).output
    steps = ["--training.max_steps", 2, "--training.eval_frequency", 1]
    result = run("train", path, "--output", out, *steps)
    assert result.exit_code == 0, result.output
    nlp = spacy.load(out / "model-last")
    assert nlp.get_pipe("sener").labels == ("PERSON", "JOB")
    assert nlp.get_pipe("sener").key == "mine"
    assert "mine" in nlp(TEXTS[0]).spans


@pytest.mark.parametrize(("annotated", "empty"), [(slice(None), 1.0), (slice(1), 0.25)])
def test_a_config_that_trains_on_segments_of_long_documents(
    tiny_encoder: Path, tmp_path: Path, annotated: slice, empty: float
) -> None:
    nlp = spacy.blank("en")
    doc = nlp.make_doc(" ".join(TEXTS * 150))
    starts = [token.i for token in doc if token.text == "Anna"][annotated]
    doc.spans["mine"] = [Span(doc, i, i + 2, "PERSON") for i in starts]
    train, dev = tmp_path / "train.spacy", tmp_path / "dev.spacy"
    DocBin(docs=[doc]).to_disk(train)
    short = doc[:22].as_doc()
    short.spans["mine"] = [Span(short, 0, 2, "PERSON")]
    DocBin(docs=[short]).to_disk(dev)
    path, out = tmp_path / "my.cfg", tmp_path / "out"
    options = ["--corpus", train, "--dev", dev, "--encoder", tiny_encoder, "--spans-key", "mine"]
    result = run("sener", "init-config", path, *options)
    assert result.exit_code == 0, result.output
    corpora = load_config(path, interpolate=True)["corpora"]
    assert corpora["train"] == {
        "@readers": "spacy-sener.SegmentCorpus.v1",
        "path": str(train),
        "longest": 1_000,
        "spans_key": "mine",
        "empty": empty,
        "limit": 0,
        "augmenter": None,
    }
    assert corpora["dev"]["@readers"] == "spacy.Corpus.v1"
    steps = ["--training.max_steps", 2, "--training.eval_frequency", 2]
    result = run("train", path, "--output", out, *steps)
    assert result.exit_code == 0, result.output
    assert "mine" in spacy.load(out / "model-last")(TEXTS[0]).spans


def test_a_config_for_a_gpu_names_an_encoder_that_is_elsewhere(
    corpus_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "my.cfg"
    result = run("sener", "init-config", path, "--corpus", corpus_path, "--gpu")
    assert result.exit_code == 0, result.output
    assert "--paths.dev DEV.spacy --gpu-id 0" in result.output
    config = load_config(path, interpolate=True)
    assert config["initialize"]["components"]["sener"]["encoder"] == "microsoft/deberta-v3-base"
    assert config["components"]["sener"]["model"]["mixed_precision"] is True
    assert config["components"]["sener"]["model"]["encoder"]["lora"] == {"rank": 8, "alpha": 16}
    assert "Config is valid" in run("debug", "config", path, "--paths.dev", corpus_path).output


def test_a_config_on_the_screen(corpus_path: Path, tiny_encoder: Path) -> None:
    result = run("sener", "init-config", "-", "--corpus", corpus_path, "--encoder", tiny_encoder)
    assert result.exit_code == 0
    assert "\n[components.sener]\n" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "PERSON"], "The corpus also has the label(s) ['JOB']"),
        (["--labels", "PERSON"], "One with a comma cannot be named here: leave --labels out"),
        (["--labels", "PERSON,JOB,PLACE"], "No span has the label(s) ['PLACE']"),
        (["--spans-key", "other"], "Keys that have some: 'mine', 'sc'; name it with --spans-key"),
        (["--spans-key", "my:key"], "--spans-key should be without ':'"),
        (["--encoder", "./nowhere"], "there is no such folder"),
        (["--lang", "english"], "--lang should be a code such as en"),
    ],
)
def test_what_cannot_be(
    corpus_path: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    path = tmp_path / "my.cfg"
    result = run("sener", "init-config", path, "--corpus", corpus_path, *options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert not path.exists()


def test_data_to_evaluate_on_that_cannot_be(corpus_path: Path, tmp_path: Path) -> None:
    """What training would only show as an F of 0."""
    doc = spacy.blank("en").make_doc(TEXTS[0])
    doc.spans["sc"] = []
    DocBin(docs=[doc]).to_disk(tmp_path / "bare.spacy")
    (tmp_path / "dev.jsonl").write_text("{}")
    for name, message in [
        ("bare.spacy", "has no annotation in doc.spans['sc']"),
        ("dev.jsonl", "is no .spacy file. Make one of it: python -m spacy sener convert"),
    ]:
        options = ["--corpus", corpus_path, "--dev", tmp_path / name]
        result = run("sener", "init-config", tmp_path / "my.cfg", *options)
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())
    assert not (tmp_path / "my.cfg").exists()


def test_what_a_config_cannot_say(tiny_encoder: Path, tmp_path: Path) -> None:
    """It would train on another label, or from another folder, than was named."""
    doc = spacy.blank("en").make_doc("It cost 12 US$ .")
    doc.spans["sc"] = [Span(doc, 2, 4, "US$")]
    folder = tmp_path / "d$x"
    folder.mkdir()
    for path in (tmp_path / "train.spacy", folder / "train.spacy"):
        DocBin(docs=[doc]).to_disk(path)
    options = ["--encoder", tiny_encoder]
    of_label = [*options, "--corpus", tmp_path / "train.spacy", "--labels", "US$"]
    result = run("sener", "init-config", tmp_path / "my.cfg", *of_label)
    assert result.exit_code == 1
    assert "labels cannot be" in " ".join(result.output.split())
    result = run("sener", "init-config", tmp_path / "my.cfg", *options, "--corpus", path)
    assert result.exit_code == 1
    assert "paths.train cannot be" in " ".join(result.output.split())
    assert not (tmp_path / "my.cfg").exists()


def test_a_folder_without_an_encoder(corpus_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    command = ["sener", "init-config", "-", "--corpus", corpus_path, "--encoder", folder]
    result = run(*command)
    assert result.exit_code == 1
    assert "holds no config of an encoder: looked for config.json" in " ".join(
        result.output.split()
    )
    (folder / "config.json").write_text("{}")
    result = run(*command)
    assert result.exit_code == 1
    shown = " ".join(result.output.split())
    assert "can't read the config" in shown
    assert "`model_type`" in shown
    assert len(shown) < 1000, "not all models that transformers knows"


def test_a_file_stays_without_force(corpus_path: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    path = tmp_path / "my.cfg"
    path.write_text("mine")
    command = ["sener", "init-config", path, "--corpus", corpus_path, "--encoder", tiny_encoder]
    assert run(*command).exit_code == 1
    assert path.read_text() == "mine"
    assert run(*command, "--force").exit_code == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("folder", [], "folder is a folder: name a file to write"),
        ("folder", ["--force"], "folder is a folder: name a file to write"),
        ("train.spacy/my.cfg", [], "train.spacy is a file: name a folder to write to"),
    ],
)
def test_a_file_that_cannot_be_written(
    corpus_path: Path, tmp_path: Path, path: str, options: list[str], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    result = run("sener", "init-config", tmp_path / path, "--corpus", corpus_path, *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    shown = "".join(result.output.split())
    assert message.replace(" ", "") in shown
    assert "span_window" not in shown, "it is said before the work"


def corpus(documents: dict[int, int], **labels: dict[int, int]) -> CorpusStatistics:
    counted = {label: Lengths(lengths) for label, lengths in labels.items()}
    return CorpusStatistics("sc", documents=Lengths(documents), labels=counted)


@pytest.mark.parametrize(
    ("labels", "window"),
    [
        ({"A": {17: 99, 18: 1}}, 16),
        ({"A": {17: 98, 18: 2}}, 32),
        ({"A": {17: 98_000, 129: 1_000, 400: 1_000}}, 128),  # 1 % are not worth the doubling
        ({"A": {2: 9_980}, "B": {60: 20}}, 64),  # few of all, but all of a label
        ({"A": {2: 9_991}, "B": {60: 9}}, 16),  # so few of a label cannot be learned anyway
        ({"A": {200: 9, 600: 1}}, 128),
    ],
)
def test_window(labels: dict[str, dict[int, int]], window: int) -> None:
    assert Advisor(corpus({700: 10}, **labels), SMALL, gpu=False).window == window


def test_a_gpu_has_a_wider_table_for_long_spans() -> None:
    long, short = corpus({700: 10}, A={200: 9}), corpus({700: 10}, A={100: 9})
    found = [
        Advisor(data, SMALL, gpu=gpu).window for data in (long, short) for gpu in (False, True)
    ]
    assert found == [128, 256, 128, 128]


def test_spans_beyond_the_window_are_in_reach() -> None:
    choices = {
        choice.setting: choice
        for choice in Advisor(
            corpus({700: 10}, A={17: 99, 300: 1}, B={17: 999, 600: 1}), SMALL, gpu=False
        ).choices()
    }
    window, reach = (choices[f"components.sener.model.{x}"] for x in ("span_window", "reach"))
    assert window.value == 16
    assert "of 2 longer ones 1 can be found by their ends" in window.reason
    assert reach.value == spacy.blank("en").add_pipe("sener").model.attrs["reach"]
    assert "1 of 1,100 spans will never be found (B 1)" in reach.reason


def test_spans_longer_than_window_and_reach_are_said_to_be_lost() -> None:
    data = corpus({700: 10}, A={200: 90, 600: 10})
    choices = {x.setting: x for x in Advisor(data, SMALL, gpu=False).choices()}
    window, reach = (choices[f"components.sener.model.{x}"] for x in ("span_window", "reach"))
    assert "of 100 longer ones 90 can be found by their ends" in window.reason
    assert "10 of 100 spans will never be found" in reach.reason


def test_windows_of_documents() -> None:
    def max_pieces(length: int) -> int:
        return Advisor(corpus({length: 50}, A={2: 500}), SMALL, gpu=False).max_pieces

    assert max_pieces(400) == 2048
    assert max_pieces(2_000) == 4096  # instead of two windows for each
    assert max_pieces(60_000) == 4096  # of which little overlaps


def values_of(advisor: Advisor) -> dict[str, object]:
    return {choice.setting: choice.value for choice in advisor.choices()}


def test_long_documents_are_cut_to_train_on() -> None:
    data = corpus({400: 300, 70_000: 2}, A={250: 50})
    for gpu, longest in ((False, 1_000), (True, 2_000)):
        choices = {choice.setting: choice for choice in Advisor(data, SMALL, gpu=gpu).choices()}
        assert choices["corpora.train.@readers"].value == "spacy-sener.SegmentCorpus.v1"
        assert choices["corpora.train.longest"].value == longest
        assert choices["corpora.train.spans_key"].value == "sc"
        assert "2 of 302 documents are longer" in choices["corpora.train.longest"].reason
        assert not any("corpora.dev" in setting for setting in choices)
    assert "documents and segments are longer" in choices["training.batcher.size"].reason


def test_short_documents_are_trained_on_whole() -> None:
    for gpu, length in ((False, 1_000), (True, 2_000)):
        settings = values_of(Advisor(corpus({length: 50}, A={250: 50}), SMALL, gpu=gpu))
        assert not any(setting.startswith("corpora") for setting in settings)


def test_segments_are_counted_as_the_reader_makes_them() -> None:
    """In text with sentences of 20 tokens and paragraphs of 200."""
    words = ["\n" if i % 200 == 199 else "." if i % 20 == 19 else "a" for i in range(30_000)]
    doc = Doc(spacy.blank("en").vocab, words=words)
    advisor = Advisor(corpus({len(doc): 1, 500: 9}, A={2: 500}), SMALL, gpu=False)
    segments = list(cut(doc, advisor.longest))
    assert advisor.trained[500] == 9
    assert advisor.trained.total() - 9 == pytest.approx(len(segments), rel=0.2)
    assert advisor.trained.sum_of_lengths == pytest.approx(34_500, rel=0.001)


def sparse(n_tokens: int, every: int) -> Doc:
    """Sentences of 20 tokens, and a span of two tokens in as many."""
    words = ["." if i % 20 == 19 else "a" for i in range(n_tokens)]
    doc = Doc(spacy.blank("en").vocab, words=words)
    doc.spans["sc"] = [Span(doc, i, i + 2, "A") for i in range(every // 2, n_tokens, every)]
    return doc


@pytest.mark.parametrize(("every", "empty"), [(3_000, 0.25), (500, None)])
def test_few_segments_without_spans_are_trained_on(every: int, empty: float | None) -> None:
    docs = [sparse(30_000, every), sparse(400, 1_000)]
    examples = [Example(Doc(doc.vocab, words=[t.text for t in doc]), doc) for doc in docs]
    data = count(examples, "sc")
    advisor = Advisor(data, SMALL, gpu=False)
    segments = [segment for doc in docs for segment in cut(doc, advisor.longest)]
    n_empty = sum(not segment.spans["sc"] for segment in segments)
    assert advisor.share_empty == pytest.approx(n_empty / len(segments), abs=0.05)
    assert values_of(advisor).get("corpora.train.empty") == empty
    assert "corpora.train.empty" not in values_of(Advisor(data, SMALL, gpu=True))


def test_documents_without_spans_are_thinned_though_none_is_long() -> None:
    data = corpus({500: 40}, A={2: 500})
    updates = Advisor(data, SMALL, gpu=False).updates
    data.without_spans = Lengths({500: 20})
    choices = {x.setting: x for x in Advisor(data, SMALL, gpu=False).choices()}
    assert choices["corpora.train.@readers"].value == "spacy-sener.SegmentCorpus.v1"
    assert choices["corpora.train.empty"].value == 0.25
    assert "50 % or more" in choices["corpora.train.empty"].reason
    assert Advisor(data, SMALL, gpu=False).updates == updates * (1 - 0.75 / 2)


def test_steps_follow_from_documents() -> None:
    small = Advisor(corpus({20: 1_000}, A={2: 500}), SMALL, gpu=False)
    assert small.updates == 40  # of 25 documents
    assert small.max_steps == 500
    tiny = Advisor(corpus({5: 2}, A={2: 2}), SMALL, gpu=False)
    reasons = {choice.setting: choice.reason for choice in tiny.choices()}
    assert reasons["training.max_steps"].startswith("500.0 epochs of 1 updates")
    long = Advisor(corpus({9_000: 400}, A={250: 500}), SMALL, gpu=False)
    assert long.updates == 4_400  # of one segment
    assert 1 < long.seconds < 5
    assert long.max_steps == 2_000
    steps = {choice.setting: choice for choice in long.choices()}
    assert "think of a GPU" in steps["training.max_steps"].reason
    assert steps["training.optimizer.total_steps"].value == 2_000
    assert "components.sener.model.recompute" not in steps  # no window of segments is long


def test_small_updates_are_hardly_clipped() -> None:
    for gpu, clip in ((False, 100.0), (True, None)):  # None: the optimizer's default
        settings = values_of(Advisor(corpus({400: 50}, A={20: 50}), SMALL, gpu=gpu))
        assert settings.get("training.optimizer.grad_clip") == clip


def test_the_papers_training_for_the_papers_corpus() -> None:
    """16 documents in an update and 30 epochs: 3,936 updates in the paper."""
    paper = corpus({433: 2_099}, A={12: 20_000})
    values = {x.setting: x.value for x in Advisor(paper, LARGE, gpu=True).choices()}
    assert values["training.max_steps"] == pytest.approx(3_936, rel=0.02)
    assert values["components.sener.model.recompute"] is True
    assert values["training.optimizer.encoder_learn_rate"] == 0.0004
    model = "components.sener.model"
    assert values[f"{model}.encoder.lora"] == {"rank": 8, "alpha": 16}
    regularised = [values[f"{model}.{name}"] for name in ("token_dropout", "span_dropout")]
    assert [*regularised, values[f"{model}.masking"]] == [0.4, 0.2, 0.15]


@pytest.mark.parametrize(
    ("counts", "overlap", "labels"),
    [
        ((0, 0, 0), "flat", "one"),
        ((20, 5, 0), "nested", "one"),
        ((20, 20, 20), "any", "many"),
        ((0, 0, 20), "nested", "many"),
    ],
)
def test_overlaps(counts: tuple[int, int, int], overlap: str, labels: str) -> None:
    data = corpus({400: 100}, A={2: 1_000})
    data.nested, data.crossing, data.further_labels = counts
    values = {x.setting: x.value for x in Advisor(data, SMALL, gpu=False).choices()}
    assert values["components.sener.overlap"] == overlap
    assert values["components.sener.labels_per_span"] == labels


def test_encoders_that_are_not_here_are_guessed_by_name() -> None:
    assert Encoder.look_at("microsoft/deberta-v3-large", ["a"]).width == 1024
    assert Encoder.look_at("microsoft/deberta-v3-base", ["a"]).width == 768
    assert Encoder.look_at("sentence-transformers/all-MiniLM-L6-v2", ["a"]).width == 384


def test_encoders_that_are_here_are_measured(tiny_encoder: Path) -> None:
    encoder = Encoder.look_at(str(tiny_encoder), ["University", "of"])
    assert encoder.width == 32
    assert encoder.measured
    assert encoder.pieces_per_token >= 1
