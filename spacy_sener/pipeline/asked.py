"""What documents are asked for: the component's labels, or their own; and what their gold has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from spacy.errors import Errors
from spacy.tokens import Doc
from spacy.training import Example

from ..extensions import LABELS, copy_labels
from ..gold import GoldCount
from ..prompts import HEAD_END, Prompt, is_blank, make_prompt
from .checks import keys_with_spans

Labels = Sequence[str] | Mapping[str, str]
"""Names, or names with what the model is to read for each."""


def prompt_of(doc: Doc, labels: Labels, *, name: str) -> Prompt:
    """What a document is asked for.

    labels: of the component `name`, which may have none. Raises ValueError if then the document
    has none of its own either, or what `make_prompt` refuses.
    """
    own = doc._.get(LABELS)
    if own is not None:
        try:
            return make_prompt(own)
        except ValueError as error:
            raise ValueError(f"doc._.gliner_labels: {error}") from error
    if not labels:
        raise ValueError(
            f"'{name}' was told no labels to look for. Give them to set_labels(), or to "
            f"doc._.gliner_labels of each document; labels in [components.{name}] count for a new "
            "component alone, and not for one that is loaded. Tasks, such as answer(), need none: "
            "give them nlp.make_doc(text)."
        )
    return make_prompt(labels)


def asking_doc(example: Example) -> Doc:
    """Whose labels an example is trained with: the gold document's, or the other's where it has
    none, as those that `Example.from_dict` makes."""
    named = example.reference._.get(LABELS) is not None
    return example.reference if named else example.predicted


def gold_labels(example: Example, spans_key: str) -> list[str]:
    """The labels of the annotated spans of a document, in order of the text.

    Raises ValueError for a span without one, which a model that reads labels cannot be asked for.
    """
    spans = example.reference.spans.get(spans_key, [])
    for span in spans:
        if is_blank(span.label_):
            raise ValueError(
                f"The data has a span without a label in doc.spans['{spans_key}']: {span.text!r}. "
                "Give it one, or leave it out, as `python -m spacy sener convert` does."
            )
    return list(dict.fromkeys(span.label_ for span in spans))


def require_asked(gold: Iterable[str], asked: Sequence[str], *, name: str) -> None:
    """Raise ValueError, which lists them, if there are labels that are not asked for."""
    unknown = sorted(set(gold) - set(asked))
    if unknown:
        raise ValueError(
            f"The data has labels that '{name}' does not ask for: {unknown}. It asks for "
            f"{list(asked)}. Add them with add_label(), or to doc._.gliner_labels of their "
            f"documents, or, for a new component, to labels in [components.{name}]; or take them "
            "out of the data."
        )


def as_asked(example: Example, *, by: Callable[[Doc], Doc | None]) -> Example:
    """The example with what a component finds when it asks for the labels of the gold document.

    by: the component; None where it failed, and an error handler went on. It is not asked, and the
    example is as it was, where the gold document names no labels, or those that the predicted one
    was asked for.
    """
    labels = example.reference._.get(LABELS)
    if labels is None or labels == example.predicted._.get(LABELS):
        return example
    answered = by(with_gold_labels(example))
    return example if answered is None else Example(answered, example.reference)


def with_gold_labels(example: Example) -> Doc:
    """A copy of the predicted document, to be asked for the labels of the gold one."""
    doc = example.predicted.copy()
    copy_labels(example.reference, doc)
    return doc


def labels_of(
    examples: Iterable[Example],
    labels: Labels,
    count: GoldCount,
    *,
    spans_key: str,
    name: str,
    may_have_none: bool,
) -> Labels:
    """The labels to ask for: those given or, if there are none, those of the gold spans.

    The latter are read as the documents describe them that name labels of their own: what is not
    named, as in evaluation, can then be asked for too. Of "head <> relation", which such a document
    asks for, the relation alone is taken: another document has other heads. Counts the gold spans
    of all examples in `count`. Raises ValueError for spans of labels that their document is not
    asked for, and, unless there may be none, if there is no label at all.
    """
    found: dict[str, str] = {}
    named = False  # labels by a document itself
    for example in examples:
        count.add(example, spans_key)
        gold = gold_labels(example, spans_key)
        asked: Mapping[str, str] = {label: label for label in labels or gold}
        doc = asking_doc(example)
        shorten: Callable[[str], str] = str
        if doc._.get(LABELS) is not None:
            named = True
            prompt = prompt_of(doc, labels, name=name)
            asked = dict(zip(prompt.labels, prompt.readings, strict=True))
            shorten = _without_head
        require_asked(gold, list(asked), name=name)
        found |= {shorten(label): shorten(asked[label]) for label in gold}
    if not (labels or found or named or may_have_none):
        raise ValueError(
            f"{Errors.E143.format(name=name)} No example has spans in doc.spans['{spans_key}'], or "
            f"names labels in doc._.gliner_labels. {keys_with_spans(name, count.keys)}"
        )
    return labels or found


def _without_head(label: str) -> str:
    return label.rpartition(HEAD_END)[2]
