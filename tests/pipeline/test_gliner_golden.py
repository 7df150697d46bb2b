"""Checkpoints of gliner, as pipelines, find what gliner finds, at the same characters."""

from pathlib import Path
from typing import Any

import pytest
from golden_gliner import CASES, read_case
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.util import get_words_and_spaces

from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner
from spacy_sener.prompts import make_prompt

QUESTION = "c11_qa_prompt"  # the task and the text are one text to gliner
RESTRICTED = "c17_input_spans"  # gliner looks at some spans only
TRUNCATED = "c15_truncated_max_len"  # gliner cuts the text; we do not
SHIFTED = (
    "c13_unicode"  # a word has no piece; gliner gives those after it their neighbours' vectors
)
PLAIN = [name for name in CASES if name not in (QUESTION, RESTRICTED)]

Spans = dict[tuple[int, int, str], float]
"""First character, the one after the last, and label of each span, with its score."""


@pytest.fixture(scope="module")
def pipelines(golden_gliner: Path) -> dict[str, Language]:
    return {name: pipeline_from_gliner(golden_gliner / name) for name in ("tiny_a", "tiny_b")}


def documents(nlp: Language, about: dict[str, Any]) -> list[Doc]:
    """Their tokens are gliner's words and the whitespace between them."""
    docs = []
    for text, words in zip(about["texts"], about["words"], strict=True):
        if about["id"] == TRUNCATED:
            words = words[: about["n_words_seen"][0]]
            text = text[: words[-1][2]]
        doc = Doc(nlp.vocab, *get_words_and_spaces([word for word, _, _ in words], text))
        assert doc.text == text
        docs.append(doc)
    return docs


def found(group: SpanGroup, shift: int = 0) -> Spans:
    """In the characters of a text in which the document begins at `shift`."""
    spans = [(s.start_char + shift, s.end_char + shift, s.label_) for s in group]
    assert len(set(spans)) == len(spans)
    return dict(zip(spans, group.attrs["scores"].tolist(), strict=True))


def expected(about: dict[str, Any]) -> list[Spans]:
    return [
        {(e["start"], e["end"], e["label"]): e["score"] for e in entities}
        for entities in about["entities"]
    ]


def settings(about: dict[str, Any]) -> dict[str, Any]:
    return {
        "threshold": about["threshold"],
        "overlap": "flat" if about["flat_ner"] else "nested",
        "labels_per_span": "many" if about["multi_label"] else "one",
    }


def assert_same(ours: Spans, theirs: Spans, within: float = 1e-5) -> None:
    assert ours.keys() == theirs.keys()
    assert ours == pytest.approx(theirs, abs=within)


@pytest.mark.parametrize("name", PLAIN)
def test_the_entities_are_the_authors(
    pipelines: dict[str, Language], golden_gliner: Path, name: str
) -> None:
    about = read_case(golden_gliner, name).about
    nlp = pipelines[about["model"]]
    docs, prompt = documents(nlp, about), make_prompt(about["labels"])
    gliner = nlp.get_pipe("gliner_multitask")
    groups = gliner.find(docs, [prompt] * len(docs), **settings(about))
    theirs = expected(about)
    assert any(theirs)
    for group, entities in zip(groups, theirs, strict=True):
        assert_same(found(group), entities, within=1e-2 if name == SHIFTED else 1e-5)


def test_gliner_shifts_words_where_we_do_not(golden_gliner: Path) -> None:
    case = read_case(golden_gliner, SHIFTED)
    assert case.arrays["words_mask"].max() == len(case.about["words"][0]) - 1


@pytest.mark.parametrize("name", PLAIN)
def test_spacys_own_tokens_hold_every_entity(
    pipelines: dict[str, Language], golden_gliner: Path, name: str
) -> None:
    about = read_case(golden_gliner, name).about
    nlp = pipelines[about["model"]]
    docs = [nlp.make_doc(doc.text) for doc in documents(nlp, about)]
    options = {**settings(about), "overlap": "any"}
    prompts = [make_prompt(about["labels"])] * len(docs)
    groups = nlp.get_pipe("gliner_multitask").find(docs, prompts, **options)
    for group, entities in zip(groups, expected(about), strict=True):
        for start, end, label in entities:
            assert any(
                span.start_char <= start and end <= span.end_char and span.label_ == label
                for span in group
            )


def test_a_task_is_no_part_of_the_text(pipelines: dict[str, Language], golden_gliner: Path) -> None:
    about = read_case(golden_gliner, QUESTION).about
    nlp = pipelines[about["model"]]
    task, text = about["texts"][0].split("\n ")
    task += "\n "
    gliner = nlp.get_pipe("gliner_multitask")
    prompt = make_prompt(about["labels"], task=task)
    doc = nlp.make_doc(text)
    (group,) = gliner.find([doc], [prompt], **settings(about))
    assert_same(found(group, shift=len(task)), expected(about)[0])


def test_among_all_spans_are_those_that_gliner_was_told_to_look_at(
    pipelines: dict[str, Language], golden_gliner: Path
) -> None:
    about = read_case(golden_gliner, RESTRICTED).about
    nlp = pipelines[about["model"]]
    (doc,) = documents(nlp, about)
    gliner = nlp.get_pipe("gliner_multitask")
    everything = {"overlap": "any", "labels_per_span": "many", "threshold": about["threshold"]}
    (group,) = gliner.find([doc], [make_prompt(about["labels"])], **everything)
    places = {(span["start"], span["end"]) for span in about["input_spans"][0]}
    best: Spans = {}
    for (start, end, label), score in sorted(found(group).items(), key=lambda item: item[1]):
        if (start, end) in places:
            best = {key: s for key, s in best.items() if key[:2] != (start, end)}
            best[start, end, label] = score
    assert_same(best, expected(about)[0])


def test_the_config_of_the_pipeline_is_the_checkpoints(pipelines: dict[str, Language]) -> None:
    model = pipelines["tiny_b"].config["components"]["gliner_multitask"]["model"]
    assert (model["hidden_size"], model["n_lstm_layers"], model["pooling"]) == (24, 2, "mean")
    assert pipelines["tiny_b"].config["components"]["gliner_multitask"]["max_pieces"] == 256
