"""What the counts of a corpus mean for training: findings, each with a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..decoding import LabelsPerSpan, Overlap
from .corpus import CorpusStatistics

Verdict = Literal["good", "warn", "fail"]
# Fewer documents or spans of a label say little, to a model or about it; so few next to nothing.
FEW_DOCS, FEW_SPANS, HARDLY_ANY_SPANS = 20, 50, 10
# With fewer, an F of 50 % has a standard error of over 5 points.
FEW_DEV_SPANS = 100
# Share of the spans that a setting may cost before it is worth another one.
RARE = 0.01
# Word pieces of a token, where no tokenizer was asked: English in 30,000 to 130,000 pieces.
PIECES_PER_TOKEN = 1.3


@dataclass(frozen=True)
class Finding:
    """One line: "good", "warn" (training works, but not as well as it could) or "fail"."""

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Settings:
    """The component's settings that the data must fit."""

    spans_key: str
    span_window: int
    reach: int
    max_pieces: int
    overlap: Overlap
    labels_per_span: LabelsPerSpan

    @property
    def farthest(self) -> str:
        """The setting that limits how long a span may be."""
        name = "reach" if self.reach > self.span_window else "span_window"
        return f"{name} = {self.reach}"


def check_documents(corpus: CorpusStatistics, settings: Settings) -> Iterator[Finding]:
    """How many there are, how long they are, and how many have no span."""
    lengths, n = corpus.documents, corpus.documents.total()
    if not n:
        yield Finding("fail", "No documents.")
        return
    size = f"{_count(n, 'document')}, {lengths.sum_of_lengths:,} tokens (whitespace never counted)."
    yield Finding("good", size)
    yield _document_lengths(corpus, settings)
    n_without = corpus.without_spans.total()
    without = f"{n_without:,} of {n:,} documents have no span. They teach what is none"
    if 2 * n_without > n:
        yield Finding("warn", f"{without}: make sure that they were annotated, or take them out.")
    elif n_without:
        yield Finding("good", f"{without}, if they were annotated.")
    else:
        yield Finding("good", "Every document has spans.")


def _document_lengths(corpus: CorpusStatistics, settings: Settings) -> Finding:
    lengths = corpus.documents
    text = (
        f"Length: median {lengths.reaching(0.5):,}, 90 % up to {lengths.reaching(0.9):,}, longest "
        f"{lengths.longest:,} tokens."
    )
    n_long = lengths.n_over(int((settings.max_pieces - 2) / PIECES_PER_TOKEN))
    if n_long:
        text += (
            f" About {n_long:,} exceed max_pieces = {settings.max_pieces:,} and are read in "
            "overlapping windows: no span is lost by that."
        )
    return Finding("good", text)


def check_presence(corpus: CorpusStatistics) -> Iterator[Finding]:
    """Whether there are spans under the key at all."""
    n = corpus.spans.total()
    if n:
        counted = f"{_count(n, 'span')} of {_count(len(corpus.labels), 'label')}"
        yield Finding("good", f"{counted} in doc.spans['{corpus.spans_key}'].")
        return
    text = f"No spans in doc.spans['{corpus.spans_key}']."
    if corpus.other_keys:
        keys = ", ".join(f"'{key}' ({m:,})" for key, m in corpus.other_keys.most_common())
        text += f" There are some under {keys}: give that key as --spans-key, and to the component."
    if corpus.ents:
        text += f" doc.ents has {corpus.ents:,}: `spacy sener convert` makes spans of them."
    yield Finding("fail", text)


def check_enough(train: CorpusStatistics, dev: CorpusStatistics | None) -> Iterator[Finding]:
    """Whether so much data can train a model, and measure it."""
    n_docs = train.documents.total()
    if n_docs < FEW_DOCS:
        yield Finding(
            "warn",
            f"{_count(n_docs, 'training document')}: fewer than {FEW_DOCS} show too little of what "
            "other documents are like. Annotate more, rather in new documents than in these.",
        )
    if dev is not None and 0 < dev.spans.total() < FEW_DEV_SPANS:
        yield Finding(
            "warn",
            f"{_count(dev.spans.total(), 'dev span')}: with fewer than {FEW_DEV_SPANS}, scores are "
            "off by five points and more through mere chance.",
        )


def check_labels(train: CorpusStatistics, dev: CorpusStatistics | None) -> Iterator[Finding]:
    """Whether each label has spans enough to be learned, and to be measured."""
    counts = {label: lengths.total() for label, lengths in train.labels.items()}
    hardly = {label: n for label, n in counts.items() if n < HARDLY_ANY_SPANS}
    few = {label: n for label, n in counts.items() if HARDLY_ANY_SPANS <= n < FEW_SPANS}
    if hardly:
        yield Finding(
            "warn",
            f"Labels with fewer than {HARDLY_ANY_SPANS} spans will hardly be learned: "
            f"{_listed(hardly)}. Annotate more, merge them into others, or leave them out.",
        )
    if few:
        yield Finding(
            "warn",
            f"Labels with fewer than {FEW_SPANS} spans: {_listed(few)}. Expect less of them, and "
            "annotate more of these first.",
        )
    if not hardly and not few:
        yield Finding("good", f"Every label has {FEW_SPANS} spans or more.")
    if dev is not None:
        yield from _check_dev_labels(train, dev)


def _check_dev_labels(train: CorpusStatistics, dev: CorpusStatistics) -> Iterator[Finding]:
    unknown = {
        label: lengths.total() for label, lengths in dev.labels.items() if label not in train.labels
    }
    unmeasured = {label: 0 for label in train.labels if label not in dev.labels}
    if unknown:
        yield Finding(
            "warn",
            f"In the dev data only: {_listed(unknown)}. These spans count as missed in every "
            "evaluation: is it a misspelling, or were the documents split unluckily?",
        )
    if unmeasured:
        names = ", ".join(sorted(unmeasured))
        yield Finding("warn", f"Not in the dev data, so never measured: {names}. Split anew.")
    if not unknown and not unmeasured:
        yield Finding("good", "Train and dev data have the same labels.")


def check_window(corpus: CorpusStatistics, settings: Settings) -> Iterator[Finding]:
    """How many spans are too long for the window, and which window would do."""
    spans, limit = corpus.spans, settings.reach + 1
    reaches = ", ".join(
        f"{share} % {spans.reaching(share / 100) - 1}" for share in (90, 95, 99, 100)
    )
    needed = f"Windows needed: {reaches}."
    n_over = spans.n_over(limit)
    if not n_over:
        text = f"{settings.farthest} reaches all spans. {needed}"
        if 2 * spans.longest <= settings.span_window:
            text += f" span_window = {spans.longest - 1} would do, in less time."
        yield Finding("good", text)
        return
    worst = sorted(corpus.labels.items(), key=lambda item: item[1].share_within(limit))[:5]
    by_label = ", ".join(
        f"{label} {_percent(1 - lengths.share_within(limit))}"
        for label, lengths in worst
        if lengths.n_over(limit)
    )
    share = 1 - spans.share_within(limit)
    text = (
        f"{n_over:,} of {spans.total():,} spans ({_percent(share)}) reach over "
        f"{settings.farthest} and cannot be found ({by_label}). {needed}"
    )
    if share <= RARE:
        yield Finding("good", text)
    else:
        yield Finding(
            "warn",
            f"{text} Set boundaries = true and reach to what you need in [components.sener.model], "
            "or split them.",
        )


def check_dev_window(dev: CorpusStatistics, settings: Settings) -> Iterator[Finding]:
    """How much of what is measured can be found at all."""
    within = dev.spans.share_within(settings.reach + 1)
    if within == 1:
        yield Finding("good", f"{settings.farthest} reaches all spans.")
        return
    n_over = dev.spans.n_over(settings.reach + 1)
    yield Finding(
        "good" if 1 - within <= RARE else "warn",
        f"{n_over:,} of {dev.spans.total():,} spans reach over {settings.farthest}: "
        f"no recall can exceed {_percent(within)}.",
    )


def check_ends(corpus: CorpusStatistics) -> Iterator[Finding]:
    """Spans whose ends cannot be predicted, and spans that are there twice."""
    if corpus.whitespace_ends:
        yield Finding(
            "warn",
            f"{_count(corpus.whitespace_ends, 'span')} with whitespace at an end. Trained without "
            "it, but counted as missed in evaluation, as no such span is ever predicted. Trim "
            "them: `spacy sener convert` does.",
        )
    for reason, n in corpus.left_out.items():
        yield Finding("warn", f"{_count(n, 'span')} {reason}: never learned. Correct the data.")
    if corpus.repeated_spans:
        yield Finding(
            "warn",
            f"{_count(corpus.repeated_spans, 'span')} annotated twice, with the same label at the "
            "same place. Each counts once; remove the copies.",
        )
    if not (corpus.whitespace_ends or corpus.left_out or corpus.repeated_spans):
        yield Finding("good", "All spans begin and end with whole words, and stand there once.")


def check_overlaps(corpus: CorpusStatistics, settings: Settings) -> Iterator[Finding]:
    """Whether the spans that lie in, across or on each other may be predicted."""
    overlap = settings.overlap
    yield _judged(
        corpus,
        corpus.nested,
        "inside of another",
        allowed=overlap != "flat",
        advice='overlap = "nested" lets them be found',
        spare=': overlap = "flat" rules out answers that compete for the same words',
    )
    yield _judged(
        corpus,
        corpus.crossing,
        "across the end of another",
        allowed=overlap == "any",
        advice='overlap = "any" lets both be found, and crossing mistakes, too',
    )
    yield _judged(
        corpus,
        corpus.further_labels,
        "where another has the same ends and another label",
        allowed=settings.labels_per_span == "many" and overlap != "flat",
        advice='labels_per_span = "many" and an overlap other than "flat" let them be found',
    )


def _judged(
    corpus: CorpusStatistics, n: int, where: str, *, allowed: bool, advice: str, spare: str = ""
) -> Finding:
    if not n:
        return Finding("good", f"No span lies {where}{spare if allowed else ''}.")
    total = corpus.spans.total()
    text = f"{_count(n, 'span')} ({_percent(n / total)}) {where}"
    if allowed:
        return Finding("good", f"{text}: the settings allow them.")
    if n <= RARE * total:
        return Finding("good", f"{text}: so few are better given up. ({advice}.)")
    return Finding("warn", f"{text}, which the settings rule out: {advice}.")


def check_texts(train: CorpusStatistics, dev: CorpusStatistics | None) -> Iterator[Finding]:
    """Texts that occur twice, above all those that are in both parts."""
    if repeated := train.texts.repeated():
        yield Finding(
            "warn",
            f"Of the training documents {repeated:,} only repeat an earlier one: remove them.",
        )
    else:
        yield Finding("good", "No training document is there twice.")
    if dev is None:
        return
    seen, n = dev.texts.seen_in(train.texts), dev.documents.total()
    if seen.same:
        text = f"{seen.same:,} of {n:,} dev documents are also in the training data, word for word"
        advice = "take them out of one, or scores will be too good to be true."
        yield Finding("fail" if 2 * seen.same >= n else "warn", f"{text}: {advice}")
    if seen.mostly:
        yield Finding(
            "warn",
            f"{seen.mostly:,} of {n:,} dev documents consist by half or more of passages from the "
            "training data: keep versions of one text in one part.",
        )
    if not seen.same and not seen.mostly:
        yield Finding(
            "good",
            f"No dev document is in the training data; {_percent(seen.share)} of the dev text "
            "stands there, in passages of a dozen words or more.",
        )


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} ({n})" for label, n in sorted(counts.items(), key=lambda x: x[1]))
