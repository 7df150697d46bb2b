"""What the README shows works as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.util import fix_random_seed
from taught_gliner import taught_pipeline
from tiny_gliner import TEXT, pipeline
from tiny_sener import blank, initialize

README = Path(__file__).parents[1] / "README.md"


def named_tests() -> list[tuple[str, str]]:
    """Files of the tests that the documents point to, and what should be in them."""
    pages = [README, README.parent / "SECURITY.md", *sorted((README.parent / "docs").glob("*.md"))]
    found = []
    for page in pages:
        file = ""
        text = page.read_text("utf8")
        for path, name in re.findall(r"`(tests/[\w/]+\.py)?(?:::(\w+))?`", text):
            file = path or file
            found += [(file, f"def {name}(" if name else "")] if path or name else []
        found += re.findall(r"\bpytest (?:-m \w+ )?(tests/[\w/]+\.py)(?: -k (\w+))?", text)
    return found


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_a_test_that_is_pointed_to_is_there(file: str, name: str) -> None:
    assert name in (README.parent / file).read_text("utf8")


def snippets(page: Path = README) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf8"), re.DOTALL)


def run(page: Path, names: dict[str, Any]) -> dict[str, Any]:
    """Run the only snippet of a page beside the README."""
    [code] = snippets(page)
    exec(compile(code, str(page), "exec"), names)  # noqa: S102 - our own page
    return names


def test_the_ten_lines_find_what_they_were_shown_and_draw_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ten_lines, block_view, *_ = snippets()
    fix_random_seed(0)
    names: dict[str, Any] = {}
    exec(compile(ten_lines, str(README), "exec"), names)  # noqa: S102 - our own README
    labels = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["PERSON", "POST", "WORK"]
    exec(compile(block_view, str(README), "exec"), names)  # noqa: S102
    assert "{--given:teal}" in names["html"]


def test_asking_in_plain_words_runs(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught_pipeline(tiny_encoder).to_disk(tmp_path / "gliner-multitask")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(snippets()[2], str(README), "exec"), names)  # noqa: S102 - our own README
    answers, doc = names["answers"], names["doc"]
    assert answers.doc is doc
    assert len(answers) == len(answers.attrs["scores"])
    assert [len(names["both"]), names["own"]._.gliner_labels] == [2, ["software", "date"]]
    assert names["gliner"].label_data == {"DATE": "day, month and year"}
    assert set(doc.cats) <= {"business", "history"}


def test_a_trained_pipeline_gets_a_wider_table(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    nlp = initialize(blank(max_pieces=1024), tiny_encoder)
    nlp.to_disk("out/model-best")
    exec(compile(snippets()[3], str(README), "exec"), {})  # noqa: S102 - our own README
    wide = spacy.load("out/wide").config["components"]["sener"]["model"]
    assert wide == {**nlp.config["components"]["sener"]["model"], "span_window": 256}


def test_an_error_handler_gets_the_bad_document_alone(
    tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    docs = [nlp.make_doc(text) for text in ("one", "a bad one", "three")]
    docs[1]._.gliner_labels = [""]
    run(README.parent / "docs" / "faults.md", {"nlp": nlp, "texts": docs})
    assert capsys.readouterr().out.startswith("gliner_multitask ['a bad one'] doc._.gliner_labels")
    assert ["sc" in doc.spans for doc in docs] == [True, False, True]


def test_a_progress_bar_can_be_asked_for(tiny_encoder: Path) -> None:
    nlp = pipeline(tiny_encoder, labels=["person"])
    names = run(README.parent / "docs" / "reliability.md", {"nlp": nlp, "long_text": TEXT})
    assert "sc" in names["doc"].spans
