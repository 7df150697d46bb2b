"""Relations by prompt: the labels that are asked for are "head <> relation", the answers tails."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc, Span, SpanGroup

from ..prompts import HEAD_END, is_blank, make_prompt
from ..relations import Relation
from ..wordings import WORDINGS
from .asked import Labels
from .finder import Finder, as_docs

HeadLabels = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Question:
    """One label of a prompt."""

    heads: list[Span]
    """All of one text, in order."""
    relation: str
    description: str
    """The relation as the model reads it."""

    @property
    def reading(self) -> str:
        """What the model reads; a line break in a head is a space, as anywhere in a line."""
        return f"{_reading(self.heads[0])}{HEAD_END}{self.description}"


def find_relations(
    finder: Finder,
    docs: Iterable[Doc],
    relations: Labels,
    *,
    heads: Iterable[Iterable[Span]] | None = None,
    pairs: HeadLabels | None = None,
    threshold: float | None = None,
) -> list[list[Relation]]:
    """Find what the heads of each document stand in the relations to.

    relations: their names, in plain words, or {name: what the model reads}. heads: spans of each
    document to ask about; by default its entities, and where it has none, what it has in
    `doc.spans` under the component's key. One that is given twice counts once. pairs: for some of
    the relations, the labels of heads to ask about. threshold: None for the component's.

    Returns the relations of each document in order of their heads, then of `relations`, then of
    their tails, and sets `doc._.relations` to them (of a document that is given twice, to the last
    ones). Heads of one text are asked about once, since the model reads of a head its text alone,
    and each of them gets what is found.

    Each question is answered by itself: its tails share no word, but what is the tail of one head
    may be in the answer of others, too (the authors' package gives it to one of them only).

    Warns, with their number, of heads that are too long to be asked about: together with the
    relation and the task they must fit into half of a window. They are left out.
    Raises ValueError for no or a blank relation, for a relation in `pairs` that is not asked for,
    and for heads that are blank, of another document, or not a list for each document.
    """
    docs = as_docs(docs)
    described = _described(relations)
    names = list(described)
    _check_pairs(pairs, names)
    task = WORDINGS[finder.wording].relations
    asked = [
        _questions(own, described, pairs or {})
        for own in _heads_of(docs, heads, spans_key=finder.key)
    ]
    asked = _without_long_heads(finder, asked, task)
    some = [i for i, questions in enumerate(asked) if questions]
    # Named by number: two heads and relations that hold "<>" may read the same when put together.
    prompts = [
        make_prompt({str(n): question.reading for n, question in enumerate(asked[i])}, task=task)
        for i in some
    ]
    groups = finder.find(
        [docs[i] for i in some],
        prompts,
        threshold=threshold,
        overlap="flat",
        labels_apart=True,
    )
    found: list[list[Relation]] = [[] for _ in docs]
    for i, group in zip(some, groups, strict=True):
        found[i] = _relations(group, asked[i], names)
    for doc, own in zip(docs, found, strict=True):
        doc._.relations = own
    return found


def _described(relations: Labels) -> dict[str, str]:
    """The relations by name, each as the model reads it."""
    if isinstance(relations, str) or not isinstance(relations, Sequence | Mapping) or not relations:
        raise ValueError(
            "relations must be a list of names, such as ['founded by'], or a dict of names and "
            f"descriptions, got {relations!r}"
        )
    prompt = make_prompt(relations)
    return dict(zip(prompt.labels, prompt.readings, strict=True))


def _check_pairs(pairs: HeadLabels | None, relations: Sequence[str]) -> None:
    unknown = [relation for relation in pairs or {} if relation not in relations]
    if unknown:
        raise ValueError(
            f"pairs has relations that are not asked for: {unknown}. These are: {list(relations)}."
        )
    for relation, labels in (pairs or {}).items():
        if isinstance(labels, str):
            raise ValueError(
                f"pairs gives for '{relation}' the text {labels!r}: give a list of labels of heads."
            )


def _heads_of(
    docs: Sequence[Doc], heads: Iterable[Iterable[Span]] | None, *, spans_key: str
) -> list[list[Span]]:
    """The heads of each document, in order of the text."""
    if heads is None:
        heads = [doc.ents or doc.spans.get(spans_key, []) for doc in docs]
    heads = list(heads)
    if len(heads) != len(docs):
        raise ValueError(
            f"heads are of {len(heads)} documents, but there are {len(docs)}: give a list of spans "
            "for each document."
        )
    return [_checked(doc, own) for doc, own in zip(docs, heads, strict=True)]


def _checked(doc: Doc, heads: Iterable[Span]) -> list[Span]:
    if isinstance(heads, Span) or not isinstance(heads, Iterable):
        raise ValueError(
            f"heads must have a list of spans for each document, such as [doc[0:2]], got {heads!r}."
        )
    heads = list(heads)
    for head in heads:
        if not isinstance(head, Span):
            raise ValueError(f"heads must be spans, such as doc[0:2], got {head!r}.")
        if head.doc is not doc:
            raise ValueError(f"The head {head.text!r} is a span of another document.")
        if is_blank(head.text):
            raise ValueError(f"A head at token {head.start} has no text to ask about.")
    return sorted(dict.fromkeys(heads), key=lambda span: (span.start_char, span.end_char))


def _questions(
    heads: Sequence[Span], relations: Mapping[str, str], pairs: HeadLabels
) -> list[Question]:
    """As in the authors' package: all heads of the first relation, then all of the next."""
    questions = []
    for relation, description in relations.items():
        labels = pairs.get(relation)
        by_text: dict[str, list[Span]] = {}
        for head in heads:
            if labels is None or head.label_ in labels:
                by_text.setdefault(_reading(head), []).append(head)
        questions += [Question(own, relation, description) for own in by_text.values()]
    return questions


def _without_long_heads(
    finder: Finder, asked: Sequence[Sequence[Question]], task: str
) -> list[list[Question]]:
    """The questions that can be asked; warns of heads that are in others."""
    readings = list(dict.fromkeys(question.reading for own in asked for question in own))
    fits = dict(zip(readings, finder.fits(readings, task=task), strict=True))
    long = {
        (i, head.start, head.end)
        for i, own in enumerate(asked)
        for question in own
        if not fits[question.reading]
        for head in question.heads
    }
    if long:
        warnings.warn(
            f"{len(long)} heads are too long to be asked about, and left out: with a relation and "
            "the task they do not fit into half of max_pieces. Give shorter spans in heads, keep "
            "the labels of long ones out by pairs, or set max_pieces to more.",
            stacklevel=3,
        )
    return [[question for question in own if fits[question.reading]] for own in asked]


def _reading(head: Span) -> str:
    return " ".join(head.text.split())


def _relations(
    group: SpanGroup, questions: Sequence[Question], names: Sequence[str]
) -> list[Relation]:
    found = [
        Relation(head, question.relation, _tail(span, question.relation), float(score))
        for span, score in zip(group, group.attrs["scores"], strict=True)
        for question in [questions[int(span.label_)]]
        for head in question.heads
    ]
    return sorted(found, key=lambda relation: _place(relation, names))


def _tail(span: Span, relation: str) -> Span:
    return Span(span.doc, span.start, span.end, label=relation)


def _place(relation: Relation, names: Sequence[str]) -> tuple[int, ...]:
    head, tail = relation.head, relation.tail
    return (head.start, head.end, names.index(relation.label), tail.start, tail.end)
