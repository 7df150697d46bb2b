"""Gold and predicted spans, paired."""

import time
import timeit

import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_sener.matching import Match, match_spans
from spacy_sener.scorer import score_spans

NLP = spacy.blank("en")
N_WORDS = 12
Spans = list[tuple[int, int, str]]


def make_doc(spans: Spans) -> Doc:
    doc = NLP.make_doc(" ".join(f"w{number}" for number in range(N_WORDS)))
    doc.spans["sc"] = [Span(doc, start, end, label=label) for start, end, label in spans]
    return doc


def match(gold: Spans, predicted: Spans) -> list[Match]:
    left, right = make_doc(gold), make_doc(predicted)
    return match_spans(left.spans["sc"], right.spans["sc"])


def verdicts(gold: Spans, predicted: Spans) -> list[str]:
    return [match.verdict for match in match(gold, predicted)]


def test_every_verdict() -> None:
    assert verdicts([(0, 4, "a")], [(0, 4, "a")]) == ["found"]
    assert verdicts([(0, 4, "a")], [(0, 4, "b")]) == ["type"]
    assert verdicts([(0, 4, "a")], [(1, 4, "a")]) == ["start"]
    assert verdicts([(0, 4, "a")], [(0, 3, "a")]) == ["end"]
    assert verdicts([(0, 4, "a")], [(1, 3, "a")]) == ["both"]
    assert verdicts([(0, 4, "a")], []) == ["missed"]
    assert verdicts([], [(0, 4, "a")]) == ["spurious"]
    assert verdicts([(0, 4, "a")], [(4, 8, "a")]) == ["missed", "spurious"]
    assert verdicts([(0, 4, "a")], [(1, 4, "b")]) == ["missed", "spurious"]


def test_better_pairs_come_first() -> None:
    """The exact one is not taken by its neighbour, the closer one not by the farther one."""
    assert verdicts([(0, 6, "a"), (0, 5, "a")], [(0, 5, "a")]) == ["missed", "found"]
    [first, second] = match([(0, 6, "a")], [(0, 2, "a"), (0, 5, "a")])
    assert first.predicted is not None
    assert (first.verdict, first.predicted.end) == ("end", 5)
    assert second.verdict == "spurious"


def test_other_tokens_of_the_same_text() -> None:
    gold = make_doc([(0, 2, "a")])
    words = list(gold.text)
    predicted = Doc(NLP.vocab, words=words, spaces=[False] * len(words))
    span = Span(predicted, 0, len("w0 w1"), label="a")
    assert [match.verdict for match in match_spans(gold.spans["sc"], [span])] == ["found"]


def seconds(gold: Spans, predicted: Spans) -> float:
    """To pair spans of a text of 16,000 words."""
    doc = Doc(NLP.vocab, words=["w"] * 16000)
    sides = [[Span(doc, *span) for span in side] for side in (gold, predicted)]
    return min(
        timeit.repeat(lambda: match_spans(*sides), timer=time.process_time, number=1, repeat=3)
    )


def test_many_spans_that_are_off_beside_a_long_one_take_little_longer_than_equal_ones() -> None:
    gold = [(start, start + 2, "a") for start in range(0, 16000, 4)]
    predicted = [(start + 1, end + 1, label) for start, end, label in gold]
    assert seconds(gold, [*predicted, (0, 16000, "a")]) < 30 * seconds(gold, gold)


spans = st.lists(
    st.tuples(st.integers(0, N_WORDS - 2), st.integers(1, 5), st.sampled_from("ab")).map(
        lambda item: (item[0], min(N_WORDS, item[0] + item[1]), item[2])
    ),
    max_size=8,
)


@given(spans, spans)
def test_every_span_is_in_one_match(gold: Spans, predicted: Spans) -> None:
    matches = match(gold, predicted)
    for side, given_spans in (("gold", gold), ("predicted", predicted)):
        found = [getattr(match, side) for match in matches]
        keys = [(span.start, span.end, span.label_) for span in found if span is not None]
        assert sorted(keys) == sorted(set(given_spans))


@given(spans, spans)
def test_found_ones_are_those_that_the_scorer_counts(gold: Spans, predicted: Spans) -> None:
    found = verdicts(gold, predicted).count("found")
    example = Example(make_doc(predicted), make_doc(gold))
    recall = score_spans([example], spans_key="sc")["spans_sc_r"]
    assert not gold or recall == found / len(set(gold))


@given(spans, spans)
def test_nothing_that_could_be_paired_is_left_alone(gold: Spans, predicted: Spans) -> None:
    matches = match(gold, predicted)
    missed = [match.gold for match in matches if match.verdict == "missed"]
    spurious = [match.predicted for match in matches if match.verdict == "spurious"]
    for one in missed:
        for other in spurious:
            assert one is not None
            assert other is not None
            assert (one.start, one.end) != (other.start, other.end)
            disjoint = one.end <= other.start or other.end <= one.start
            assert disjoint or one.label_ != other.label_
