"""Documents with their prompts to windows of pieces: the prompt in each, then a part of the text.

What the network reads in a window is

    [CLS] <<ENT>> label <<ENT>> label ... <<SEP>> words of the task, words of the text [SEP]
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from spacy.tokens import Doc

from .pieces import PieceTokenizer
from .prompts import Prompt
from .types import Ints
from .windows import cut, first_pieces, group_windows, warn_of_cut, word_pieces
from .words import WordKind, Words, split, words_of

Prompted = tuple[Doc, Prompt]


class TaskTooLongError(ValueError):
    """A label does not fit beside a task into half of a window, and would without it."""


SHORT_WINDOWS_PIECES = 2048
"""What windows may hold together, however short they are: a small window fills no accelerator."""


MARKS_AT_ONCE = 1 << 20
"""Words times labels that are held together: of 12 bytes each, and some hundreds with their word
and its pieces, which count as `LABELS_OF_A_WORD`."""
LABELS_OF_A_WORD = 16


@dataclass(frozen=True)
class Markers:
    """The pieces that give a prompt its form."""

    label: int
    """Stands before each label."""
    end: int
    """Stands after the last one."""


@dataclass(frozen=True, eq=False)  # a window is itself only: arrays have no plain equality
class PromptedWindow:
    """A stretch of one document, behind its prompt or a part of the prompt's labels."""

    item: int  # position of the document and its prompt in their batch
    labels: tuple[int, int]  # labels [begin, end) of the prompt, asked in this window
    n_task_words: int
    words: tuple[int, int]  # words [begin, end) of the document
    owned: tuple[int, int]  # those of them, counted from `begin`, that this window answers for
    n_prompt_pieces: int  # those before the text: of the labels, and of the task
    piece_ids: Ints  # (pieces,)
    piece_words: Ints  # (pieces,) 1-based word of each piece, those of the task first; 0 for others

    @property
    def size(self) -> int:
        """What the window costs: its pieces."""
        return len(self.piece_ids)

    @property
    def n_words(self) -> int:
        """How many words it has, with those of the task."""
        begin, end = self.words
        return self.n_task_words + end - begin

    @property
    def answered(self) -> Ints:
        """The words that it answers for, counted as in `piece_words` but from 0: those of the task
        and those that it owns."""
        owned = np.arange(*self.owned, dtype=np.int64) + self.n_task_words
        return np.concatenate([np.arange(self.n_task_words, dtype=np.int64), owned])


@dataclass(frozen=True)
class Layout:
    """A batch of documents with their prompts, as the network reads it."""

    prompts: list[Prompt]
    words: list[Words]  # of each document
    task_words: list[list[tuple[int, int]]]  # of each prompt: their characters in its task
    windows: list[PromptedWindow]


@dataclass(frozen=True)
class Pieces:
    """Of some words."""

    ids: Ints
    sizes: Ints  # (words,) how many each has, which may be none


def read_at_once(docs: Sequence[Doc], prompts: Sequence[Prompt]) -> Iterator[list[Prompted]]:
    """Documents, in order, in batches whose marks are bounded; one alone may have more.

    Raises ValueError, at once, if there is not one prompt for each document.
    """
    if len(docs) != len(prompts):
        raise ValueError(
            f"There must be one prompt for each document, got {len(docs)} documents and "
            f"{len(prompts)} prompts."
        )
    return _batches(list(zip(docs, prompts, strict=True)))


def _batches(items: Sequence[Prompted]) -> Iterator[list[Prompted]]:
    batch: list[Prompted] = []
    n_marks = 0
    for doc, prompt in items:
        mine = len(doc) * (len(prompt.labels) + LABELS_OF_A_WORD)
        if batch and n_marks + mine > MARKS_AT_ONCE:
            yield batch
            batch, n_marks = [], 0
        batch.append((doc, prompt))
        n_marks += mine
    if batch:
        yield batch


def lay_out(
    items: Sequence[Prompted],
    tokenizer: PieceTokenizer,
    markers: Markers,
    *,
    max_pieces: int,
    words: WordKind,
) -> Layout:
    """Cut documents into windows of at most `max_pieces` pieces, a prompt in each.

    Each word of a document is owned by the window that sees most around it. Labels that fill more
    than half of a window, together with the words of the task, are asked in several passes of
    consecutive labels; each pass has windows of its own. A document of which no word has a piece
    has no window. Texts, labels and tasks are tokenized in one call, each different one once.

    Raises ValueError, naming it, for a label that alone fills more than half of a window, and
    TaskTooLongError for such a task.
    """
    prompts = [prompt for _, prompt in items]
    docs = {id(doc): words_of(doc, words) for doc, _ in items}
    tasks = {prompt.task: split(prompt.task) for prompt in prompts}
    readings = list(dict.fromkeys(reading for prompt in prompts for reading in prompt.readings))
    of_docs, of_tasks, of_readings = _pieces(
        tokenizer,
        [each.texts for each in docs.values()],
        [[task[start:end] for start, end in spans] for task, spans in tasks.items()],
        [[reading] for reading in readings],
    )
    doc_pieces = dict(zip(docs, _shortened_words(of_docs, max_pieces // 4), strict=True))
    task_pieces = dict(zip(tasks, of_tasks, strict=True))
    label_ids = {
        reading: _label_ids(pieces.ids, markers)
        for reading, pieces in zip(readings, of_readings, strict=True)
    }
    windows: list[PromptedWindow] = []
    for i, (doc, prompt) in enumerate(items):
        if len(doc_pieces[id(doc)].ids):
            frame = _Frame(i, prompt, task_pieces[prompt.task], label_ids, tokenizer, markers)
            windows += frame.windows(doc_pieces[id(doc)], max_pieces)
    words_of_docs = [docs[id(doc)] for doc, _ in items]
    return Layout(prompts, words_of_docs, [tasks[prompt.task] for prompt in prompts], windows)


def fitting_labels(
    readings: Sequence[str],
    tokenizer: PieceTokenizer,
    markers: Markers,
    *,
    task: str,
    max_pieces: int,
) -> list[bool]:
    """Of each label, as it is read, whether `lay_out` takes it beside the task."""
    task_words = [task[start:end] for start, end in split(task)]
    (of_task,), of_readings = _pieces(tokenizer, [task_words], [[each] for each in readings])
    room = _most_label_pieces(max_pieces) - len(of_task.ids)
    return [len(_label_ids(pieces.ids, markers)) <= room for pieces in of_readings]


def _most_label_pieces(max_pieces: int) -> int:
    """Half of a window, without [CLS] and the end of the labels."""
    return max_pieces // 2 - 2


def _pieces(tokenizer: PieceTokenizer, *groups: list[list[str]]) -> Iterator[list[Pieces]]:
    """Of groups of texts, which are lists of words."""
    encodings = iter(tokenizer.encode([text for group in groups for text in group]))
    for group in groups:
        yield [Pieces(*word_pieces(next(encodings), len(text))) for text in group]


def _shortened_words(texts: list[Pieces], most: int) -> list[Pieces]:
    """The same without what words have over so many pieces, and a warning if there was any."""
    warn_of_cut(sum(int((pieces.sizes > most).sum()) for pieces in texts), most)
    return [Pieces(*first_pieces(pieces.ids, pieces.sizes, most)) for pieces in texts]


def group_prompted(
    windows: Sequence[PromptedWindow], max_pieces: int
) -> Iterator[list[PromptedWindow]]:
    """Windows of similar size, and with as many pieces before the text, together.

    See `group_windows`. That the prompts are of one length lets the network know them by place.
    """
    windows = sorted(windows, key=lambda window: window.n_prompt_pieces)
    for _, alike in groupby(windows, key=lambda window: window.n_prompt_pieces):
        yield from group_windows(list(alike), pieces_at_once(max_pieces))


def pieces_at_once(max_pieces: int) -> int:
    """Padded pieces that may go through the network together."""
    return max(max_pieces, SHORT_WINDOWS_PIECES)


@dataclass(frozen=True)
class _Frame:
    """What stands around the text of one document."""

    item: int
    prompt: Prompt
    task: Pieces
    label_ids: Mapping[str, Ints]  # of each reading, its marker before it
    tokenizer: PieceTokenizer
    markers: Markers

    def windows(self, text: Pieces, max_pieces: int) -> Iterator[PromptedWindow]:
        starts = np.concatenate([[0], text.sizes.cumsum()])
        for labels in self._passes(max_pieces):
            prompt = self._prompt_ids(labels)
            n_prompt_pieces = len(prompt) + len(self.task.ids)
            capacity = max_pieces - n_prompt_pieces - 1  # [SEP]
            # A word without pieces counts as one: of such words, too, a window holds no more.
            costs = np.maximum(text.sizes, 1)
            for begin, end, owned in cut(costs, capacity, capacity // 4, span_window=0):
                ids = text.ids[starts[begin] : starts[end]]
                sizes = np.concatenate([self.task.sizes, text.sizes[begin:end]])
                words = np.repeat(np.arange(1, len(sizes) + 1, dtype=np.int64), sizes)
                yield PromptedWindow(
                    item=self.item,
                    labels=labels,
                    n_task_words=len(self.task.sizes),
                    words=(begin, end),
                    owned=owned,
                    n_prompt_pieces=n_prompt_pieces,
                    piece_ids=np.concatenate([prompt, self.task.ids, ids, [self.tokenizer.sep_id]]),
                    piece_words=np.pad(words, (len(prompt), 1)),
                )

    def _passes(self, max_pieces: int) -> Iterator[tuple[int, int]]:
        """Ranges of labels that can be asked together."""
        most = _most_label_pieces(max_pieces)
        room = most - len(self.task.ids)
        begin = n_pieces = 0
        for i, reading in enumerate(self.prompt.readings):
            size = len(self.label_ids[reading])
            if size > most:
                raise ValueError(
                    f"The label {_shortened(reading)} has {size} word pieces with its marker, "
                    f"but no more than {most} fit into half of max_pieces = {max_pieces}. Shorten "
                    "it, or set max_pieces to more."
                )
            if size > room:
                raise TaskTooLongError(
                    f"The task {_shortened(self.prompt.task)} has {len(self.task.ids)} word "
                    f"pieces, and the label {_shortened(reading)} does not fit beside it into half "
                    f"of max_pieces = {max_pieces}. Shorten the task, or set max_pieces to more."
                )
            if n_pieces + size > room:
                yield begin, i
                begin, n_pieces = i, 0
            n_pieces += size
        yield begin, len(self.prompt.readings)

    def _prompt_ids(self, labels: tuple[int, int]) -> Ints:
        asked = [self.label_ids[reading] for reading in self.prompt.readings[slice(*labels)]]
        return np.concatenate([[self.tokenizer.cls_id], *asked, [self.markers.end]])


def _label_ids(ids: Ints, markers: Markers) -> Ints:
    """A label behind its marker. A marker within its own words would be one label more."""
    return np.concatenate([[markers.label], ids[ids != markers.label]])


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
