"""Labels in plain words, and what is refused."""

from typing import Any

import pytest

from spacy_sener.prompts import Prompt, make_prompt


def test_labels_are_read_as_they_are_or_as_described() -> None:
    assert make_prompt(["a", "b c"]) == Prompt(("a", "b c"), ("a", "b c"))
    described = make_prompt({"PER": "a person", "ORG": "a person"}, task="Who?\n")
    assert described == Prompt(("PER", "ORG"), ("a person", "a person"), "Who?\n")


def test_duplicates_are_dropped_in_order() -> None:
    assert make_prompt(("b", "a", "b", "B", "a")).labels == ("b", "a", "B")


@pytest.mark.parametrize("label", ["Ada <> founder of", "a, b", "<<SEP>>", "\u6771\u4eac", " x"])
def test_a_label_may_have_any_characters(label: str) -> None:
    assert make_prompt([label]).labels == (label,)


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ([], r"\[\]"),
        ({}, r"\{\}"),
        ("person", "'person'"),
        (None, "None"),
        (["a", ""], "''"),
        ([" \n"], r"' \\n'"),
        (["a", "\u200b"], r"'\\u200b'"),  # no width, and so no word, though it is no space
        ({"a": "\ufeff \u00ad\u200d"}, r"description of the label 'a'.*'\\ufeff"),
        (["a", 3], "3"),
        ([["a"]], r"\['a'\]"),
        ({"a": ""}, "description of the label 'a'.*''"),
        ({"a": None}, "description of the label 'a'.*None"),
        ({1: "b"}, "1"),
        (["a", "\ud800"], "a label holds half a character"),
        ({"a": "\udfff"}, "description of the label 'a' holds half a character"),
    ],
)
def test_what_is_no_label_is_named(labels: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make_prompt(labels)


def test_a_task_is_text() -> None:
    with pytest.raises(ValueError, match=r"task.*7"):
        make_prompt(["a"], task=7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the task holds half a character"):
        make_prompt(["a"], task="Who \ud800?")
