"""What a worker answers: a row or a reason for each document, in their order."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from annotate.marked import BAD, NAME, save_pipeline
from self_trained import DATA, EMPTY, make_pipeline
from spacy.language import Language
from spacy.tokens import Doc
from tiny_gliner import FIRST, LAST, component, marking_pipeline

from spacy_sener.annotate.documents import Item, Unreadable
from spacy_sener.annotate.worker import Annotator, Done, Failed, Failure, Ready, Task, Worker

NO_GPU = 99
TEXTS = [
    *(text for text, _ in DATA[:5]),
    EMPTY,
    "",
    " \n",
    "Ünïcode 👩‍👩‍👧 Anna Keller \u200b worked .",
]


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipeline(tmp_path_factory.mktemp("marking") / "pipeline")


def items(texts: list[str]) -> list[Item]:
    return [
        Item(f"a.jsonl:{i}", json.dumps({"text": text}).encode()) for i, text in enumerate(texts)
    ]


def spans(doc: Doc) -> Iterator[dict[str, Any]]:
    group = doc.spans["sc"]
    for span, score in zip(group, group.attrs["scores"], strict=True):
        place = {"start": span.start_char, "end": span.end_char, "label": span.label_}
        yield {**place, "score": pytest.approx(float(score), abs=1e-5)}


def test_the_answers_are_those_of_the_pipeline(tiny_encoder: Path, tmp_path: Path) -> None:
    nlp = make_pipeline(tiny_encoder, steps=0)
    nlp.get_pipe("sener").cfg.update(threshold=0.0, overlap="any")
    nlp.to_disk(tmp_path)
    expected = [list(spans(doc)) for doc in nlp.pipe(TEXTS)]
    assert [len(found) > 10 for found in expected] == [bool(text.strip()) for text in TEXTS]
    answers = Annotator(Task(str(tmp_path), with_text=True, batch_size=3))(items(TEXTS))
    for i, (text, found) in enumerate(zip(TEXTS, expected, strict=True)):
        assert answers[i] == {"doc_id": f"a.jsonl:{i}", "spans": found, "text": text}


def test_documents_are_asked_for_their_own_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    marking_pipeline(tiny_encoder, labels_per_span="many").to_disk(tmp_path)
    fields = {"text": f"{FIRST} {LAST}", "gliner_labels": ["city", "person"]}
    wrong = {**fields, "gliner_labels": ["city", 7]}
    asked, unusable = Annotator(Task(str(tmp_path)))([Item("1", fields), Item("2", wrong)])
    assert isinstance(asked, dict)
    assert {span["label"] for span in asked["spans"]} == {"city", "person"}
    assert isinstance(unusable, Failure)
    assert "unusable label" in unusable.message


def test_a_component_without_labels_does_those_documents_that_name_some(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    nlp = marking_pipeline(tiny_encoder, labels_per_span="many")
    component(nlp).cfg["labels"] = []
    nlp.to_disk(tmp_path)
    worker, text = Worker(), f"{FIRST} {LAST}"
    assert isinstance(worker.load(Task(str(tmp_path))), Ready)
    named, unnamed = Item("1", {"text": text, "gliner_labels": ["city"]}), Item("2", {"text": text})
    message = worker.annotate([named, unnamed])
    assert isinstance(message, Done)
    asked, failure = message.answers
    assert isinstance(asked, dict)
    assert {span["label"] for span in asked["spans"]} == {"city"}
    assert isinstance(failure, Failure)
    assert "was told no labels to look for" in failure.message


def test_what_is_wrong_with_a_document_is_said_and_the_others_are_answered(marking: Path) -> None:
    contents: dict[str, tuple[Any, str]] = {
        "not JSON": (b"{", "JSONDecodeError"),
        "too deep": (b"[" * 100_000, "RecursionError"),
        "not UTF-8": (b'{"text": "caf\xe9"}', "UnicodeDecodeError"),
        "a list": (b"[]", "expected a JSON object, but found list"),
        "no text": (b'{"id": 1}', "the record has no 'text'; its keys are ['id']"),
        "a null": ({"text": None}, "'text' should be a string, but is NoneType"),
        "half a pair": (rb'{"text": "\ud800"}', "surrogates not allowed"),
        "no name": (b'{"text": "x", "id": [1]}', "a document's name should be a string or a num"),
        "not a number": (b'{"text": "x", "id": NaN}', "should be a finite number"),
        "two texts": (b'{"text": "x", "text": "y"}', "the key 'text' comes twice"),
        "unreadable": (Unreadable("torn"), "torn"),
        "raises": ({"text": f"{BAD} {NAME}"}, "ValueError: this one is bad"),
    }
    wrong = [Item(place, content) for place, (content, _) in contents.items()]
    good = [Item(f"good {i}", {"text": f"{i} {NAME}", "id": i}) for i in range(len(wrong))]
    mixed = [item for pair in zip(wrong, good, strict=True) for item in pair]
    answers = Annotator(Task(str(marking)))(mixed)
    for item, answer in zip(wrong, answers[::2], strict=True):
        assert isinstance(answer, Failure)
        assert answer.place == item.place
        assert contents[item.place][1] in answer.message
    assert isinstance(answers[8], Failure)
    assert answers[8].doc_id == 1
    for i, answer in enumerate(answers[1::2]):
        span = {"start": len(f"{i} "), "end": len(f"{i} Anna"), "label": "NAME", "score": 0.5}
        assert answer == {"doc_id": i, "spans": [span]}


@Language.component("break_batches")
class BreaksBatches:
    """Has no use for an error handler."""

    def __call__(self, doc: Doc) -> Doc:
        return doc

    def pipe(self, docs: Any, **_: Any) -> Iterator[Doc]:
        for i, doc in enumerate(docs):
            if i == 2:
                raise RuntimeError("out of memory")
            yield doc


def test_a_batch_that_fails_is_done_again_one_by_one(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("mark_names")
    Language.component("break_batches", func=BreaksBatches())
    nlp.add_pipe("break_batches")
    nlp.to_disk(tmp_path)
    answers = Annotator(Task(str(tmp_path)))(items([NAME] * 5))
    assert [len(answer["spans"]) for answer in answers if isinstance(answer, dict)] == [1] * 5


def test_a_pipeline_that_does_not_fit_is_told_before_all_documents(marking: Path) -> None:
    worker = Worker()
    message = worker.load(Task(str(marking), spans_key="other"))
    assert message == Failed(
        "the pipeline ['mark_names'] has not written doc.spans['other'] (--spans-key), but these: "
        "['sc']",
        is_option=True,
    )
    message = worker.load(Task(str(marking), gpu_id=NO_GPU))
    assert isinstance(message, Failed)
    assert message.is_option
    assert message.reason.startswith(f"--gpu-id {NO_GPU}: ")
    assert isinstance(worker.load(Task(str(marking))), Ready)
    assert isinstance(worker.annotate(items([NAME])), Done)


def test_a_text_may_be_longer_than_spacy_allows(marking: Path) -> None:
    text = f"{NAME}{' ' * 1_000_000} {NAME}"
    (answer,) = Annotator(Task(str(marking)))(items([text]))
    assert isinstance(answer, dict)
    assert [span["end"] for span in answer["spans"]] == [len(NAME), len(text)]


def test_a_tokenizer_that_changes_the_text_gives_no_wrong_offsets(marking: Path) -> None:
    annotator = Annotator(Task(str(marking)))
    annotator.nlp.tokenizer = lambda text: Doc(annotator.nlp.vocab, words=text.split())
    kept, changed = annotator(items([f"{NAME} ", f"{NAME}  {NAME}"]))
    assert isinstance(kept, dict)
    assert isinstance(changed, Failure)
    assert "changes the text" in changed.message


def test_memory_does_not_grow_with_the_words_that_were_read(marking: Path) -> None:
    annotator = Annotator(Task(str(marking)))
    annotator(items([NAME]))
    before = len(annotator.nlp.vocab.strings)
    for number in range(20):
        annotator(items([f"word{number}x{i}" for i in range(50)]))
    assert len(annotator.nlp.vocab.strings) == before
