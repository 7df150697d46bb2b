"""The generated corpus and the hand-written pages."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from generate import generate
from homepages.text import parse_markup
from spacy.language import Language

LABELS = {
    "affiliation", "award", "birth", "contact", "degree", "education", "name", "post",
    "publications", "research_interests", "title", "work_history",
}  # fmt: skip
NESTED_IN = {"degree": "education", "post": "work_history"}

Record = dict[str, Any]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en")


@pytest.fixture(scope="module")
def train() -> list[Record]:
    return generate("train", 160, seed=0)


@pytest.fixture(scope="module")
def handwritten(project_folder: Path) -> list[Record]:
    pages = sorted((project_folder / "handwritten").glob("*.txt"))
    return [parse_markup(page.read_text(encoding="utf8")).record(page.stem) for page in pages]


def spans(records: list[Record]) -> Iterator[tuple[str, Record]]:
    for record in records:
        for span in record["spans"]:
            yield record["text"][span["start"] : span["end"]], span


def test_same_seed_gives_the_same_pages_and_another_gives_others() -> None:
    pages = generate("dev", 5, seed=3)
    assert json.dumps(generate("dev", 9, seed=3)[:5]) == json.dumps(pages)
    texts = {page["text"] for page in pages}
    assert texts.isdisjoint(page["text"] for page in generate("dev", 5, seed=4))
    assert texts.isdisjoint(page["text"] for page in generate("train", 5, seed=3))


def test_both_parts_have_the_twelve_labels(train: list[Record], handwritten: list[Record]) -> None:
    assert {span["label"] for _, span in spans(train)} == LABELS
    assert {span["label"] for _, span in spans(handwritten)} == LABELS
    assert len(handwritten) == 12


def test_no_span_is_empty_or_ends_in_whitespace(
    train: list[Record], handwritten: list[Record]
) -> None:
    for text, _ in spans(train + handwritten):
        assert text == text.strip() != ""


def test_every_span_is_made_of_whole_tokens(
    nlp: Language, train: list[Record], handwritten: list[Record]
) -> None:
    for record in train + handwritten:
        doc = nlp.make_doc(record["text"])
        for span in record["spans"]:
            assert doc.char_span(span["start"], span["end"]) is not None, (record["id"], span)


def test_blocks_run_from_one_to_over_300_tokens_but_few_pass_the_window(
    nlp: Language, train: list[Record]
) -> None:
    lengths = Counter(len(nlp.make_doc(text)) for text, _ in spans(train))
    assert min(lengths) == 1
    assert max(lengths) > 300
    long = sum(count for length, count in lengths.items() if length > 128)
    assert 0 < long < 0.02 * lengths.total()


def test_degrees_and_posts_lie_in_their_blocks(
    train: list[Record], handwritten: list[Record]
) -> None:
    for record in train + handwritten:
        blocks = [span for span in record["spans"] if span["label"] in NESTED_IN.values()]
        for span in record["spans"]:
            if span["label"] in NESTED_IN:
                assert any(
                    block["label"] == NESTED_IN[span["label"]]
                    and block["start"] <= span["start"]
                    and span["end"] <= block["end"]
                    for block in blocks
                ), (record["id"], span)


def test_no_two_spans_cross(train: list[Record], handwritten: list[Record]) -> None:
    for record in train + handwritten:
        for left in record["spans"]:
            for right in record["spans"]:
                crossing = left["start"] < right["start"] < left["end"] < right["end"]
                assert not crossing, (record["id"], left, right)


def test_present_title_and_affiliation_do_not_vary_by_accident(train: list[Record]) -> None:
    """A page has one present title: what is labelled so must read the same everywhere."""
    for record in train:
        titles = {text for text, span in spans([record]) if span["label"] == "title"}
        assert len(titles) <= 1, record["id"]


def test_the_same_words_stand_labelled_and_unlabelled(train: list[Record]) -> None:
    """Years, degrees and posts of other people keep simple rules from solving the corpus."""
    unlabelled = 0
    for record in train:
        covered = {place for span in record["spans"] for place in range(span["start"], span["end"])}
        for word in ("Professor", "PhD", "Prize", "Journal", "Lecturer"):
            place = record["text"].find(word)
            unlabelled += place >= 0 and place not in covered
    assert unlabelled > len(train) / 2


def test_handwritten_pages_leave_no_tag_behind(handwritten: list[Record]) -> None:
    for record in handwritten:
        assert not set("<>") & set(record["text"]), record["id"]
