"""`python -m spacy sener set-threshold`: the best threshold of a pipeline, saved with it."""

import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from full_disk import largest_file
from spacy.cli._util import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from spacy.util import load_config
from typer.testing import CliRunner, Result

from spacy_sener.cli.set_threshold import set_threshold


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sener", "set-threshold", *map(str, arguments)])


def note_scores(model: Path, **scores: object) -> None:
    meta = srsly.read_json(model / "meta.json")
    srsly.write_json(model / "meta.json", {**meta, "performance": scores})


def f_score(model: Path, data: Path, threshold: float | None = None) -> float:
    nlp = spacy.load(model)
    if threshold is not None:
        nlp.get_pipe(nlp.pipe_names[-1]).cfg["threshold"] = threshold
    return float(nlp.evaluate(list(Corpus(data)(nlp)))["spans_sc_f"])


@pytest.mark.parametrize("kind", ["sener", "spancat"])
def test_the_best_threshold_is_saved(
    kind: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = Path(shutil.copytree(request.getfixturevalue(kind), tmp_path / "pipeline"))
    (model / "README.md").write_text("a card")
    files = sorted(path.relative_to(model) for path in model.rglob("*"))
    nlp = spacy.load(model)
    name = nlp.pipe_names[-1]
    nlp.get_pipe(name).cfg["threshold"] = 0.95
    nlp.get_pipe(name).to_disk(model / name, exclude=["vocab"])
    note_scores(model, spans_sc_f=0.1, spans_sc_per_type={"a": {"f": 0.1}}, sener_loss=2.0)
    curve = {i / 20: f_score(model, data, i / 20) for i in range(1, 20)}

    result = command(model, data)
    assert result.exit_code == 0, result.output
    chosen = spacy.load(model).get_pipe(name).cfg["threshold"]
    assert f"was 0.95 and is {chosen:g}" in " ".join(result.output.split())
    assert f_score(model, data) == max(curve.values()) > min(curve.values())
    assert load_config(model / "config.cfg")["components"][name]["threshold"] == chosen
    assert (model / "README.md").read_text() == "a card"
    assert sorted(path.relative_to(model) for path in model.rglob("*")) == files
    assert f"{100 * curve[chosen]:.2f}" in result.output
    scores = srsly.read_json(model / "meta.json")["performance"]
    assert sorted(scores) == ["sener_loss", "spans_sc_f", "spans_sc_p", "spans_sc_r"]
    assert scores["spans_sc_f"] == pytest.approx(curve[chosen])
    note_scores(model, spans_sc_f=0.1)
    again = "made before are of 0.95: make them again"
    assert again in " ".join(result.output.split())
    assert again not in " ".join(command(model, data).output.split())
    scores = srsly.read_json(model / "meta.json")["performance"]
    assert scores == {"spans_sc_f": 0.1}, "the threshold is what it was"


def test_what_has_no_threshold_stays(sener: Path, data: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(sener, tmp_path / "pipeline"))
    before = (model / "sener" / "cfg").read_bytes()
    result = command(model, data, "--spans-key", "other")
    assert result.exit_code == 1
    assert "doc.spans['other']" in result.output
    docs = [example.reference for example in Corpus(data)(spacy.blank("en"))]
    for doc in docs:
        doc.spans["sc"] = []
    DocBin(docs=docs).to_disk(tmp_path / "bare.spacy")
    result = command(model, tmp_path / "bare.spacy")
    assert result.exit_code == 1
    assert "has no annotation in doc.spans['sc']" in " ".join(result.output.split())
    spacy.blank("en").to_disk(tmp_path / "blank")
    result = command(tmp_path / "blank", data)
    assert result.exit_code == 1
    assert "No component" in result.output
    nlp = spacy.load(model)
    nlp.get_pipe("sener").model.shims[0].module.table.output.bias.data.fill_(-100)
    nlp.to_disk(model)
    result = command(model, data)
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "at a threshold of 0.05 or more: no score is so high. Train it longer." in output
    assert (model / "sener" / "cfg").read_bytes() == before


def test_where_a_threshold_is_not_for_the_scores(
    mean_scores: tuple[Path, Path], span_finder: tuple[Path, Path]
) -> None:
    for model, gold in (mean_scores, span_finder):
        [name] = spacy.load(model).pipe_names
        before = (model / name / "cfg").read_bytes()
        result = command(model, gold)
        assert result.exit_code == 1
        shown = " ".join(result.output.split())
        assert f"The threshold of '{name}' is not for the scores of its spans" in shown
        assert (model / name / "cfg").read_bytes() == before


def test_a_component_of_ones_own(own_component: Path, data: Path) -> None:
    result = command(own_component, data)
    assert result.exit_code == 1
    assert "The threshold of 'first_words' is not for" in " ".join(result.output.split())


@pytest.mark.parametrize("kind", ["sener", "spancat"])
def test_a_full_disk_leaves_the_pipeline_as_it_was(
    kind: str, data: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = Path(shutil.copytree(request.getfixturevalue(kind), tmp_path / "pipeline"))
    files = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    with largest_file(1000), pytest.raises(OSError, match="File too large"):
        set_threshold(model, data)
    assert {path: path.read_bytes() for path in model.rglob("*") if path.is_file()} == files


def test_other_labels_than_the_data_has(other_labels: tuple[Path, Path]) -> None:
    result = command(*other_labels)
    assert result.exit_code == 1
    output = " ".join(result.output.split())
    assert "2 have such a score, none is right. The data and the pipeline share no label" in output
    assert "longer" not in output
