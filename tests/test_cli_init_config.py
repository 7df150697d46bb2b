"""`python -m spacy sener init-config`, through spaCy's own command line."""

from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin, Span
from spacy.util import load_config
from typer.testing import CliRunner, Result

import spacy_sener.cli.init_config  # noqa: F401 - the import adds the command

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
    options += ["--spans-key", "mine", "--labels", "PERSON, JOB", "--max-steps", 2]
    result = run("sener", "init-config", path, *options)
    assert result.exit_code == 0, result.output
    assert (
        "components.sener.model.span_window = 16: the longest span needs 4 tokens." in result.output
    )
    assert f"python -m spacy train {path} --output out" in result.output
    assert path.read_text().startswith(f"# Chosen for {corpus_path}: 2")
    assert "Config is valid" in run("debug", "config", path).output
    result = run("train", path, "--output", out)
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
    result = run("sener", "init-config", path, *options, "--max-steps", 2)
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
    result = run("train", path, "--output", out)
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
