"""Settings that suit a corpus, each with the reason for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

from ..nn.pretrained import load_config
from ..pieces import PieceTokenizer
from ..sources import resolve_source
from .checks import PIECES_PER_TOKEN, RARE
from .corpus import CorpusStatistics
from .lengths import Lengths

COMPONENT = "components.sener"
# The windows to choose from, and which share of the spans is enough to stop at one: beyond 64, the
# table costs more than a small encoder does, and each doubling more than doubles it.
WINDOWS = {16: 0.99, 32: 0.99, 64: 0.99, 128: 0.98}
# ... and which share of those of each label that has some spans.
LABEL_SHARE, LABEL_SPANS = 0.8, 10
# ... and the one where none is enough. On a CPU one of 128 finds as many of the longer spans by
# their ends as one of 512 that does without BiSPA: measured on judgments, where 26 % are longer,
# with 1,200 updates. With 300 it finds fewer.
CPU_WIDEST, GPU_WIDEST = 128, 256
# How far the ends of longer spans may be apart, which are found by their ends: the default.
REACH = 512
# Words in an update. On a GPU as in the paper: 16 documents of scholar-xl, of 433 words.
CPU_WORDS, GPU_WORDS = 500, 7000
CPU_EPOCHS, GPU_EPOCHS = 10, 30
CPU_STEPS, GPU_STEPS = (500, 2000), (500, 5000)
CPU_HOURS = 3
# Epochs from which on a CPU has more dropout: measured, it gains on two corpora of three at 4.5 and
# more, and costs at less than 1. Between them is a guess.
MANY_EPOCHS = 3
# Tokens in a segment of what is trained on: on a CPU one makes an update, done in seconds; on a GPU
# an update holds several, of several documents. Both hold the longest spans in reach.
CPU_LONGEST, GPU_LONGEST = 1000, 2000
# How full a segment is: it ends at a line break or sentence. Measured on contracts and judgments.
FILLED = 0.85
# Which share of the segments may be without spans, and which part of those a CPU is given to train
# on where more are: measured on contracts and judgments.
MANY_EMPTY, KEPT_EMPTY = 0.1, 0.25
# Seconds of one core for the training of a piece in an encoder of 6 layers, 384 wide, and of a
# token in the table (span_size 16, depth 1) of a window of 128.
PIECE_SECONDS, TOKEN_SECONDS = 1e-3, 1.1e-3
# Pieces in a window: more than the least, where documents would else be read in many.
MAX_PIECES = (2048, 4096, 8192)
WIDTHS = {"mini|small|tiny|xs": 384, "large": 1024}


@dataclass(frozen=True)
class Choice:
    """A setting of a config, such as "training.max_steps", its value, and why."""

    setting: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Encoder:
    """What settings depend on. Only what lies on this machine is looked at."""

    width: int
    pieces_per_token: float
    measured: bool  # both, rather than guessed

    @classmethod
    def look_at(cls, source: str, words: list[str]) -> Encoder:
        """Of a hub name, a folder or "package:NAME". Raises ValueError if that is not there."""
        folder = resolve_source(source)
        if Path(folder).is_dir() and words:
            width = load_config(folder).hidden_size  # first: it says best what is no encoder
            pieces = PieceTokenizer.from_pretrained(folder).encode([words])[0].ids
            return cls(width, len(pieces) / len(words), True)
        widths = (width for names, width in WIDTHS.items() if re.search(names, source.lower()))
        return cls(next(widths, 768), PIECES_PER_TOKEN, False)


@dataclass(frozen=True)
class Advisor:
    """Chooses settings for one corpus, one encoder, and a CPU or a GPU.

    steps: updates that are asked for, 1 or more; chosen as well if None.
    """

    corpus: CorpusStatistics
    encoder: Encoder
    gpu: bool
    steps: int | None = None

    def choices(self) -> Iterator[Choice]:
        """All settings that depend on these three."""
        yield self._span_window()
        yield self._reach()
        yield self._max_pieces()
        yield from self._segments()
        yield from self._overlaps()
        yield from self._network()
        yield from self._batches()
        yield from self._steps()
        yield from self._rates()

    @cached_property
    def window(self) -> int:
        """The narrowest that reaches enough spans, in all and of each label."""
        labels = [x for x in self.corpus.labels.values() if x.total() >= LABEL_SPANS]
        for window, share in WINDOWS.items():
            limit = window + 1
            if self.corpus.spans.share_within(limit) >= share and all(
                lengths.share_within(limit) >= LABEL_SHARE for lengths in labels
            ):
                return window
        return GPU_WIDEST if self.gpu else CPU_WIDEST

    @cached_property
    def max_pieces(self) -> int:
        """The least with which little is computed twice, where windows overlap."""
        needed = 2 * self.overlap * self.encoder.pieces_per_token + 2
        sizes = [size for size in MAX_PIECES if size >= needed] or [round(needed)]
        read = {size: self._pieces_read(self.corpus.documents, size) for size in sizes}
        return next(size for size in sizes if read[size] <= 1.1 * min(read.values()))

    def _pieces_read(self, lengths: Lengths, max_pieces: int) -> int:
        """In windows of `max_pieces`: those in several count several times."""
        ratio, total = self.encoder.pieces_per_token, 0.0
        shared = self.overlap * ratio
        for length, n in lengths.items():
            pieces = length * ratio + 2
            if pieces > max_pieces:
                pieces = max_pieces * ceil((pieces - shared) / (max_pieces - shared))
            total += n * pieces
        return round(total)

    @property
    def overlap(self) -> int:
        """Tokens that two windows of a long document share."""
        return REACH + self.window

    @property
    def longest(self) -> int:
        """Tokens in a segment."""
        return GPU_LONGEST if self.gpu else CPU_LONGEST

    @cached_property
    def trained(self) -> Lengths:
        """What examples are made of: documents, and segments, thought equal, of longer ones."""
        return self._in_segments(self.corpus.documents)

    def _in_segments(self, documents: Lengths) -> Lengths:
        lengths = Lengths()
        for length, n in documents.items():
            count = ceil(length / (FILLED * self.longest)) if length > self.longest else 1
            lengths[round(length / count)] += n * count
        return lengths

    @cached_property
    def share_empty(self) -> float:
        """Of all segments, those without spans; rather too low, as cuts go around spans.

        Of segments of s tokens that begin anywhere, g / s - 1 lie in a stretch of g tokens.
        """
        size = FILLED * self.longest
        between = sum(n * (gap / size - 1) for gap, n in self.corpus.gaps.items() if gap > size)
        n_empty = self._in_segments(self.corpus.without_spans).total() + between
        return n_empty / max(1, self.trained.total())

    @property
    def empty(self) -> float:
        """Share of the segments without spans that is trained on."""
        return KEPT_EMPTY if self.share_empty > MANY_EMPTY and not self.gpu else 1.0

    @cached_property
    def words(self) -> int:
        """In an update, save where one document or segment is longer."""
        return GPU_WORDS if self.gpu else CPU_WORDS

    @cached_property
    def updates(self) -> float:
        """In an epoch, which has one at least."""
        lengths = self.trained
        long = {length: n for length, n in lengths.items() if length > 1.2 * self.words}
        rest = lengths.sum_of_lengths - sum(length * n for length, n in long.items())
        left_out = (1 - self.empty) * self.share_empty
        return max(1.0, (1 - left_out) * (sum(long.values()) + rest / self.words))

    @cached_property
    def seconds(self) -> float:
        """Of one core for an update, by measurements on one machine."""
        scale = {384: 1, 768: 8, 1024: 28}
        width = min(scale, key=lambda known: abs(known - self.encoder.width))
        pieces = self._pieces_read(self.trained, self.max_pieces) / self.updates
        table = TOKEN_SECONDS * (self.window / 128) ** 1.2 / self.encoder.pieces_per_token
        again = 1.3 if self.recompute or pieces > self.max_pieces else 1
        return again * pieces * (PIECE_SECONDS * scale[width] + table)

    @property
    def recompute(self) -> bool:
        """Whether what a window needs in training is too much to keep."""
        longest = min(self.max_pieces, self.trained.longest * self.encoder.pieces_per_token)
        return self.encoder.width >= 1024 or (not self.gpu and longest > 2048)

    @cached_property
    def max_steps(self) -> int:
        """Updates in all, those chosen rounded to hundreds."""
        if self.steps is not None:
            return self.steps
        epochs = GPU_EPOCHS if self.gpu else CPU_EPOCHS
        least, most = GPU_STEPS if self.gpu else CPU_STEPS
        steps = min(most, epochs * self.updates)
        if not self.gpu:
            steps = min(steps, CPU_HOURS * 3600 / self.seconds)
        return max(least, round(steps / 100) * 100)

    @property
    def epochs(self) -> float:
        """How often training comes to each text."""
        return self.max_steps / self.updates

    def _span_window(self) -> Choice:
        spans, limit = self.corpus.spans, self.window + 1
        n_over = spans.n_over(limit)
        reason = f"the longest span needs {spans.longest - 1} tokens"
        if n_over:
            share, in_reach = spans.share_within(limit), n_over - spans.n_over(REACH + 1)
            reason = (
                f"holds {100 * share:.1f} % of the spans; of {n_over:,} longer ones {in_reach:,} "
                "can be found by their ends. A wider one takes more time than it is worth"
            )
        return Choice(f"{COMPONENT}.model.span_window", self.window, reason)

    def _reach(self) -> Choice:
        spans, limit = self.corpus.spans, REACH + 1
        n_over = spans.n_over(limit)
        reason = "no span is longer"
        if n_over:
            of_labels = {x: lengths.n_over(limit) for x, lengths in self.corpus.labels.items()}
            most = sorted(of_labels.items(), key=lambda item: -item[1])[:3]
            names = ", ".join(f"{label} {n}" for label, n in most if n)
            reason = (
                f"{n_over:,} of {spans.total():,} spans will never be found ({names}), as they are "
                f"longer. Set more where you need them (all: {spans.longest - 1})"
            )
        return Choice(f"{COMPONENT}.model.reach", REACH, reason)

    def _max_pieces(self) -> Choice:
        ratio, lengths = self.encoder.pieces_per_token, self.corpus.documents
        source = "measured" if self.encoder.measured else "assumed"
        n_over = lengths.n_over(int((self.max_pieces - 2) / ratio))
        reason = f"at {ratio:.2f} pieces a token ({source}) "
        if n_over:
            reason += (
                f"{n_over:,} of {lengths.total():,} documents are longer, and read in windows that "
                f"share {self.overlap} tokens"
            )
        else:
            reason += "every document fits"
        return Choice(f"{COMPONENT}.max_pieces", self.max_pieces, reason)

    def _segments(self) -> Iterator[Choice]:
        n_over = self.corpus.documents.n_over(self.longest)
        if not n_over and self.empty == 1:
            return
        reason = self._why_segments(n_over) if n_over else "so that some can be left out"
        train = "corpora.train"
        yield Choice(f"{train}.@readers", "spacy-sener.SegmentCorpus.v1", reason)
        yield Choice(f"{train}.longest", self.longest, reason)
        yield Choice(f"{train}.spans_key", self.corpus.spans_key, reason)
        if self.empty < 1:
            yield Choice(
                f"{train}.empty",
                self.empty,
                f"some {100 * self.share_empty:.0f} % or more of what is trained on would have no "
                "span. A CPU does few updates, and learns more where spans are: of the others it "
                "is given this share",
            )

    def _why_segments(self, n_over: int) -> str:
        lengths = self.corpus.documents
        n_segments = self.trained.total() - (lengths.total() - n_over)
        why = "each update has several documents" if self.gpu else "updates are short, and many"
        return (
            f"{n_over:,} of {lengths.total():,} documents are longer. Cut, through no span if that "
            f"can be, they make about {n_segments:,} segments: {why}. Dev documents stay whole"
        )

    def _overlaps(self) -> Iterator[Choice]:
        n = max(1, self.corpus.spans.total())
        nested, crossing, many = (
            share / n
            for share in (self.corpus.nested, self.corpus.crossing, self.corpus.further_labels)
        )
        overlap = "any" if crossing > RARE else "nested" if nested > RARE else "flat"
        labels = "many" if many > RARE else "one"
        if labels == "many" and overlap == "flat":
            overlap = "nested"
        facts = (
            f"{100 * nested:.1f} % of the spans lie in another, {100 * crossing:.1f} % cross one"
        )
        yield Choice(f"{COMPONENT}.overlap", overlap, facts)
        yield Choice(
            f"{COMPONENT}.labels_per_span",
            labels,
            f"{100 * many:.1f} % share their ends with a span of another label",
        )

    def _network(self) -> Iterator[Choice]:
        model = f"{COMPONENT}.model"
        if self.gpu:
            yield Choice(
                f"{model}.mixed_precision", True, "bfloat16 on a GPU: faster, half the memory"
            )
            paper = "the paper's, for training as long"
            yield Choice(f"{model}.token_dropout", 0.4, paper)
            yield Choice(f"{model}.span_dropout", 0.2, paper)
            yield Choice(f"{model}.masking", 0.15, paper)
        else:
            few = "a CPU does few updates: a smaller table, and no masking"
            yield Choice(f"{model}.span_size", 16, few)
            yield Choice(f"{model}.depth", 1, few)
            yield Choice(f"{model}.masking", 0.0, few)
            often = self.epochs >= MANY_EPOCHS
            seen = f"each text is seen {self.epochs:.1f} times"
            reason = "and learned by heart with less" if often else "and more slows the learning"
            yield Choice(f"{model}.token_dropout", 0.4 if often else 0.1, f"{seen}, {reason}")
            yield Choice(f"{model}.span_dropout", 0.2 if often else 0.0, f"{seen}, {reason}")
            yield Choice(f"{COMPONENT}.threshold", 0.4, "few updates leave the scores low")
        if self.recompute:
            reason = "a large encoder" if self.encoder.width >= 1024 else "long windows on a CPU"
            yield Choice(
                f"{model}.recompute", True, f"{reason}: a third more time, half the memory"
            )

    def _batches(self) -> Iterator[Choice]:
        mean = self.corpus.documents.mean
        batch = max(1, min(256, round(4 * self.max_pieces / max(1, mean))))
        yield Choice(
            "nlp.batch_size", batch, f"documents of {mean:,.0f} tokens fill a few windows at once"
        )
        like = (
            "16 documents of 433 words, as in the paper" if self.gpu else "little more than a page"
        )
        n_long = self.trained.n_over(int(1.2 * self.words))
        what = "documents" if self.trained == self.corpus.documents else "documents and segments"
        yield Choice(
            "training.batcher.size",
            self.words,
            f"words in an update: {like}; {n_long:,} {what} are longer, and make one each",
        )

    def _steps(self) -> Iterator[Choice]:
        steps = self.max_steps
        reason = f"{self.epochs:.1f} epochs of {self.updates:,.0f} updates"
        if not self.gpu:
            hours = steps * self.seconds / 3600
            reason += f", about {hours:.1f} hours of one core ({self.seconds:.1f} s an update)"
            if hours > CPU_HOURS or steps < 3 * self.updates:
                reason += ". That is long, or little training: think of a GPU"
        yield Choice("training.max_steps", steps, reason)
        yield Choice("training.optimizer.total_steps", steps, "always that of max_steps")
        yield Choice("training.optimizer.warmup_steps", steps // 10, "a tenth")
        # The last state, at the lowest rates, is one of those that are evaluated.
        parts = next(n for n in range(10 if self.gpu else 5, 0, -1) if steps % n == 0)
        reason = f"{parts} evaluation(s) in all, one at the end"
        yield Choice("training.eval_frequency", steps // parts, reason)

    def _rates(self) -> Iterator[Choice]:
        lora, optimizer = f"{COMPONENT}.model.encoder.lora", "training.optimizer"
        if self.encoder.width <= 384 and not self.gpu:
            whole = "a small encoder learns faster as a whole"
            yield Choice(lora, None, whole)
            yield Choice(f"{optimizer}.head_learn_rate", 0.002, whole)
            yield Choice(f"{optimizer}.encoder_learn_rate", 0.0002, whole)
            alike = (
                "at 1, which nearly every update of so few words exceeds, a text with few spans "
                "would change the weights as much as one with many"
            )
            yield Choice(f"{optimizer}.grad_clip", 100.0, alike)
            return
        long = self.corpus.documents.mean > 2000
        paper = "the paper's, for documents of " + ("thousands" if long else "hundreds")
        yield Choice(lora, {"rank": 8, "alpha": 16}, "the paper's")
        yield Choice(f"{optimizer}.head_learn_rate", 7e-4, f"{paper} of words")
        rate = 3e-4 if long else 4e-4
        yield Choice(f"{optimizer}.encoder_learn_rate", rate, f"{paper} of words")
