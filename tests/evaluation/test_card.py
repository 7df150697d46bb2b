"""`python -m spacy sener card`: what goes with a pipeline to those who use it."""

import re
import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from evaluation.evaluated import make_doc, report_on
from markdown_it import MarkdownIt
from spacy.cli._util import app
from spacy.cli.package import package
from spacy.training import Example
from typer.testing import CliRunner, Result

import spacy_sener.cli.card  # noqa: F401 - the import adds the command
from spacy_sener.cli.report import report
from spacy_sener.evaluation.card import model_card


@pytest.fixture(scope="module")
def made(sener: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report on the pipeline `sener`."""
    folder = tmp_path_factory.mktemp("metrics") / "dev"
    report(str(sener), data, folder)
    return folder


@pytest.fixture
def pipeline(sener: Path, tmp_path: Path) -> Path:
    """A copy of the pipeline `sener`, to be written to."""
    return Path(shutil.copytree(sener, tmp_path / "pipeline"))


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "card", *map(str, arguments)])


def test_the_card_has_the_labels_the_scores_and_the_limits(pipeline: Path, made: Path) -> None:
    figures = srsly.read_json(made / "report.json")
    result = command(pipeline, made, "--corpus", "Twelve made-up pages, CC0")
    assert result.exit_code == 0, result.output
    card = (pipeline / "README.md").read_text(encoding="utf8")
    assert set(spacy.load(pipeline).get_pipe("sener").labels) <= set(card.replace(",", " ").split())
    assert "Twelve made-up pages, CC0" in card
    assert f"On gold.spacy, {figures['documents']['count']} documents" in card
    assert str(made.parent) not in card, "paths of this machine are nobody's concern"
    for group in (*figures["per_type"].items(), *figures["per_length"].items()):
        assert f"| {group[0]} |" in card.replace("\\>", ">")
        assert f"{100 * (group[1]['f'] or 0):.2f}" in card
    reach = figures["reach"]["total"]
    assert 0 < reach["reachable"] < reach["gold"]
    spans = f"{reach['reachable']} of the {reach['gold']} annotated spans"
    assert f"{spans} of its labels are short enough" in card


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # spaCy's open files
def test_spacy_package_and_the_hub_take_the_card(
    pipeline: Path, made: Path, tmp_path: Path
) -> None:
    from spacy_huggingface_hub.push import _create_model_card  # what `push` calls before the upload

    assert command(pipeline, made, "--name", "pages").exit_code == 0
    card = (pipeline / "README.md").read_text(encoding="utf8")
    assert "# en\\_pages" in card or "# en_pages" in card
    assert 'spacy.load("en_pages")' in card
    assert "pip install .  # in a checkout of spacy-sener" in card
    package(pipeline, tmp_path, name="pages", version="0.1.0", create_sdist=False)
    inner = tmp_path / "en_pages-0.1.0" / "en_pages" / "en_pages-0.1.0"
    assert (inner / "README.md").read_text(encoding="utf8") == card
    assert (tmp_path / "en_pages-0.1.0" / "README.md").read_text(encoding="utf8") == card
    _create_model_card("en_pages", inner)
    published = (inner / "README.md").read_text(encoding="utf8")
    assert published.startswith("---\ntags:\n- spacy\n")
    assert published.endswith(card)


def test_a_card_that_is_there_is_kept(pipeline: Path, made: Path) -> None:
    (pipeline / "README.md").write_text("mine", encoding="utf8")
    result = command(pipeline, made)
    assert result.exit_code == 1
    assert "--force" in result.output
    assert (pipeline / "README.md").read_text(encoding="utf8") == "mine"
    assert command(pipeline, made, "--force").exit_code == 0
    assert (pipeline / "README.md").read_text(encoding="utf8") != "mine"


def test_the_report_of_another_pipeline_is_noticed(pipeline: Path, sener: Path, made: Path) -> None:
    result = command(pipeline, made)
    assert str(sener) in result.output.replace("\n", "")


def test_a_report_at_another_threshold_is_noticed(pipeline: Path, made: Path) -> None:
    assert "threshold" not in command(pipeline, made).output
    cfg = srsly.read_json(pipeline / "sener" / "cfg")
    srsly.write_json(pipeline / "sener" / "cfg", cfg | {"threshold": 0.3})
    shown = " ".join(command(pipeline, made, "--force").output.split())
    assert "of a threshold of 0.5, and that of the pipeline is 0.3 now" in shown


def test_what_the_card_says_is_of_the_spans_that_are_given(pipeline: Path, made: Path) -> None:
    meta = srsly.read_json(pipeline / "meta.json")
    figures = srsly.read_json(made / "report.json")
    meta["labels"]["tagger"] = ["NN", "VB"]  # of another component
    figures["documents"]["without_annotation"] = 3
    figures["calibration"] |= {"ece": 0.11, "ece_predicted": 0.45}
    figures["labels"] = [*figures["labels"], "NEVER"]
    card = model_card(meta, figures)
    assert "No annotated span was there to try it on: NEVER." in card
    assert "3 documents have no annotation and do not count" in card
    assert "off by 0.45 on average" in card
    figures["calibration"]["ece_predicted"] = None
    assert "on average" not in model_card(meta, figures)


def test_only_spans_that_are_too_long_are_lost_to_their_length(sener: Path, made: Path) -> None:
    figures = srsly.read_json(made / "report.json")
    gold = [(0, 2, "A"), (0, 9, "A"), (2, 4, "X"), (3, 4, "X"), (0, 9, "X"), (9, 10, "A")]
    words = ["w"] * 9 + ["\n"]
    example = Example(make_doc([], words=words), make_doc(gold, words=words))
    figures["reach"] = report_on([example], reach=5, labels=("A",))["reach"]
    card = model_card(srsly.read_json(sener / "meta.json"), figures)
    assert "more than 5 tokens from its first is never found. 2 of the 3 annotated spans" in card
    assert "3 of the 6 annotated spans have a label that it does not have" in card


def test_what_is_no_pipeline_or_no_report(pipeline: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "meta.json" in command(tmp_path / "empty", made).output
    assert "report.json" in command(pipeline, tmp_path / "empty").output
    two = tmp_path / "two"
    for name in "ab":
        shutil.copytree(made, two / name)
    assert "2 reports" in command(pipeline, two).output
    figures = srsly.read_json(two / "a" / "report.json")
    srsly.write_json(two / "a" / "report.json", figures | {"model": "\x1b]0;a title\x07"})
    result = command(pipeline, two / "a", "--force")
    assert result.exit_code == 0
    assert "a title" in result.output
    assert "\x07" not in result.output
    del figures["reach"]
    srsly.write_json(two / "b" / "report.json", figures)
    result = command(pipeline, two / "b", "--force")
    assert result.exit_code == 1
    assert "has no 'reach'" in " ".join(result.output.split())


@pytest.mark.parametrize("pipeline", ["sener", "spancat_singlelabel", "own_component"])
def test_its_code_runs(
    pipeline: str,
    data: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With scores and without."""
    model = request.getfixturevalue(pipeline)
    made, _ = report(str(model), data, tmp_path)
    card = model_card(srsly.read_json(model / "meta.json"), made, name=model.name)
    code = card.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(shutil.copytree(model.parent, tmp_path / "copy"))
    Path("text.txt").write_text("Anna Keller worked in Berlin from 2010", encoding="utf8")
    capsys.readouterr()
    exec(code, {})  # noqa: S102 - the code that the card shows
    lines = capsys.readouterr().out.splitlines()
    score = "" if pipeline == "own_component" else r" \[?[01]\.\d+\]?"
    assert lines
    assert all(re.fullmatch(rf"[A-Z]+ [A-Za-z0-9 ]*[a-z]{score}", line) for line in lines)


def test_nothing_from_a_file_is_markup(sener: Path, made: Path) -> None:
    meta = srsly.read_json(sener / "meta.json")
    figures = srsly.read_json(made / "report.json")
    evil = "<script>alert(1)</script> [x](javascript:y)\n# Z"
    meta |= {"name": evil, "description": evil, "labels": {evil: [evil]}}
    figures["per_type"] = {evil: figures["micro"]}
    figures["spans_key"] = '"]); import os; (["'
    card = model_card(meta, figures, corpus=evil)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
    assert "<script" not in html
    assert "<a href" not in html.replace('<a href="https://spacy.io">', "")
    assert html.count("<h1>") == 1
    assert 'import os; (["' not in card
