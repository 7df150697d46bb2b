"""GLiNER's token-level model, fine-tuned by the trainer of the gliner package.

It reads at most as many word pieces as its encoder has positions, the names of the labels
included, and drops what is beyond without a word. So it is used as one who knows that would:

- Training documents are cut into pieces that fit whole, where no span is crossed if there is such
  a place. A span that is longer than a piece counts as one span in each piece.
- In prediction, windows overlap. Each word's probabilities are those of the window that sees most
  around it, and spans are read off the whole document by the decoder's rule: so they may be longer
  than a window.
- In every prompt are all labels that the document is asked for (`doc._.gliner_labels`, or else all
  there are), in one order. The collator would sample and shuffle them.
- Targets are smoothed a little. Probabilities are clamped in its loss, so that beyond a logit of
  about -14 nothing is learned any more, and an untrained head whose targets are nearly all 0 is
  there within some twenty updates, at any rate that learns something in a few hundred.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span
from transformers import AutoConfig, set_seed

from benchmarks.accuracy.corpora import KEY, copied
from benchmarks.accuracy.methods import LOWEST_SCORE, thinned
from spacy_sener.sources import DEFAULT_SOURCE, resolve_source

LOWEST_SCORES = np.arange(LOWEST_SCORE, 1.0, 0.02)
"""Spans are kept down to the first of these scores that does not leave too many."""
MAX_CANDIDATES = 1_000
"""Spans that any document may have, before conflicts are resolved; a longer one: one a word."""
START, END, INSIDE = range(3)

Gold = tuple[int, int, str]  # first and last word, label in words
Bounds = tuple[int, int]  # first word, and the one after the last


class GLiNERMethod:
    """The token-level model over a pretrained encoder; everything but the encoder starts untrained.

    encoder (str): As in `spacy_sener.sources`.
    learning_rate (float): Of the encoder, at its highest: it rises over the first tenth of the
        updates, then falls to 0.
    others_lr (float): The same of all other weights.
    smoothing (float): A target is at least half of this, and at most one less half of it.
    alpha (float): Weight of the marks that are there in the loss, the others having one less it;
        -1: all have 1, as by default in the package.
    clip (float): Norm at which gradients are clipped.
    embed_marker (bool): A label's vector is that of its marker, or else of the word after it.
    empty (float): Share of the documents without spans that is trained on.
    """

    has_scores = True

    def __init__(
        self,
        *,
        encoder: str = DEFAULT_SOURCE,
        learning_rate: float = 2e-4,
        others_lr: float = 5e-4,
        smoothing: float = 0.02,
        alpha: float = -1.0,
        clip: float = 1.0,
        embed_marker: bool = True,
        empty: float = 1.0,
    ) -> None:
        self.folder = resolve_source(encoder)
        self.embed_marker, self.empty = embed_marker, empty
        self.settings = {
            "learning_rate": learning_rate,
            "others_lr": others_lr,
            "label_smoothing": smoothing,
            "focal_loss_alpha": alpha,
            "max_grad_norm": clip,
        }

    def train(self, docs: Sequence[Doc], *, updates: int, seed: int) -> None:
        """Train on `docs` for `updates / len(docs)` epochs, one piece of a document at a time.

        A document of several pieces brings as many updates: the documents read are as many as
        those of a method that makes one update with each.
        """
        set_seed(seed)
        docs = thinned(docs, self.empty, seed)
        self.labels = in_words(sorted({span.label_ for doc in docs for span in doc.spans[KEY]}))
        self.flat = not any(_has_overlaps(doc) for doc in docs)
        self.multi_label = any(_has_double_labels(doc) for doc in docs)
        self.model = untrained(self.folder, embed_marker=self.embed_marker)
        with TemporaryDirectory() as folder:
            self.model.train_model(
                [example for doc in docs for example in self._examples(doc)],
                eval_dataset=None,
                output_dir=folder,
                num_train_epochs=updates / len(docs),
                max_steps=-1,
                per_device_train_batch_size=1,
                **self.settings,
                save_strategy="no",
                dataloader_num_workers=0,
                dataloader_pin_memory=False,
                seed=seed,
            )
        self.model.eval()

    def predict(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        """Copies of `docs` with the spans found and their scores."""
        for doc in docs:
            labels = self.labels_of(doc)
            capacity = text_capacity(self.model, list(labels.values()))
            words = Words.of(doc, self.model, capacity)
            probabilities = self.probabilities(words, list(labels.values()), capacity)
            found = self._without_conflicts(spans_of(probabilities))
            yield _copied_with(found, doc, words, list(labels))

    def labels_of(self, doc: Doc) -> dict[str, str]:
        """The labels that a document is asked for, with what the model reads for each."""
        return doc._.gliner_labels or self.labels

    def probabilities(self, words: "Words", prompt: list[str], capacity: int) -> np.ndarray:
        """Of a start, an end, and the inside of a span: `(n_words, n_labels, 3)`."""
        result = np.zeros((len(words.texts), len(prompt), 3), dtype=np.float32)
        for (begin, end), (first, last) in windows(words.sizes, capacity):
            batch = self.model.collate_batch(
                [{"tokenized_text": words.texts[begin:end], "ner": None}], prompt
            )
            check_all_read(batch["words_mask"], end - begin)
            logits = self.model.run_batch(batch).logits[0]
            result[first:last] = logits[first - begin : last - begin].sigmoid().cpu().numpy()
        return result

    def _examples(self, doc: Doc) -> Iterator[dict[str, Any]]:
        labels = self.labels_of(doc)
        prompt = list(labels.values())
        capacity = text_capacity(self.model, prompt)
        words = Words.of(doc, self.model, capacity)
        gold = words.gold(doc, labels)
        for begin, end in pieces(words.sizes, gold, capacity):
            texts = words.texts[begin:end]
            encoded = self.model.data_processor.tokenize_inputs([texts], prompt)
            check_all_read(encoded["words_mask"], len(texts))
            yield {
                "tokenized_text": texts,
                "ner": list(clipped(gold, begin, end)),
                "ner_labels": prompt,
            }

    def _without_conflicts(self, candidates: "Candidates") -> list[Any]:
        """By gliner's own search, on one group of overlapping spans after another."""
        found = []
        for group in overlapping_groups(candidates):
            found += self.model.decoder.greedy_search(group, self.flat, self.multi_label)
        return found


def _copied_with(found: Sequence[Any], doc: Doc, words: "Words", labels: list[str]) -> Doc:
    copy = copied(doc, doc.vocab)
    copy.spans[KEY] = [
        Span(
            copy,
            int(words.tokens[each.start]),
            int(words.tokens[each.end]) + 1,
            label=labels[each.entity_type],
        )
        for each in found
    ]
    copy.spans[KEY].attrs["scores"] = [each.score for each in found]
    return copy


@dataclass(frozen=True)
class Words:
    """What GLiNER reads of a document: its tokens, less whitespace and those without a piece.

    A word without a piece would shift the vectors of all that follow.
    """

    tokens: np.ndarray  # (n_words,) index in the document
    texts: list[str]
    sizes: np.ndarray  # (n_words,) word pieces

    @classmethod
    def of(cls, doc: Doc, model: Any, capacity: int) -> "Words":
        """A word is cut off where it would fill more than a quarter of a window."""
        visible = [token for token in doc if not token.is_space]
        texts = [token.text for token in visible]
        encoding = model.data_processor.transformer_tokenizer(
            texts,
            is_split_into_words=True,
            add_special_tokens=False,
            return_offsets_mapping=True,
            truncation=False,
            verbose=False,
        )
        limit = max(1, capacity // 4)
        sizes = np.zeros(len(texts), dtype=np.int64)
        for word, (_, end) in zip(encoding.word_ids(), encoding["offset_mapping"], strict=True):
            sizes[word] += 1
            if sizes[word] == limit:
                texts[word] = texts[word][:end]
        kept = np.flatnonzero(sizes)
        return cls(
            tokens=np.array([visible[word].i for word in kept], dtype=np.int64),
            texts=[texts[word] for word in kept],
            sizes=sizes[kept].clip(max=limit),
        )

    def gold(self, doc: Doc, labels: dict[str, str]) -> list[Gold]:
        """The spans of the document that hold a word; labels: with their words."""
        found = []
        for span in doc.spans[KEY]:
            first, after = np.searchsorted(self.tokens, [span.start, span.end]).tolist()
            if first < after:
                found.append((first, after - 1, labels[span.label_]))
        return found


@dataclass(frozen=True)
class Candidates:
    """Spans before conflicts are resolved, in order of their first word: `(n_spans,)` each."""

    starts: np.ndarray
    ends: np.ndarray  # last word
    labels: np.ndarray
    scores: np.ndarray


def in_words(labels: Iterable[str]) -> dict[str, str]:
    """The labels as a reader would say them, by their names."""
    return {label: label.replace("_", " ") for label in labels}


def untrained(folder: str, *, embed_marker: bool) -> Any:
    """The model over the encoder in `folder`, limited by nothing but the encoder's positions.

    embed_marker: as in `GLiNERMethod`.
    """
    from gliner import GLiNER

    encoder = AutoConfig.from_pretrained(folder)
    model = GLiNER.from_config(
        {
            "model_name": folder,
            "span_mode": "token_level",
            "hidden_size": encoder.hidden_size,
            "max_len": encoder.max_position_embeddings,
            "embed_ent_token": embed_marker,
        }
    )
    tokenizer = model.data_processor.transformer_tokenizer
    tokenizer.model_max_length = encoder.max_position_embeddings
    return model


def text_capacity(model: Any, prompt: Sequence[str]) -> int:
    """Word pieces that are left for the text. Raises ValueError if the labels take most of them."""
    processor = model.data_processor
    (words,), _ = processor.prepare_inputs([[]], prompt)
    tokenizer = processor.transformer_tokenizer
    used = len(tokenizer(words, is_split_into_words=True, verbose=False).input_ids)
    capacity = tokenizer.model_max_length - used
    if capacity < used:
        raise ValueError(
            f"{len(prompt)} labels take {used} of the {tokenizer.model_max_length} word pieces "
            "that GLiNER's encoder reads: too few are left for the text. Use fewer labels, or "
            "shorter ones."
        )
    return capacity


def check_all_read(words_mask: Any, n_words: int) -> None:
    """Raise if GLiNER has cut words off."""
    n_read = int(words_mask.max())
    assert n_read == n_words, f"GLiNER reads {n_read} of {n_words} words"


def pieces(sizes: np.ndarray, gold: Sequence[Gold], capacity: int) -> Iterator[Bounds]:
    """Cut into pieces of about one size, crossing no span where there is such a place."""
    starts = np.concatenate([[0], sizes.cumsum()])
    crossed = np.zeros(len(starts), dtype=bool)  # before each word
    for first, last, _ in gold:
        crossed[first + 1 : last + 1] = True
    begin = 0
    while begin < len(sizes):
        rest = starts[-1] - starts[begin]
        size = min(capacity, rest / np.ceil(rest / capacity) + sizes.max())
        end = int(np.searchsorted(starts, starts[begin] + size, side="right")) - 1
        free = np.flatnonzero(~crossed[begin + 1 : end + 1])
        if len(free):
            end = begin + 1 + int(free[-1])
        yield begin, end
        begin = end


def clipped(gold: Iterable[Gold], begin: int, end: int) -> Iterator[Gold]:
    """What lies in the words from `begin` to before `end`, counted from there."""
    for first, last, label in gold:
        if first < end and last >= begin:
            yield max(first, begin) - begin, min(last, end - 1) - begin, label


def windows(sizes: np.ndarray, capacity: int) -> Iterator[tuple[Bounds, Bounds]]:
    """Windows that share about a third, each with the words that it is the one to judge.

    The last reaches back as far as it can.
    """
    starts = np.concatenate([[0], sizes.cumsum()])
    n_words, begin, end, bounds = len(sizes), 0, 0, []
    while end < n_words:
        end = int(np.searchsorted(starts, starts[begin] + capacity, side="right")) - 1
        if end == n_words:
            begin = int(np.searchsorted(starts, starts[-1] - capacity))
        bounds.append((begin, end))
        begin = int(np.searchsorted(starts, starts[end] - capacity // 3))
    between = [(later[0] + earlier[1]) // 2 for earlier, later in pairwise(bounds)]
    edges = [0, *between, n_words] if bounds else []
    return zip(bounds, pairwise(edges), strict=True)


def spans_of(probabilities: np.ndarray) -> Candidates:
    """All spans over the lowest score; as in GLiNER, a span's score is its lowest probability."""
    limit = max(MAX_CANDIDATES, len(probabilities))
    lowest = next((p for p in LOWEST_SCORES if n_spans(probabilities, p) <= limit), 1.0)
    over = probabilities > lowest
    found: list[np.ndarray] = [np.empty((4, 0))]
    for start, label in np.argwhere(over[:, :, START] & over[:, :, INSIDE]):
        outside = np.flatnonzero(~over[start:, label, INSIDE])
        here = probabilities[start : start + outside[0] if len(outside) else None, label]
        scores = np.minimum(np.minimum.accumulate(here[:, INSIDE]), here[:, END])
        ends = np.flatnonzero(here[:, END] > lowest)
        rows = np.broadcast_arrays(
            start, start + ends, label, scores[ends].clip(max=here[0, START])
        )
        found.append(np.stack(rows))
    starts, ends, labels, scores = np.concatenate(found, axis=1)
    return Candidates(starts.astype(int), ends.astype(int), labels.astype(int), scores)


def n_spans(probabilities: np.ndarray, lowest: float) -> int:
    """How many spans have a score over `lowest`."""
    over = probabilities > lowest
    inside = over[:, :, INSIDE]
    starts = (over[:, :, START] & inside).cumsum(axis=0)
    before = np.maximum.accumulate(np.where(inside, 0, starts), axis=0)  # of the run one is in
    return int(((starts - before) * (over[:, :, END] & inside)).sum())


def overlapping_groups(candidates: Candidates) -> Iterator[list[Any]]:
    """gliner's own spans, their labels as numbers, in groups that share no word."""
    from gliner.decoding.decoder import Span as Found

    group: list[Found] = []
    reached = -1
    columns = (candidates.starts, candidates.ends, candidates.labels, candidates.scores)
    for start, end, label, score in zip(*(each.tolist() for each in columns), strict=True):
        if start > reached and group:
            yield group
            group = []
        group.append(Found(start, end, label, score))
        reached = max(reached, end)
    if group:
        yield group


def _has_overlaps(doc: Doc) -> bool:
    bounds = sorted({(span.start, span.end) for span in doc.spans[KEY]})
    return any(later[0] < earlier[1] for earlier, later in pairwise(bounds))


def _has_double_labels(doc: Doc) -> bool:
    spans = {(span.start, span.end, span.label) for span in doc.spans[KEY]}
    return len({span[:2] for span in spans}) < len(spans)
