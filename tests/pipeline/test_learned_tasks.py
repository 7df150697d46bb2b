"""Every task, asked of a model that has learned it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import taught_gliner
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from taught_gliner import BIRTH, BORN, CITIES, MOVED, OFFICE


@pytest.fixture
def gliner(taught: Language) -> Any:
    return taught.get_pipe("gliner_multitask")


@pytest.fixture
def docs(taught: Language) -> list[Doc]:
    return [taught.make_doc(text) for text in (BORN, MOVED)]


def texts(groups: list[SpanGroup]) -> list[list[str]]:
    return [[span.text for span in group] for group in groups]


def test_questions(gliner: Any, docs: list[Doc]) -> None:
    assert texts(gliner.answer(docs, OFFICE)) == [["Berlin"], ["New York"]]
    assert texts(gliner.answer(docs, BIRTH)) == [["London"], ["Zurich"]]
    found = gliner.answer(docs, [OFFICE, BIRTH])
    assert texts(found) == [["Berlin"], ["Zurich"]]
    assert [[span.label_ for span in group] for group in found] == [["answer"]] * 2
    assert min(found[0].attrs["scores"]) > 0.8


def test_prompts(gliner: Any, docs: list[Doc]) -> None:
    assert texts(gliner.extract(docs, CITIES)) == [["London", "Berlin"], ["Zurich", "New York"]]


def test_relations(gliner: Any, docs: list[Doc]) -> None:
    heads = [[doc[0:2]] for doc in docs]
    for relation, tails in (("office", ["Berlin", "New York"]), ("born in", ["London", "Zurich"])):
        found = gliner.relations(docs, [relation], heads=heads)
        assert [[(r.head.text, r.label, r.tail.text) for r in each] for each in found] == [
            [("Anna Keller", relation, tails[0])],
            [("The director", relation, tails[1])],
        ]
        assert all(r.score > 0.5 for each in found for r in each)


def test_what_it_learned_is_saved_with_it(
    gliner: Any, taught: Language, docs: list[Doc], tmp_path: Path
) -> None:
    taught.to_disk(tmp_path)
    loaded: Any = spacy.load(tmp_path).get_pipe("gliner_multitask")
    before, after = gliner.answer(docs, OFFICE), loaded.answer(docs, OFFICE)
    assert texts(before) == texts(after)
    np.testing.assert_allclose(after[0].attrs["scores"], before[0].attrs["scores"], rtol=1e-5)


def test_answers_do_not_depend_on_the_order_of_hashes(taught: Language, tmp_path: Path) -> None:
    taught.to_disk(tmp_path)
    mine = os.environ.get("PYTHONHASHSEED")  # random if it is not set
    elsewhere = subprocess.run(
        [sys.executable, taught_gliner.__file__, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "2" if mine == "1" else "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    answers = taught_gliner.everything(taught)
    assert json.loads(elsewhere.stdout) == answers
    assert all(sum(map(len, of_a_task)) > 1 for of_a_task in answers)
