"""`python -m spacy sener report`, on real pipelines and through spaCy's own command line."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from evaluation.evaluated import make_doc
from spacy.cli._util import app
from spacy.cli.evaluate import evaluate
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus
from typer.testing import CliRunner, Result

import spacy_sener.cli.report  # noqa: F401 - the import adds the command
from spacy_sener.cli.report import default_name, print_report, report
from spacy_sener.evaluation.predictions import from_pipeline

PLOTS = {"f_by_length.png", "reliability.png", "thresholds.png"}


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "report", *map(str, arguments)])


@pytest.mark.parametrize("pipeline", ["sener", "spancat", "spancat_singlelabel"])
def test_figures_are_those_of_spacy_evaluate(
    pipeline: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(pipeline)
    made, _ = report(str(model), data, tmp_path)
    expected = evaluate(str(model), data)
    assert 0.1 < made["micro"]["f"] < 1
    assert [made["micro"][n] for n in "prf"] == [expected[f"spans_sc_{n}"] for n in "prf"]
    for label, row in made["per_type"].items():
        assert {n: row[n] for n in "prf"} == expected["spans_sc_per_type"][label]
    if pipeline == "sener":
        for bucket, row in made["per_length"].items():
            assert {n: row[n] for n in "prf"} == expected["spans_sc_per_length"][bucket]


@pytest.mark.parametrize("pipeline", ["sener", "spancat"])
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6])
def test_the_curve_is_what_the_pipeline_gives_at_each_threshold(
    pipeline: str, threshold: float, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One pass at a low threshold is enough, though spans that clash are decided by score."""
    model = request.getfixturevalue(pipeline)
    made, _ = report(str(model), data, tmp_path)
    [point] = [point for point in made["curve"] if point["threshold"] == threshold]
    nlp = spacy.load(model)
    nlp.get_pipe(pipeline).cfg["threshold"] = threshold
    scores = nlp.evaluate(list(Corpus(data)(nlp)))
    assert [point[n] for n in "prf"] == pytest.approx([scores[f"spans_sc_{n}"] for n in "prf"])


def test_all_is_written(sener: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    result = command(sener, data, out, "--name", "ours", "--n-examples", 2)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {"report.json", "report.md", *PLOTS}
    made = json.loads((out / "report.json").read_text(encoding="utf8"))
    assert (made["version"], made["name"], made["spans_key"]) == (1, "ours", "sc")
    assert (made["threshold"], made["lowest_score"]) == (0.5, 0.05)
    assert made["tokens_per_second"] > 0
    assert made["reach"]["tokens"] == 5
    # "worked in Berlin from 2010 until 2014" has seven tokens, and five steps reach over six.
    assert made["reach"]["per_type"]["JOB"]["recall_ceiling"] == 0
    assert max(len(rows) for rows in made["examples"].values()) <= 2
    assert all(row["doc_id"].startswith("doc-") for row in made["examples"]["missed"])
    page = (out / "report.md").read_text(encoding="utf8")
    assert all(f"]({name})" in page for name in PLOTS)


def test_where_a_threshold_is_not_for_the_scores_the_figures_are_of_its_own(
    mean_scores: tuple[Path, Path], span_finder: tuple[Path, Path], tmp_path: Path
) -> None:
    for model, gold in (mean_scores, span_finder):
        made, _ = report(str(model), gold, tmp_path)
        expected = evaluate(str(model), gold)
        assert [made["micro"][n] for n in "prf"] == [expected[f"spans_sc_{n}"] for n in "prf"]
        assert made["micro"]["predicted"] > 10
        assert (made["threshold"], made["curve"]) == (None, None)


def test_a_component_of_ones_own(own_component: Path, data: Path, tmp_path: Path) -> None:
    made, _ = report(str(own_component), data, tmp_path)
    assert made["micro"]["right"] == 3, "of the twelve texts, those that begin with a name"
    assert made["micro"]["predicted"] == 12
    assert [made[part] for part in ("threshold", "curve", "calibration", "reach")] == [None] * 4


@pytest.mark.parametrize("sentences", [True, False])
def test_gold_tokens(sentences: bool, sener: Path, data: Path, tmp_path: Path) -> None:
    """They are not those of the tokenizer, and no span is lost where sentences are annotated."""
    docs = list(DocBin().from_disk(data).get_docs(spacy.blank("en").vocab))
    for doc in docs:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[len(doc) - 2 :])  # a word and its full stop
        if sentences:
            for i, token in enumerate(doc):
                token.is_sent_start = i % 4 == 0
    DocBin(docs=docs).to_disk(tmp_path / "gold.spacy")
    made, _ = report(str(sener), tmp_path / "gold.spacy", tmp_path / "out", gold_preproc=True)
    assert made["documents"] == {
        "count": len(docs),
        "without_annotation": 0,
        "tokens": sum(map(len, docs)),
    }
    assert made["micro"]["gold"] == sum(len(doc.spans["sc"]) for doc in docs)
    assert made["unaligned"] == 0


def test_long_texts_are_evaluated(sener: Path, tmp_path: Path) -> None:
    nlp = spacy.load(sener)
    doc = nlp.make_doc("Anna Keller was born in London.")
    doc.spans["sc"] = []
    DocBin(docs=[doc]).to_disk(tmp_path / "long.spacy")
    nlp.max_length = 10
    assert len(list(from_pipeline(nlp, tmp_path / "long.spacy", spans_key="sc").examples)) == 1


def test_labels_are_printed_without_control_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DocBin(docs=[make_doc([(0, 1, "A\x1b[31m\nB")])]).to_disk(tmp_path / "odd.spacy")
    made, _ = report(str(tmp_path / "odd.spacy"), tmp_path / "odd.spacy", tmp_path / "out")
    print_report(made)
    shown = capsys.readouterr().out
    assert "[31m" in shown
    assert "\x1b[31m" not in shown


def test_the_threshold_is_put_back(sener: Path, data: Path) -> None:
    nlp = spacy.load(sener)
    run = from_pipeline(nlp, data, spans_key="sc")
    next(run.examples)
    assert nlp.get_pipe("sener").cfg["threshold"] == 0.05
    list(run.examples)
    assert nlp.get_pipe("sener").cfg["threshold"] == 0.5


def test_predictions_from_a_file(sener: Path, data: Path, tmp_path: Path) -> None:
    nlp = spacy.load(sener)
    predicted = DocBin(docs=nlp.pipe(eg.predicted for eg in Corpus(data)(nlp)))
    predicted.to_disk(tmp_path / "predicted.spacy")
    from_file, _ = report(str(tmp_path / "predicted.spacy"), data, tmp_path / "a")
    from_model, _ = report(str(sener), data, tmp_path / "b")
    for part in ("documents", "micro", "per_type", "per_length", "nesting", "errors"):
        assert from_file[part] == from_model[part]
    assert (from_file["name"], from_file["threshold"]) == ("predicted", None)
    assert from_file["tokens_per_second"] is None
    # What is below the threshold is not in the file.
    lowest = from_file["calibration"]["lowest_score"]
    assert lowest >= 0.5
    assert min(point["threshold"] for point in from_file["curve"]) == lowest


def test_without_matplotlib(
    spancat: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = command(spancat, data, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "pip install 'spacy-sener[plots]'" in " ".join(result.output.split())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json", "report.md"}
    assert "![" not in (tmp_path / "out" / "report.md").read_text(encoding="utf8")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("sener", ("--spans-key", "x"), r"has no annotation in doc.spans['x'].*['sc']"),
        ("bare", (), "doc.spans['sc']. The keys that are there: none"),
        ("nowhere", (), "[E050]"),
        ("other.spacy", (), "Document 1 of"),
        ("sener", ("--n-examples", "-1"), "Invalid value for '--n-examples'"),
        ("sener", ("--lowest-score", "2"), "Invalid value for '--lowest-score'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    model: str,
    options: tuple[str, ...],
    message: str,
    data: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    known = {"sener", "bare"}
    source: Any = request.getfixturevalue(model) if model in known else tmp_path / model
    nlp = spacy.blank("en")
    DocBin(docs=[nlp("Another text.")]).to_disk(tmp_path / "other.spacy")
    result = command(source, data, tmp_path / "out", *options)
    assert result.exit_code == (2 if "Invalid" in message else 1)
    output = " ".join(result.output.split())
    assert all(part in output for part in message.split(".*"))
    assert ("If yours is one of them" in output) == ("there: ['" in output)
    assert not (tmp_path / "out").exists()


def test_other_labels_than_the_data_has(other_labels: tuple[Path, Path], tmp_path: Path) -> None:
    model, gold = other_labels
    result = command(model, gold, tmp_path / "out")
    assert result.exit_code == 0
    hint = "share no label, so nothing that is found can be right. The data has PERSON; the pipel"
    assert hint in " ".join(result.output.split())
    assert hint in (tmp_path / "out" / "report.md").read_text(encoding="utf8")
    # Documents may ask for labels themselves: then it is another matter if nothing is found.
    [doc] = DocBin().from_disk(gold).get_docs(spacy.blank("en").vocab)
    doc._.gliner_labels = ["PERSON"]
    nlp = spacy.load(model)
    nlp.get_pipe("gliner_multitask").model.shims[0].module.scores.marks.bias.data -= 100
    nlp.to_disk(model)
    DocBin(docs=[doc], store_user_data=True).to_disk(gold)
    result = command(model, gold, tmp_path / "out")
    assert result.exit_code == 0
    assert "share no label" not in result.output


def test_files_are_looked_at_before_the_pipeline_is_loaded(data: Path, tmp_path: Path) -> None:
    (tmp_path / "dev.jsonl.gz").touch()
    (tmp_path / "file").touch()
    for gold, out, message in (
        (tmp_path / "dev.jsonl.gz", tmp_path / "out", "is no .spacy file. Make one of it: python"),
        (data, tmp_path / "file", "is a file: name a folder"),
        (data, tmp_path / "file" / "out", "is a file: name a folder"),
    ):
        result = command(tmp_path / "no_such_pipeline", gold, out)
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


@pytest.mark.parametrize("broken_is_model", [True, False])
def test_a_broken_file_is_named(broken_is_model: bool, data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.spacy"
    broken.write_text("text")
    model, gold = (broken, data) if broken_is_model else (data, broken)
    with pytest.raises(ValueError, match=r"broken.spacy: not a whole \.spacy file"):
        report(str(model), gold, tmp_path / "out")


def test_empty_documents_of_a_file_are_left_out(tmp_path: Path) -> None:
    doc = make_doc([(0, 1, "A")])
    DocBin(docs=[doc, Doc(doc.vocab), doc]).to_disk(tmp_path / "some.spacy")
    made, _ = report(str(tmp_path / "some.spacy"), tmp_path / "some.spacy", tmp_path / "out")
    assert (made["documents"]["count"], made["micro"]["f"]) == (2, 1)


def test_names() -> None:
    assert default_name("training/sx/model-best") == "sx"
    assert default_name("some/where/predicted.spacy") == "predicted"
    assert default_name("en_core_web_sm") == "en_core_web_sm"
    assert default_name("pipelines/sx-1.0") == "sx-1.0"
    assert default_name(".") == Path.cwd().name
