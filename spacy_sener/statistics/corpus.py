"""One pass over a corpus: counts of documents, spans and what is odd about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.training import Example
from tqdm import tqdm

from ..corpora.docbin import read_examples, require_docbin
from ..gold import GoldSpan, gold_spans
from .lengths import Lengths
from .overlaps import count_overlaps, gaps
from .texts import Texts

# Words kept to see how many pieces a tokenizer makes of them, and how many of one document.
SAMPLE_WORDS = 50_000
SAMPLE_WORDS_PER_DOC = 500


@dataclass
class CorpusStatistics:
    """Counts, a number for each document and for some of its stretches of text, and some words.

    Spans are counted as in training: at the tokens that the pipeline makes, whitespace at their
    ends trimmed, each once. Lengths are in tokens that are not whitespace.
    """

    spans_key: str
    documents: Lengths = field(default_factory=Lengths)
    labels: dict[str, Lengths] = field(default_factory=dict)
    without_spans: Lengths = field(default_factory=Lengths)  # documents
    gaps: Lengths = field(default_factory=Lengths)  # in the others, stretches that no span touches
    repeated_spans: int = 0
    nested: int = 0
    crossing: int = 0
    further_labels: int = 0  # of spans that have another label already
    whitespace_ends: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    other_keys: Counter[str] = field(default_factory=Counter)
    ents: int = 0
    texts: Texts = field(default_factory=Texts)
    words: list[str] = field(default_factory=list, repr=False)

    @property
    def spans(self) -> Lengths:
        """Of all labels."""
        lengths = Lengths()
        for of_label in self.labels.values():
            lengths.update(of_label)
        return lengths

    def add(self, example: Example) -> None:
        """Count one document."""
        reference, doc = example.reference, example.predicted
        is_space, lower = doc.to_array(["IS_SPACE", "LOWER"]).T
        tokens = np.flatnonzero(is_space == 0)
        self.documents[len(tokens)] += 1
        self.texts.add(lower[tokens])
        room = min(SAMPLE_WORDS_PER_DOC, SAMPLE_WORDS - len(self.words))
        self.words += [doc[int(i)].text for i in tokens[:room]]
        self.ents += len(reference.ents)
        for key, group in reference.spans.items():
            if key != self.spans_key:
                self.other_keys[key] += len(group)
        self.whitespace_ends += sum(
            span[0].is_space or span[-1].is_space
            for span in reference.spans.get(self.spans_key, [])
            if len(span)
        )
        self._add_spans(gold_spans(example, self.spans_key, self.left_out), tokens)

    def _add_spans(self, found: list[GoldSpan], tokens: NDArray[Any]) -> None:
        spans = set(found)
        bounds = {(span.start, span.end) for span in spans}
        self.repeated_spans += len(found) - len(spans)
        self.further_labels += len(spans) - len(bounds)
        nested, crossing = count_overlaps(bounds)
        self.nested += nested
        self.crossing += crossing
        visible: set[tuple[int, int]] = set()
        for span in spans:
            first, last = (int(i) for i in np.searchsorted(tokens, [span.start, span.end]))
            self.labels.setdefault(span.label, Lengths())[last - first + 1] += 1
            visible.add((first, last))
        if spans:
            self.gaps.update(gaps(visible, len(tokens)))
        else:
            self.without_spans[len(tokens)] += 1


def count(examples: Iterable[Example], spans_key: str) -> CorpusStatistics:
    """Count what the examples hold."""
    statistics = CorpusStatistics(spans_key)
    for example in examples:
        statistics.add(example)
    return statistics


def read_statistics(path: Path, nlp: Language, spans_key: str) -> CorpusStatistics:
    """Count what a .spacy file, or a folder of them, holds; a bar shows how far it has come.

    Raises ValueError for a file of another kind, or a damaged one.
    """
    require_docbin(path)
    return count(tqdm(read_examples(path, nlp), desc=path.name, unit=" docs"), spans_key)
