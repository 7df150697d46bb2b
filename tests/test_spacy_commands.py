"""spaCy's own commands on a pipeline with `sener`: trained, measured, packaged, loaded elsewhere.

They run inside this process, as `python -m spacy` would run them; what must hold in a process of
its own runs in one.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from spacy_command import run

ROOT = Path(__file__).parents[1]
# Words, and spans as (first token, last token, label); the last document has none.
DATA: list[tuple[str, list[tuple[int, int, str]]]] = [
    (
        "Anna Keller worked at the University of Zurich from 2009 until 2014 .",
        [(0, 1, "PERSON"), (5, 7, "SCHOOL"), (2, 11, "JOB")],
    ),
    (
        "She received her PhD from Stanford University in London .",
        [(5, 6, "SCHOOL"), (1, 8, "DEGREE")],
    ),
    ("Peter Brown is director of the Royal Society .", [(0, 1, "PERSON"), (3, 7, "JOB")]),
    ("He has been a visiting scholar in Berlin since 1972 .", [(3, 9, "JOB")]),
    ("They sell small books to many other countries .", []),
]
LABELS = ["DEGREE", "JOB", "PERSON", "SCHOOL"]

# What a user writes, with sizes that train in seconds; `init fill-config` adds the rest.
CONFIG = """
[paths]
train = null
dev = null
encoder = null
labels = null

[system]
seed = 0

[nlp]
lang = "en"
pipeline = ["sener"]

[components]

[components.sener]
factory = "sener"
max_pieces = 128

[components.sener.model]
@architectures = "spacy-sener.SeNER.v1"
span_window = 16
hidden_size = 32
span_size = 16
depth = 1
token_dropout = 0.0
span_dropout = 0.0
masking = 0.0

[components.sener.model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"
piece_window = 16
lora = {"rank": 8, "alpha": 16}

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
max_steps = 60
eval_frequency = 30

[training.optimizer]
@optimizers = "spacy-sener.AdamW.v1"
head_learn_rate = 0.01
encoder_learn_rate = 0.005
warmup_steps = 5
total_steps = 80

[initialize]

[initialize.components]

[initialize.components.sener]
encoder = ${paths.encoder}
"""
READ_LABELS = """
[initialize.components.sener.labels]
@readers = "spacy.read_labels.v1"
path = ${paths.labels}
"""
ADAM = """
[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.005
use_averages = true
"""


class Trained(NamedTuple):
    """Where the files of a training run are."""

    folder: Path  # the saved pipeline
    config: Path
    corpus: Path
    encoder: Path  # gone by now
    output: str


def run_in_a_new_process(*arguments: object, **environment: str) -> str:
    """Likewise, by the program itself, without a network."""
    result = subprocess.run(
        [sys.executable, "-m", "spacy", *map(str, arguments)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def save_corpus(path: Path) -> Path:
    docs = DocBin(store_user_data=True)
    nlp = spacy.blank("en")
    for text, spans in DATA:
        doc = Doc(nlp.vocab, words=text.split())
        doc.spans["sc"] = [Span(doc, start, end + 1, label) for start, end, label in spans]
        docs.add(doc)
    docs.to_disk(path)
    return path


def texts() -> list[str]:
    return [text for text, _ in DATA]


def spans_of(doc: Doc) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label_) for span in doc.spans["sc"]]


def scores_of(doc: Doc) -> list[float]:
    return [float(score) for score in doc.spans["sc"].attrs["scores"]]


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """fill-config, debug config, init labels and train; the encoder's folder is then removed."""
    here = tmp_path_factory.mktemp("commands")
    encoder = Path(shutil.copytree(tiny_encoder, here / "pretrained-encoder"))
    corpus = save_corpus(here / "corpus.spacy")
    base, config = here / "base.cfg", here / "config.cfg"
    paths = ["--paths.train", corpus, "--paths.dev", corpus, "--paths.encoder", encoder]
    base.write_text(CONFIG, encoding="utf8")
    run("init", "fill-config", base, config)
    run("init", "labels", config, here / "labels", *paths)
    base.write_text(CONFIG + READ_LABELS, encoding="utf8")
    run("init", "fill-config", base, config)
    paths += ["--paths.labels", here / "labels" / "sener.json"]
    run("debug", "config", config, *paths)
    output = run("train", config, "--output", here / "output", *paths)
    shutil.rmtree(encoder)
    return Trained(here / "output" / "model-last", config, corpus, encoder, output)


@pytest.fixture(scope="module")
def nlp(trained: Trained) -> Language:
    return spacy.load(trained.folder)


def test_init_config(tmp_path: Path) -> None:
    run("init", "config", tmp_path / "config.cfg", "--pipeline", "sener")
    config = load_config(tmp_path / "config.cfg")
    assert config["components"]["sener"]["factory"] == "sener"
    assert config["components"]["sener"]["spans_key"] == "sc"
    assert config["components"]["sener"]["model"]["span_window"] == 128


def test_fill_config_adds_the_defaults(trained: Trained) -> None:
    component = load_config(trained.config)["components"]["sener"]
    assert component["model"]["span_window"] == 16
    assert component["model"]["reach"] == 512
    assert component["model"]["encoder"]["attention"] == "arrow"
    assert component["threshold"] == 0.5
    assert component["scorer"] == {"@scorers": "spacy-sener.span_scorer.v1"}


def test_init_labels(trained: Trained) -> None:
    labels = json.loads((trained.config.parent / "labels" / "sener.json").read_text())
    assert sorted(labels) == LABELS


def test_train_learns(trained: Trained, nlp: Language) -> None:
    assert "SPANS_SC_F" in trained.output
    assert sorted(nlp.get_pipe("sener").labels) == LABELS
    for doc, (_, spans) in zip(nlp.pipe(texts()), DATA, strict=True):
        assert sorted(spans_of(doc)) == sorted((i, j + 1, label) for i, j, label in spans)


def test_train_with_adam_and_averages(trained: Trained, tiny_encoder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.cfg"
    text = CONFIG[: CONFIG.index("[training.optimizer]")] + ADAM
    text += CONFIG[CONFIG.index("[initialize]") :]
    config.write_text(text, encoding="utf8")
    paths = ["--paths.train", trained.corpus, "--paths.dev", trained.corpus]
    paths += ["--paths.encoder", tiny_encoder, "--training.max_steps", 12]
    run("init", "fill-config", config, config)
    run("train", config, "--output", tmp_path, "--training.eval_frequency", 6, *paths)
    best, last = spacy.load(tmp_path / "model-best"), spacy.load(tmp_path / "model-last")
    assert best.meta["performance"]["spans_sc_f"] is not None
    assert last("Anna Keller")


def test_the_same_seed_trains_the_same_weights(
    trained: Trained, tiny_encoder: Path, tmp_path: Path
) -> None:
    """Bit for bit, with every kind of chance, and whatever order sets have in the process."""

    def weights(hash_seed: str) -> bytes:
        output = tmp_path / hash_seed
        settings = ["--paths.train", trained.corpus, "--paths.dev", trained.corpus]
        settings += ["--paths.encoder", tiny_encoder, "--paths.labels", labels, "--output", output]
        settings += ["--training.max_steps", "8", "--training.eval_frequency", "8"]
        settings += ["--components.sener.model.masking", "0.3"]
        settings += ["--components.sener.model.token_dropout", "0.3"]
        run_in_a_new_process("train", trained.config, *settings, PYTHONHASHSEED=hash_seed)
        return (output / "model-last" / "sener" / "model").read_bytes()

    labels = trained.config.parent / "labels" / "sener.json"
    assert weights("1") == weights("2")


@pytest.mark.parametrize("command", [["evaluate"], ["benchmark", "accuracy"]])
def test_evaluate(trained: Trained, tmp_path: Path, command: list[str]) -> None:
    out = tmp_path / "scores.json"
    printed = run(*command, trained.folder, trained.corpus, "--output", out)
    for words in ("SPAN F", "100.00", *LABELS):
        assert words in printed
    scores = json.loads(out.read_text())
    assert scores["spans_sc_f"] == 1.0
    assert sorted(scores["spans_sc_per_type"]) == LABELS
    assert set(scores["spans_sc_per_length"]) == {"2-4", "5-16"}


def test_evaluate_per_component(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    run("evaluate", trained.folder, trained.corpus, "--output", out, "--per-component")
    assert json.loads(out.read_text())["sener"]["spans_sc_f"] == 1.0


def test_benchmark_speed(trained: Trained) -> None:
    options = ["--batches", 30, "--warmup", 0, "--batch-size", 1]
    assert "words/s" in run("benchmark", "speed", trained.folder, trained.corpus, *options)


def test_find_threshold(trained: Trained) -> None:
    options = ["sener", "threshold", "spans_sc_f", "--n_trials", 3]
    printed = run("find-threshold", trained.folder, trained.corpus, *options)
    assert "Best threshold: 0.5" in printed


def test_apply_keeps_the_scores(trained: Trained, nlp: Language, tmp_path: Path) -> None:
    source, out = tmp_path / "texts.jsonl", tmp_path / "out.spacy"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts()))
    run("apply", trained.folder, source, out)
    docs = list(DocBin().from_disk(out).get_docs(nlp.vocab))
    assert len(docs) == len(DATA)
    for doc, expected in zip(docs, nlp.pipe(texts()), strict=True):
        assert spans_of(doc) == spans_of(expected)
        np.testing.assert_allclose(scores_of(doc), scores_of(expected), atol=1e-5)


def test_info(trained: Trained) -> None:
    printed = run("info", trained.folder, "--exclude", "performance", "--markdown")
    assert "**components:** ['sener']" in printed
    assert all(f"'{label}'" in printed for label in LABELS), printed


def test_assemble_with_labels_from_the_config(
    trained: Trained, tiny_encoder: Path, tmp_path: Path
) -> None:
    labels = trained.config.parent / "labels" / "sener.json"
    run(
        "assemble",
        trained.config,
        tmp_path,
        *("--paths.encoder", tiny_encoder, "--paths.labels", labels),
    )
    nlp = spacy.load(tmp_path)
    assert sorted(nlp.get_pipe("sener").labels) == LABELS
    assert "sc" in nlp("Anna Keller worked in Berlin .").spans


# spaCy leaves the files that it writes to the garbage collector.
spacy_leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@spacy_leaves_files_open
def test_package_requires_spacy_sener(trained: Trained, tmp_path: Path) -> None:
    run("package", trained.folder, tmp_path, "--build", "none", "--name", "people")
    folder = tmp_path / "en_people-0.0.0"
    assert (folder / "setup.py").is_file()
    required = json.loads((folder / "meta.json").read_text())["requirements"]
    assert "spacy-sener" in " ".join(required)
    assert spacy.load(folder / "en_people" / "en_people-0.0.0")("Anna Keller").spans["sc"]


def test_load_without_the_component(trained: Trained) -> None:
    assert "sener" not in spacy.load(trained.folder, exclude=["sener"]).component_names
    nlp = spacy.load(trained.folder, disable=["sener"])
    assert "sc" not in nlp(texts()[0]).spans
    nlp.enable_pipe("sener")
    assert nlp(texts()[0]).spans["sc"]


def test_saved_pipeline_knows_no_file_of_this_machine(trained: Trained) -> None:
    """Save for what the user wrote in [paths], which spaCy keeps."""
    config = load_config(trained.folder / "config.cfg")
    assert config["initialize"]["components"]["sener"]["encoder"] == "${paths.encoder}"
    assert config.pop("paths")["encoder"] == str(trained.encoder)
    machine = str(trained.config.parent)
    assert machine not in config.to_str(interpolate=False)
    for file in trained.folder.rglob("*"):
        if file.is_file() and file.name != "config.cfg":
            assert machine.encode() not in file.read_bytes(), file


IN_A_NEW_PROCESS = """
import json, sys
import spacy

def answers(docs):
    return [
        [(s.start, s.end, s.label_) for s in doc.spans["sc"]]
        + doc.spans["sc"].attrs["scores"].tolist()
        for doc in docs
    ]

if __name__ == "__main__":
    nlp = spacy.load(sys.argv[1])
    texts = json.loads(sys.argv[2])
    for n_process in (1, 2):
        print(json.dumps(answers(nlp.pipe(texts, n_process=n_process, batch_size=2))))
"""


def test_same_answers_in_a_new_process_and_its_workers(trained: Trained, nlp: Language) -> None:
    """Without network; two workers, forked after the model has run, do not hang."""
    result = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS, trained.folder, json.dumps(texts())],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    alone, workers = map(json.loads, result.stdout.splitlines())
    assert alone == workers
    for found, doc in zip(alone, nlp.pipe(texts(), batch_size=2), strict=True):
        n_spans = len(spans_of(doc))
        assert found[:n_spans] == [list(span) for span in spans_of(doc)]
        assert found[n_spans:] == pytest.approx(scores_of(doc), abs=1e-5)


def test_python_m_spacy(trained: Trained) -> None:
    """The program itself finds the component by its entry points."""
    assert "100.00" in run_in_a_new_process("evaluate", trained.folder, trained.corpus)


@pytest.mark.slow
@spacy_leaves_files_open
def test_package_in_a_clean_environment(trained: Trained, tmp_path: Path) -> None:
    """Its requirements are met by a built spacy-sener and by what that one requires."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "spacy_sener", source / "spacy_sener")
    run("package", trained.folder, tmp_path, "--build", "none", "--name", "people")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    # Third parties' packages are borrowed; an editable install of ours is not seen this way.
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(str(Path(spacy.__file__).parents[1]))
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--python"]
    build = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--use-pep517"]
    build += ["--wheel-dir", tmp_path, source, tmp_path / "en_people-0.0.0"]
    subprocess.run([*pip, sys.executable, *build], check=True)
    install = ["install", "--no-index", *tmp_path.glob("*.whl")]
    subprocess.run([*pip, python, *install], check=True)
    code = (
        "import sys, spacy, spacy_sener; doc = spacy.load('en_people')(sys.argv[1]); "
        "print(spacy_sener.__file__); "
        "print([span.text for span in doc.spans['sc']])"
    )
    result = subprocess.run(
        [python, "-c", code, texts()[0]], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    where, spans = result.stdout.splitlines()
    assert Path(where).is_relative_to(venv)
    assert "Anna Keller" in spans
