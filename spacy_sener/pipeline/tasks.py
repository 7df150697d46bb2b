"""What a multi-task model is asked beside names of labels: questions, summaries, any prompt.

Each task is a prompt that stands before the text, and its answer is spans of the text. Texts of any
length are asked as a whole. As in the authors' package the spans of one answer share no word,
whatever the component's own `overlap`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from spacy.tokens import Doc, SpanGroup

from ..prompts import Prompt, make_prompt
from ..wordings import WORDINGS
from .finder import Finder, as_docs

ANSWER = "answer"
SUMMARY = "summary"


def answer(
    finder: Finder,
    docs: Iterable[Doc],
    question: str | Sequence[str],
    *,
    threshold: float | None = None,
) -> list[SpanGroup]:
    """Find the answers to a question, or to one of its own for each document.

    Returns a group per document, labelled "answer", the best answer first, with their scores in
    `attrs["scores"]`; empty where there is none. threshold: None for the component's.
    Raises ValueError for a blank question, and where there are not as many as documents.
    """
    docs = as_docs(docs)
    words = WORDINGS[finder.wording]
    tasks = [words.ask(each) for each in _one_each("question", question, docs)]
    groups = _find(finder, docs, _prompts(ANSWER, tasks), threshold)
    return [_by_score(group) for group in groups]


def summarize(
    finder: Finder,
    docs: Iterable[Doc],
    *,
    threshold: float | None = None,
) -> list[SpanGroup]:
    """Find what is most important in each document.

    Returns a group per document, labelled "summary", in order of the text, with their scores in
    `attrs["scores"]`; `" ".join(span.text for span in group)` is the summary as a text.
    threshold: None for the wording's, 0.25 for the package's and 0.1 for the paper's.
    """
    docs = as_docs(docs)
    words = WORDINGS[finder.wording]
    threshold = words.summary_threshold if threshold is None else threshold
    return _find(finder, docs, _prompts(SUMMARY, [words.summary] * len(docs)), threshold)


def extract(
    finder: Finder,
    docs: Iterable[Doc],
    prompt: str | Sequence[str],
    *,
    label: str = "match",
    threshold: float | None = None,
) -> list[SpanGroup]:
    """Find what a prompt in free words asks for, e.g. "Find all positive aspects of the product".

    prompt: one for all documents, or one of its own for each. label: what the spans are called,
    which the model reads, too: "match" is what it was trained with.
    Returns a group per document, in order of the text, with their scores in `attrs["scores"]`.
    Raises ValueError for a blank prompt or label, and where there are not as many as documents.
    """
    docs = as_docs(docs)
    words = WORDINGS[finder.wording]
    tasks = [words.extract(each) for each in _one_each("prompt", prompt, docs)]
    return _find(finder, docs, _prompts(label, tasks), threshold)


def _prompts(label: str, tasks: Sequence[str]) -> list[Prompt]:
    return [make_prompt([label], task=task) for task in tasks]


def _one_each(kind: str, given: str | Sequence[str], docs: Sequence[Doc]) -> Sequence[str]:
    if isinstance(given, str):
        return [given] * len(docs)
    if not isinstance(given, Sequence):
        raise ValueError(f"Give a {kind} as a text, or a list with one for each, not {given!r}.")
    if len(given) != len(docs):
        raise ValueError(
            f"There are {len(given)} {kind}s for {len(docs)} documents: give one {kind} for all, "
            "as a text, or a list with one for each. To ask several of one document, give it "
            "several times."
        )
    return given


def _find(
    finder: Finder, docs: Sequence[Doc], prompts: Sequence[Prompt], threshold: float | None
) -> list[SpanGroup]:
    return finder.find(docs, prompts, threshold=threshold, overlap="flat", labels_per_span="one")


def _by_score(group: SpanGroup) -> SpanGroup:
    """The best one first; those that tie stay in order."""
    spans, scores = list(group), np.asarray(group.attrs["scores"])
    order = np.argsort(-scores, kind="stable")
    return SpanGroup(
        group.doc, name=group.name, spans=[spans[i] for i in order], attrs={"scores": scores[order]}
    )
