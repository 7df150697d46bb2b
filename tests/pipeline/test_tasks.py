"""Questions, summaries and free prompts: what a checkpoint answers, of texts of any length."""

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup

from spacy_sener.pipeline.gliner_multitask import GLiNERMultitask
from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner
from spacy_sener.prompts import make_prompt
from spacy_sener.wordings import WORDINGS

FOUNDERS = (
    "Microsoft was founded by Bill Gates and Paul Allen on April 4, 1975 to develop and sell BASIC "
    "interpreters."
)
BANK = "She works for a bank near the river in London; he was born in Berlin."
QUESTIONS = ["Who founded Microsoft?", "Where was he born?"]

Ask = Callable[[Sequence[Doc]], list[SpanGroup]]


@pytest.fixture
def gliner(published: Language) -> Any:
    return published.get_pipe("gliner_multitask")


def described(group: SpanGroup) -> list[tuple[str, int, str, float]]:
    """Text, first character, label and score of each span; the numbers as far as they are sure."""
    return [
        (span.text, span.start_char, span.label_, round(float(score), 4))
        for span, score in zip(group, group.attrs["scores"], strict=True)
    ]


def texts(group: SpanGroup) -> list[str]:
    return [span.text for span in group]


def tasks(gliner: GLiNERMultitask, threshold: float = 0.02) -> dict[str, Ask]:
    return {
        "answer": lambda docs: gliner.answer(docs, QUESTIONS[0], threshold=threshold),
        "summarize": lambda docs: gliner.summarize(docs, threshold=threshold),
        "extract": lambda docs: gliner.extract(docs, "Find all persons", threshold=threshold),
    }


def test_a_question_of_the_golden_cases(
    golden_gliner: Path, published: Language, gliner: GLiNERMultitask
) -> None:
    cases = json.loads((golden_gliner / "cases.json").read_text())
    case = next(case for case in cases if case["id"] == "c11_qa_prompt")
    prefix = WORDINGS["package"].ask(QUESTIONS[0])
    (text,) = case["texts"]
    assert text.startswith(prefix)
    doc = published.make_doc(text.removeprefix(prefix))
    (found,) = gliner.answer([doc], QUESTIONS[0])
    assert described(found) == [
        (e["text"], e["start"] - len(prefix), e["label"], round(e["score"], 4))
        for e in case["entities"][0]
        if e["start"] >= len(prefix)
    ]
    assert texts(found) == ["Bill Gates"]


@pytest.mark.parametrize("text", [FOUNDERS, BANK])
@pytest.mark.parametrize("threshold", [0.25, 0.5])
def test_what_gliner_itself_finds_in_the_text(
    golden_gliner: Path, tmp_path: Path, text: str, threshold: float
) -> None:
    """All that their package marks, with its prompts before the text, but not in the prompt."""
    gliner = pytest.importorskip("gliner")
    source = golden_gliner / "tiny_a"
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((source / "tokenizer_config.json").read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"  # which every transformers knows
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = gliner.GLiNER.from_pretrained(str(tmp_path)).eval()
    nlp = pipeline_from_gliner(source)
    ours: Any = nlp.get_pipe("gliner_multitask")
    for task, label in (
        ("Answer the following question: Where was he born? \n ", "answer"),
        (
            "Summarize the following text highlighting the most important information: \n ",
            "summary",
        ),
        ("Extract relationships between entities from the text:  \n ", "Bill Gates <> founder of"),
        ("Classify text into the following classes: art, bank \n ", "match"),
        ("Find all persons \n ", "match"),
    ):
        doc = nlp.make_doc(text)
        prompts, settings = [make_prompt([label], task=task)], {"overlap": "flat"}
        (found,) = ours.find([doc], prompts, threshold=threshold, **settings)
        (in_task,) = ours.find_in_task([doc], prompts, threshold=threshold, **settings)
        answer = theirs.predict_entities(task + text, [label], threshold=threshold)
        assert described(found) == [
            (e["text"], e["start"] - len(task), e["label"], round(e["score"], 4))
            for e in answer
            if e["start"] >= len(task)
        ]
        assert [(e.start_char, e.end_char, e.label) for e in in_task] == [
            (e["start"], e["end"], e["label"]) for e in answer if e["end"] <= len(task)
        ]


def test_nothing_of_the_prompt_is_an_answer(gliner: Any, published: Language) -> None:
    """The model marks "text" in the summary's prompt, and "Bill Gates" in the question."""
    bank, founders = published.make_doc(BANK), published.make_doc(FOUNDERS)
    prompt = make_prompt(["summary"], task=WORDINGS["package"].summary)
    (in_task,) = gliner.find_in_task([bank], [prompt], threshold=0.25)
    assert [prompt.task[each.start_char : each.end_char] for each in in_task] == ["text"]
    assert texts(gliner.summarize([bank])[0]) == []
    question = "Who is Bill Gates?"
    prompt = make_prompt(["answer"], task=WORDINGS["package"].ask(question))
    (in_task,) = gliner.find_in_task([founders], [prompt], threshold=0.5)
    assert in_task
    (found,) = gliner.answer([founders], question)
    assert [(span.text, span.start_char) for span in found][:1] == [("Bill Gates", 25)]


def test_every_document_has_its_own_question(gliner: Any, published: Language) -> None:
    docs = [published.make_doc(text) for text in (FOUNDERS, BANK)]
    found = gliner.answer(docs, QUESTIONS, threshold=0.02)
    alone = [
        gliner.answer([doc], question, threshold=0.02)[0]
        for doc, question in zip(docs, QUESTIONS, strict=True)
    ]
    assert [described(group) for group in found] == [described(group) for group in alone]
    assert found[0].doc is docs[0]
    # Other questions are answered otherwise.
    swapped = gliner.answer(docs, QUESTIONS[::-1], threshold=0.02)
    assert [described(group) for group in swapped] != [described(group) for group in found]
    for group in found:
        assert len(group)


def test_several_questions_to_one_document(gliner: Any, published: Language) -> None:
    doc = published.make_doc(BANK)
    both = gliner.answer([doc, doc], QUESTIONS, threshold=0.1)
    for group, question in zip(both, QUESTIONS, strict=True):
        assert described(group) == described(gliner.answer([doc], question, threshold=0.1)[0])
    assert described(both[0]) != described(both[1])


def test_as_many_questions_as_documents(gliner: Any, published: Language) -> None:
    docs = [published.make_doc(BANK)] * 3
    with pytest.raises(ValueError, match="2 questions for 3 documents: give one question for all"):
        gliner.answer(docs, QUESTIONS)
    with pytest.raises(ValueError, match="1 prompts for 3 documents"):
        gliner.extract(docs, ["Find it"])


@pytest.mark.parametrize("blank", ["", " \n", "\u200b", None])
def test_blank_questions_and_prompts(gliner: Any, published: Language, blank: Any) -> None:
    docs = [published.make_doc(BANK)]
    with pytest.raises(
        ValueError, match=re.escape(f"question must be a text with some words in it, not {blank!r}")
    ):
        gliner.answer(docs, [blank])
    with pytest.raises(ValueError, match="A prompt must be a text with some words"):
        gliner.extract(docs, [blank])


@pytest.mark.parametrize("given", [None, 5, iter(["Who?"])])
def test_what_is_no_question_is_said(gliner: Any, published: Language, given: Any) -> None:
    with pytest.raises(ValueError, match="Give a question as a text, or a list"):
        gliner.answer([published.make_doc(BANK)], given)


def test_a_document_by_itself_is_refused(gliner: Any, published: Language) -> None:
    doc = published.make_doc(BANK)
    for ask in tasks(gliner).values():
        with pytest.raises(ValueError, match=r"Give a list of documents, \[doc\]"):
            ask(doc)


def test_a_text_is_no_document(gliner: Any) -> None:
    for ask in tasks(gliner).values():
        with pytest.raises(ValueError, match=r"nlp\.make_doc\(text\), not 'A bank"):
            ask(["A bank"])


def test_the_best_answer_comes_first(gliner: Any, published: Language) -> None:
    doc = published.make_doc(FOUNDERS)
    (found,) = gliner.answer([doc], "Who and when?", threshold=0.01)
    scores = found.attrs["scores"].tolist()
    assert len(set(scores)) > 3
    assert scores == sorted(scores, reverse=True)
    starts = [span.start for span in found]
    assert starts != sorted(starts)
    in_order = dict(sorted(zip(starts, scores, strict=True)))
    prompt = make_prompt(["answer"], task=WORDINGS["package"].ask("Who and when?"))
    (same,) = gliner.find([doc], [prompt], threshold=0.01, overlap="flat")
    assert in_order == dict(
        zip([s.start for s in same], same.attrs["scores"].tolist(), strict=True)
    )


def test_a_summary_is_in_order_of_the_text(gliner: Any, published: Language) -> None:
    doc = published.make_doc(FOUNDERS)
    (found,) = gliner.summarize([doc], threshold=0.01)
    assert len(found) > 3
    assert [span.start for span in found] == sorted(span.start for span in found)
    assert {span.label_ for span in found} == {"summary"}
    # They share no word, though the component lets spans lie in one another.
    assert gliner.cfg["overlap"] == "nested"
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize(("wording", "threshold"), [("package", 0.25), ("paper", 0.1)])
def test_summaries_are_kept_from_a_low_score_on(
    golden_gliner: Path, wording: str, threshold: float
) -> None:
    nlp = pipeline_from_gliner(golden_gliner / "tiny_a")
    gliner: Any = nlp.get_pipe("gliner_multitask")
    gliner.cfg["wording"] = wording
    doc = nlp.make_doc(" ".join([BANK, FOUNDERS] * 3))
    (found,) = gliner.summarize([doc])
    (same,) = gliner.summarize([doc], threshold=threshold)
    (stricter,) = gliner.summarize([doc], threshold=0.5)
    assert described(found) == described(same) != described(stricter)
    assert min(found.attrs["scores"]) > threshold


def test_the_papers_words(golden_gliner: Path) -> None:
    nlp = pipeline_from_gliner(golden_gliner / "tiny_a")
    gliner: Any = nlp.get_pipe("gliner_multitask")
    gliner.cfg["wording"] = "paper"
    doc = nlp.make_doc(FOUNDERS)
    for group, label, task in (
        (
            gliner.answer([doc], "Who founded Microsoft?", threshold=0.2),
            "answer",
            "Who founded Microsoft?\n",
        ),
        (
            gliner.summarize([doc], threshold=0.2),
            "summary",
            "Summarize the given text, highlighting the most important information:\n",
        ),
        (gliner.extract([doc], "Find it:", threshold=0.2), "match", "Find it:\n"),
    ):
        (found,) = gliner.find(
            [doc], [make_prompt([label], task=task)], threshold=0.2, overlap="flat"
        )
        assert sorted(described(group[0])) == sorted(described(found))
        assert len(found)


def test_an_extraction_has_a_label(gliner: Any, published: Language) -> None:
    docs = [published.make_doc(FOUNDERS)] * 2
    found = gliner.extract(docs, ["Find all persons", "Find dates"], threshold=0.1)
    assert {span.label_ for group in found for span in group} == {"match"}
    assert described(found[0]) != described(found[1])
    (named,) = gliner.extract(docs[:1], "Find all persons", label="person")
    assert texts(named) == ["Bill Gates", "Paul Allen"]
    assert {span.label_ for span in named} == {"person"}
    # The model reads the label, too.
    assert (
        named.attrs["scores"].tolist()
        != gliner.extract(docs[:1], "Find all persons")[0].attrs["scores"].tolist()
    )


@pytest.mark.parametrize("task", ["answer", "summarize", "extract"])
def test_batches_and_empty_documents(gliner: Any, published: Language, task: str) -> None:
    ask = tasks(gliner)[task]
    docs = [published.make_doc(text) for text in (FOUNDERS, "", BANK * 12, " \n ", BANK)]
    before = [doc.to_bytes() for doc in docs]
    found = ask(docs)
    assert [described(group) for group in found] == [described(ask([doc])[0]) for doc in docs]
    assert [bool(len(group)) for group in found] == [True, False, True, False, True]
    assert [group.doc for group in found] == docs
    assert [doc.to_bytes() for doc in docs] == before
    assert ask([]) == []


def test_answers_lie_anywhere_in_a_long_document(gliner: Any, published: Language) -> None:
    """Of 1,140 words; the model reads 256 pieces at once."""
    doc = published.make_doc(" ".join([FOUNDERS, BANK] * 30))
    (found,) = gliner.answer([doc], QUESTIONS[0])
    places = [span.start for span in found if span.text == "Bill Gates"]
    assert len(places) > 10
    assert max(places) > len(doc) - 100
