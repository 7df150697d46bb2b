"""What was read from a corpus, and what had to be changed or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from spacy.tokens import Doc

from ..printable import printable

N_EXAMPLES = 3
# So many names of documents are kept, to know one that comes again.
MAX_NAMES = 1_000_000

# Each problem, and what is done about it.
PROBLEMS = {
    "malformed": "left out: not a start, an end and a label",
    "unlabelled": "left out: the label is missing or empty",
    "empty": "left out: the end is not after the start",
    "out of range": "left out: outside the text",
    "discontinuous": "left out: in several pieces, with text between them",
    "other text": "left out: the text listed with it is not that at its place",
    "of another text": "left out: on another text of the document",
    "not in characters": "left out: its place is not given in characters of a text",
    "only whitespace": "left out: nothing but whitespace",
    "duplicate": "left out: the same tokens and label twice",
    "whitespace at an end": "kept, trimmed",
    "ends inside a token": "kept, widened to whole tokens",
    "empty word": "kept, as a space",
    "unusable label": "left out of the labels asked for: not a string, or empty",
    "not asked for": "kept: the label is not among those asked for, and is put there",
    "other words": "kept: the words listed with it are not those at its place",
    "unusable score": "kept, without score: not a finite number",
    "predicted": "kept: predictions, as nobody annotated the document",
    "from doc.ents": "kept: there is no group of spans under the key, so named entities are taken",
    "beside an empty group": "not taken: named entities, as the group under the key is empty",
    "other spans key": "not taken: spans under another key; of a .spacy file --spans-key names it",
    "no annotation file": "document kept, without annotations",
    "not annotated": "document left out: nobody annotated it",
    "rejected": "document left out: rejected, ignored or skipped by its annotator",
    "second annotator": "left out: of a document's annotators, one is taken",
    "name of another": "kept: a document before it has the same name",
    "id of another": "kept: an annotation before it has the same id",
    "broken tags": "kept: begins or ends without the tag that says so",
}


@dataclass
class LabelCount:
    """Spans of one label: how many, and the longest, in tokens."""

    spans: int = 0
    longest: int = 0


@dataclass
class Report:
    """Counts of documents, tokens, spans and problems, with the first few of each problem.

    unread: What the files hold that is not to become spans, by kind.
    on_problem: Called with each problem, what is done about it, where, and the whole item.
    """

    on_problem: Callable[[str, str, str, object], None] | None = None
    docs: int = 0
    tokens: int = 0
    labels: dict[str, LabelCount] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    _names: set[int] = field(default_factory=set, repr=False)

    @property
    def spans(self) -> int:
        """Number of spans that were kept."""
        return sum(count.spans for count in self.labels.values())

    def add_doc(self, doc: Doc, spans_key: str) -> None:
        """Count a document that was read, and its spans; report a name that another has."""
        self._check_name(doc.user_data.get("doc_id"))
        self.docs += 1
        self.tokens += len(doc)
        for span in doc.spans[spans_key]:
            count = self.labels.setdefault(span.label_, LabelCount())
            count.spans += 1
            count.longest = max(count.longest, len(span))

    def _check_name(self, name: object) -> None:
        if name is None:
            return
        known = hash(repr(name))  # a number for each takes less memory than the names
        if known in self._names:
            self.add_problem("name of another", str(name), {"doc_id": name})
        elif len(self._names) < MAX_NAMES:
            self._names.add(known)

    def add_problem(self, problem: str, where: str, item: object) -> None:
        """Count one of `PROBLEMS`, met at `where` (a document and its line) with `item`."""
        assert problem in PROBLEMS
        self.problems[problem] += 1
        examples = self.examples.setdefault(problem, [])
        if len(examples) < N_EXAMPLES:
            examples.append(f"{where}: {_shorten(_shown(item))}")
        if self.on_problem:
            self.on_problem(problem, PROBLEMS[problem], where, item)

    def add_unread(self, kind: str, count: int) -> None:
        """Count what a format holds besides labelled spans, e.g. relations: no problem."""
        if count:
            self.unread[kind] += count

    def problem_lines(self) -> list[str]:
        """Every problem with its count, what was done, and its first examples; what is not read."""
        lines = []
        for problem, count in self.problems.most_common():
            lines.append(f"{count} x {problem} ({PROBLEMS[problem]})")
            lines += [f"    {example}" for example in self.examples[problem]]
            if count > N_EXAMPLES:
                lines.append(f"    and {count - N_EXAMPLES} more")
        unread = (f"{count} x {kind} (not read)" for kind, count in self.unread.most_common())
        return [printable(line) for line in [*lines, *unread]]

    def problem_summary(self, source: object) -> str:
        """All problems as one message."""
        counts = f"{self.problems.total()} problems with the annotations of {source}:"
        return "\n".join([counts, *self.problem_lines()])


def _shown(item: object) -> str:
    try:
        return repr(item)
    except RecursionError:
        return "nested too deeply to be shown"


def _shorten(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
