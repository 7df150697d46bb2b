"""Relations by prompt: every head is asked about once, and no answer is lost or made up."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_sener.pipeline.gliner_multitask import GLiNERMultitask
from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner
from spacy_sener.prompts import make_prompt
from spacy_sener.relations import Relation
from spacy_sener.wordings import WORDINGS

FOUNDERS = (
    "Microsoft was founded by Bill Gates and Paul Allen on April 4, 1975 to develop and sell BASIC "
    "interpreters."
)
BANK = "She works for a bank near the river in London; he was born in Berlin."
RELATIONS = ["founder of", "founded by"]
TASK = WORDINGS["package"].relations

Row = tuple[str, int, str, str, int, float]


@pytest.fixture
def gliner(published: Language) -> Any:
    return published.get_pipe("gliner_multitask")


def with_ents(nlp: Language, text: str = FOUNDERS, **ents: str) -> Doc:
    """Every mention of the texts is an entity of that label."""
    doc = nlp.make_doc(text)
    places = [
        (match.start(), match.end(), label)
        for label, mention in ents.items()
        for match in re.finditer(re.escape(mention), text)
    ]
    spans = [doc.char_span(start, end, label) for start, end, label in places]
    doc.set_ents([span for span in spans if span is not None])
    return doc


def rows(relations: list[Relation]) -> list[Row]:
    return [
        (r.head.text, r.head.start, r.label, r.tail.text, r.tail.start, round(r.score, 4))
        for r in relations
    ]


def asked(gliner: GLiNERMultitask, doc: Doc, *readings: str, threshold: float = 0.1) -> list[Any]:
    """What `find` gives for each of some readings, asked together: text, place, score."""
    names = {str(i): reading for i, reading in enumerate(readings)}
    prompt = make_prompt(names, task=TASK)
    (found,) = gliner.find([doc], [prompt], threshold=threshold, overlap="flat", labels_apart=True)
    answers = zip(found, found.attrs["scores"], strict=True)
    answers = [(s.label_, s.text, s.start, round(float(score), 4)) for s, score in answers]
    return [[rest for i, *rest in answers if i == name] for name in names]


def test_heads_and_relations_are_asked_in_order(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    (found,) = gliner.relations([doc], RELATIONS, threshold=0.02)
    answers = asked(
        gliner,
        doc,
        "Microsoft <> founder of",
        "Bill Gates <> founder of",
        "Microsoft <> founded by",
        "Bill Gates <> founded by",
        threshold=0.02,
    )
    order = [("Microsoft", 0, "founder of"), ("Bill Gates", 4, "founder of")]
    order += [("Microsoft", 0, "founded by"), ("Bill Gates", 4, "founded by")]
    expected = [
        (*question, *answer)
        for question, of_one in zip(order, answers, strict=True)
        for answer in of_one
    ]
    assert len(expected) > 4
    assert sorted(rows(found)) == sorted(expected)
    # They come by head, then by relation, then by tail.
    keys = [(r[1], RELATIONS.index(r[2]), r[4]) for r in rows(found)]
    assert keys == sorted(keys)
    assert {r.head.label_ for r in found} == {"ORG", "PERSON"}
    assert all(r.tail.label_ == r.label for r in found)
    assert doc._.relations == found


def test_the_papers_words(golden_gliner: Path) -> None:
    nlp = pipeline_from_gliner(golden_gliner / "tiny_a")
    gliner: Any = nlp.get_pipe("gliner_multitask")
    gliner.cfg["wording"] = "paper"
    doc = with_ents(nlp, ORG="Microsoft")
    (found,) = gliner.relations([doc], ["founded by"], threshold=0.05)
    task = "Identify the relation in the given text, highlighting the relevant entity: "
    prompt = make_prompt(["Microsoft <> founded by"], task=task)
    (same,) = gliner.find([doc], [prompt], threshold=0.05, overlap="flat")
    assert [(r.tail.start, r.tail.end) for r in found] == [(s.start, s.end) for s in same]
    assert [r.score for r in found] == same.attrs["scores"].tolist() != []


def test_one_tail_for_several_heads(published: Language, gliner: Any) -> None:
    """In one decoding for all labels the best head alone would get it."""
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates", DATE="April 4")
    (found,) = gliner.relations([doc], RELATIONS, threshold=0.05)
    heads: dict[tuple[int, int], set[int]] = {}
    for relation in found:
        heads.setdefault((relation.tail.start, relation.tail.end), set()).add(relation.head.start)
    assert max(len(each) for each in heads.values()) > 1
    # Tails of one head in one relation share no word.
    by_question: dict[tuple[int, str], list[Span]] = {}
    for relation in found:
        by_question.setdefault((relation.head.start, relation.label), []).append(relation.tail)
    for tails in by_question.values():
        assert all(a.end <= b.start for a, b in pairwise(tails))


def test_heads_of_one_text_are_asked_about_once(published: Language, gliner: Any) -> None:
    text = f"{FOUNDERS} Microsoft was founded\nby Bill\nGates."
    doc = with_ents(published, text, ORG="Microsoft", A="Bill Gates", B="Bill\nGates")
    assert [ent.text for ent in doc.ents][-1] == "Bill\nGates"
    (found,) = gliner.relations([doc], ["founded by"], threshold=0.1)
    answers = asked(gliner, doc, "Microsoft <> founded by", "Bill Gates <> founded by")
    for head, answer in zip(("Microsoft", "Bill"), answers, strict=True):
        starts = [ent.start for ent in doc.ents if ent.text.startswith(head)]
        assert len(starts) == 2
        assert answer
        for start in starts:
            assert [[*row[3:]] for row in rows(found) if row[1] == start] == answer


@pytest.mark.parametrize(
    ("head", "relation"),
    [("Bill Gates", "has <> the name"), ("by Bill", " <> "), ("Gates and", "a{}%s <> b <> c")],
)
def test_texts_that_hold_the_sign_itself(
    published: Language, gliner: Any, head: str, relation: str
) -> None:
    text = FOUNDERS.replace("by Bill", "by <> Bill")
    doc = published.make_doc(text)
    start = text.index(head.replace("by Bill", "by <> Bill"))
    heads = [doc.char_span(start, start + len(head.replace("by Bill", "by <> Bill")), "H")]
    (found,) = gliner.relations([doc], [relation], heads=[heads], threshold=0.02)
    (answer,) = asked(gliner, doc, f"{heads[0].text} <> {relation}", threshold=0.02)
    assert [[*row[3:]] for row in rows(found)] == answer
    assert answer
    assert {(r.head, r.label) for r in found} == {(heads[0], relation)}


def test_two_questions_that_read_the_same(published: Language, gliner: Any) -> None:
    """ "a <> b" in relation "c" and "a" in relation "b <> c"."""
    text = FOUNDERS.replace("Microsoft", "Microsoft <> Word")
    doc = published.make_doc(text)
    heads = [doc.char_span(0, 9), doc.char_span(0, len("Microsoft <> Word"))]
    relations = ["founded by", "Word <> founded by"]
    (found,) = gliner.relations([doc], relations, heads=[heads], threshold=0.1)
    questions = {(r.head.text, r.label) for r in found}
    assert {("Microsoft", relations[1]), ("Microsoft <> Word", relations[0])} <= questions


def test_heads_are_entities_or_spans_or_given(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft")
    allen, gates = doc.char_span(40, 50, "PERSON"), doc.char_span(25, 35, "PERSON")
    doc.spans["sc"] = [allen]

    def heads(**settings: Any) -> set[str]:
        (found,) = gliner.relations([doc], RELATIONS, threshold=0.02, **settings)
        return {relation.head.text for relation in found}

    assert heads() == {"Microsoft"}
    assert heads(heads=[[gates, allen]]) == {"Bill Gates", "Paul Allen"}
    assert heads(heads=[[]]) == set()
    assert doc._.relations == []
    doc.set_ents([])
    assert heads() == {"Paul Allen"}
    doc.spans.pop("sc")
    assert heads() == set()


def test_a_head_that_is_given_twice_counts_once(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    twice = [*doc.ents, doc[0:1], *doc.ents]  # the plain one has no label, and so is another
    expected = [*doc.ents, doc[0:1]]
    (found,) = gliner.relations([doc], RELATIONS, heads=[twice], threshold=0.05)
    assert found == gliner.relations([doc], RELATIONS, heads=[expected], threshold=0.05)[0] != []


def test_pairs_say_which_heads_go_with_a_relation(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    # Of one text, but of another label.
    heads = [*doc.ents, Span(doc, 0, 1, label="PRODUCT")]
    pairs = {"founded by": ["ORG"]}
    (found,) = gliner.relations([doc], RELATIONS, heads=[heads], pairs=pairs, threshold=0.02)
    of = {relation: {r.head.label_ for r in found if r.label == relation} for relation in RELATIONS}
    assert of == {"founder of": {"ORG", "PERSON", "PRODUCT"}, "founded by": {"ORG"}}
    assert gliner.relations([doc], ["founded by"], pairs={"founded by": []}, threshold=0.02) == [[]]


def test_documents_of_several_windows(published: Language, gliner: Any) -> None:
    doc = with_ents(published, " ".join([FOUNDERS, BANK] * 20), LOC="London")
    doc.set_ents([*doc.ents, Span(doc, 0, 1, label="ORG")])
    (found,) = gliner.relations([doc], ["founded by"], pairs={"founded by": ["ORG"]})
    tails = [r.tail for r in found if r.tail.text == "Bill Gates"]
    assert len(tails) > 5
    assert tails[-1].start > len(doc) - 100
    assert {r.head.start for r in found} == {0}


def test_more_questions_than_a_prompt_holds(published: Language, gliner: Any) -> None:
    """They are asked in several passes: half of the 256 pieces are for the prompt."""
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    many = [f"founded by person of number {i}" for i in range(30)]
    (found,) = gliner.relations([doc], many, threshold=0.02)
    assert {r.label for r in found} == set(many)


def test_heads_that_are_too_long_are_left_out_and_counted(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft")
    (expected,) = gliner.relations([doc], RELATIONS, threshold=0.1)
    long = with_ents(published, " ".join([BANK] * 15))
    heads = [doc.ents, [long[:80], long[10:100], long[7:8]]]
    with pytest.warns(UserWarning, match=r"^2 heads are too long .* half of max_pieces"):
        found = gliner.relations([doc, long], RELATIONS, heads=heads, threshold=0.1)
    assert rows(found[0]) == rows(expected) != []
    assert {r.head.start for r in found[1]} == {7}


def test_relations_may_be_described(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    (plain,) = gliner.relations([doc], ["founded by", "founder of"], threshold=0.02)
    described = {"FOUNDER": "founded by", "FOUNDED": "founder of"}
    (found,) = gliner.relations(
        [doc], described, pairs={"FOUNDED": ["PERSON", "ORG"]}, threshold=0.02
    )
    names = {reading: name for name, reading in described.items()}
    assert rows(found) == [(r[0], r[1], names[r[2]], *r[3:]) for r in rows(plain)] != []


def test_batches_and_documents_without_words_or_heads(published: Language, gliner: Any) -> None:
    docs = [
        with_ents(published, ORG="Microsoft"),
        published.make_doc(""),
        published.make_doc(BANK),
        with_ents(published, BANK * 15, LOC="London"),
        published.make_doc(" \n"),
    ]
    found = gliner.relations(docs, RELATIONS, threshold=0.1)
    alone = [gliner.relations([doc], RELATIONS, threshold=0.1)[0] for doc in docs]
    assert [rows(each) for each in found] == [rows(each) for each in alone]
    assert [bool(each) for each in found] == [True, False, False, True, False]
    assert gliner.relations([], RELATIONS) == []
    assert [doc._.relations for doc in docs] == found


def test_the_threshold_is_the_components(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    (found,) = gliner.relations([doc], RELATIONS)
    assert found == gliner.relations([doc], RELATIONS, threshold=0.5)[0]
    assert 0 < len(found) < len(gliner.relations([doc], RELATIONS, threshold=0.1)[0])


def test_a_doc_bin_keeps_them(published: Language, gliner: Any) -> None:
    doc = with_ents(published, ORG="Microsoft", PERSON="Bill Gates")
    (found,) = gliner.relations([doc], RELATIONS)
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (read,) = DocBin().from_bytes(data).get_docs(Language().vocab)
    assert rows(read._.relations) == rows(found) != []
    assert json.dumps(rows(read._.relations))


def test_what_is_asked_must_make_sense(published: Language, gliner: Any) -> None:
    doc, other = with_ents(published, ORG="Microsoft"), published.make_doc(FOUNDERS)
    for relations, problem in (
        ([], r"relations must be a list of names, such as \['founded by'\], or .*, got \[\]"),
        ("founded by", "relations must be a list of names, .*, got 'founded by'"),
        ({"founded by"}, "relations must be a list .* or a dict of names and descriptions, got {"),
        ({"founded by": " "}, "the description of the label 'founded by' must be a string"),
        ([" "], "got ' '"),
        ([3], "got 3"),
    ):
        with pytest.raises(ValueError, match=problem):
            gliner.relations([doc], relations)
    for settings, problem in (
        ({"heads": [[], []]}, "heads are of 2 documents, but there are 1: give a list of spans"),
        (
            {"heads": list(doc.ents)},
            r"heads must have a list of spans for each document, .*, got Microsoft",
        ),
        ({"heads": [None]}, "heads must have a list of spans for each document, .*, got None"),
        ({"heads": [["Microsoft"]]}, r"heads must be spans, such as doc\[0:2\], got 'Microsoft'"),
        ({"heads": [[other[0:1]]]}, "The head 'Microsoft' is a span of another document"),
        ({"heads": [[doc[2:2]]]}, "A head at token 2 has no text to ask about"),
        (
            {"pairs": {"owns": ["ORG"]}},
            r"not asked for: \['owns'\]. These are: \['founder of', 'fou",
        ),
        ({"pairs": {"founder of": "ORG"}}, "pairs gives for 'founder of' the text 'ORG': give a l"),
    ):
        with pytest.raises(ValueError, match=problem):
            gliner.relations([doc], RELATIONS, **settings)
    with pytest.raises(ValueError, match=r"Give a list of documents, \[doc\]"):
        gliner.relations(doc, RELATIONS)
    assert doc._.relations == []
