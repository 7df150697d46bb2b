"""The figures of a report: by hand, and against the scorer."""

import json
from typing import Any

import numpy as np
import pytest
from evaluation.evaluated import Spans, make_doc, make_example, report_on
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_sener.evaluation.accuracy import RESAMPLES, bootstrap, nested_keys
from spacy_sener.evaluation.errors import snippet
from spacy_sener.matching import VERDICTS, Key
from spacy_sener.scorer import score_spans

GOLD = [
    (0, 1, "A"),  # found
    (0, 10, "B"),  # found, and the one before lies inside it
    (20, 24, "A"),  # predicted as B
    (30, 40, "B"),  # predicted from 33
    (50, 60, "B"),  # predicted to 64
    (70, 100, "A"),  # predicted from 68 to 99
    (110, 180, "A"),  # missed
]
PREDICTED = {
    (0, 1, "A"): 0.95,
    (0, 10, "B"): 0.85,
    (20, 24, "B"): 0.75,
    (33, 40, "B"): 0.65,
    (50, 64, "B"): 0.60,
    (68, 99, "A"): 0.55,
    (190, 192, "B"): 0.50,  # spurious, just at the threshold
    (110, 180, "A"): 0.25,  # below the threshold: missed
    (195, 196, "A"): 0.15,
}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """One document with every verdict once, another that is right, and one without annotation."""
    examples = [
        make_example(GOLD, list(PREDICTED), list(PREDICTED.values())),
        make_example([(4, 7, "A")], [(4, 7, "A")], [1.0]),
        make_example(None, [(1, 2, "A")], [0.9]),
    ]
    return report_on(
        examples, threshold=0.5, lowest_score=0.05, reach=60, labels=("A", "B"), seconds=2.0
    )


def figures(gold: int, predicted: int, right: int) -> Any:
    p, r = right / predicted if predicted else 0.0, right / gold if gold else 0.0
    f = 2 * right / (gold + predicted)
    counts = {"gold": gold, "predicted": predicted, "right": right}
    return {
        **{name: pytest.approx(value) for name, value in zip("prf", (p, r, f), strict=True)},
        **counts,
    }


def counts(**verdicts: int) -> dict[str, int]:
    return {verdict: verdicts.get(verdict, 0) for verdict in VERDICTS}


def test_what_was_read(report: dict[str, Any]) -> None:
    assert report["documents"] == {"count": 3, "without_annotation": 1, "tokens": 600}
    assert report["unaligned"] == 0
    assert report["tokens_per_second"] == 300
    assert (report["threshold"], report["lowest_score"]) == (0.5, 0.05)


def test_figures_by_hand(report: dict[str, Any]) -> None:
    interval = report["micro"].pop("interval")
    assert report["micro"] == figures(8, 8, 3)
    # Samples of two documents hold the first alone, both, or the second alone.
    assert interval["r"] == pytest.approx([2 / 7, 1])
    report["micro"]["interval"] = interval
    assert report["per_type"] == {"A": figures(5, 3, 2), "B": figures(3, 5, 1)}
    assert report["per_length"] == {
        "1": figures(1, 1, 1),
        "2-4": figures(2, 3, 1),
        "5-16": figures(3, 3, 1),
        "17-64": figures(1, 1, 0),
        "65-128": figures(1, 0, 0),
    }
    assert report["nesting"] == {
        "outermost": {"gold": 7, "r": pytest.approx(2 / 7)},
        "nested": {"gold": 1, "r": 1},
    }


def test_errors_by_hand(report: dict[str, Any]) -> None:
    errors = report["errors"]
    once = dict.fromkeys(("type", "start", "end", "both", "missed", "spurious"), 1)
    assert errors["total"] == counts(found=3, **once)
    assert errors["per_type"] == {
        "A": counts(found=2, type=1, both=1, missed=1),
        "B": counts(found=1, start=1, end=1, spurious=1),
    }
    assert errors["per_length"] == {
        "1": counts(found=1),
        "2-4": counts(found=1, type=1, spurious=1),
        "5-16": counts(found=1, start=1, end=1),
        "17-64": counts(both=1),
        "65-128": counts(missed=1),
    }
    assert errors["ends"] == {
        "start": {"count": 2, "outside": 1, "mean_tokens": 2.5},  # 3 too late, 2 too early
        "end": {"count": 2, "outside": 1, "mean_tokens": 2.5},  # 4 too late, 1 too early
    }
    assert errors["confusion"] == [{"gold": "A", "predicted": "B", "count": 1}]
    [missed] = report["examples"]["missed"]
    assert missed["gold"]["tokens"] == 70
    assert missed["predicted"] is None
    assert missed["score"] == pytest.approx(0.25)


def test_scores_by_hand(report: dict[str, Any]) -> None:
    calibration = report["calibration"]
    assert (calibration["count"], calibration["lowest_score"]) == (10, 0.05)
    bins = {round(row["from"], 1): row for row in calibration["bins"]}
    assert [row["count"] for row in bins.values()] == [0, 1, 1, 0, 0, 2, 2, 1, 1, 2]
    assert bins[0.9]["mean_score"] == pytest.approx((0.95 + 1) / 2)
    assert [bins[at]["share_right"] for at in (0.0, 0.2, 0.5, 0.9)] == [None, 1, 0, 1]
    wrong = abs(1.05 - 0) + abs(1.25 - 0) + 0.75 + abs(0.85 - 1) + abs(1.95 - 2)
    assert calibration["ece_predicted"] == pytest.approx(wrong / 8)
    assert calibration["ece"] == pytest.approx((wrong + 0.15 + 0.75) / 10)
    points = {point.pop("threshold"): point for point in report["curve"]}
    assert list(points) == pytest.approx([i / 20 for i in range(1, 20)])
    assert points[0.05] == figures(8, 10, 4)
    assert points[0.5] == figures(8, 8, 3)
    assert points[0.9] == figures(8, 2, 2)


def test_reach_by_hand(report: dict[str, Any]) -> None:
    assert report["reach"]["total"] == {
        "gold": 8,
        "reachable": 7,
        "recall_ceiling": 7 / 8,
        "lost": {"longer than the model reaches": 1},
    }
    assert report["reach"]["per_type"]["B"]["recall_ceiling"] == 1


def test_what_else_is_out_of_reach() -> None:
    words = ["a", "\n", "b", "c", "\n"]
    gold = make_doc([(0, 2, "A"), (0, 3, "A"), (0, 4, "A"), (2, 3, "X")], words=words)
    predicted = make_doc([], words=words)
    run = {"reach": 1, "labels": ("A",)}
    [total] = [report_on([Example(predicted, gold)], **run)["reach"]["total"]]
    # The newline between does not count: "a \n b" is in reach, "a \n b c" is not.
    assert (total["gold"], total["reachable"]) == (4, 1)
    assert sorted(total["lost"].values()) == [1, 1, 1]
    assert "whitespace" in " ".join(total["lost"])
    assert "label" in " ".join(total["lost"])


def test_the_same_text_in_other_tokens() -> None:
    """A predicted span counts at the gold tokens, and is left out where it ends inside one."""
    gold = Doc(make_doc(None).vocab, words=["New", "York", "is", "big"])
    gold.spans["sc"] = [Span(gold, 0, 2, label="A")]
    predicted = Doc(gold.vocab, words=["New", "Yo", "rk", "is", "big"], spaces=[1, 0, 1, 1, 1])
    predicted.spans["sc"] = [Span(predicted, 0, 3, label="A"), Span(predicted, 0, 2, label="A")]
    example = Example(predicted, gold)
    report = report_on([example], reach=5, labels=("A",))
    assert report["unaligned"] == 1
    assert report["micro"]["f"] == score_spans([example], spans_key="sc")["spans_sc_f"] == 1
    assert report["reach"]["total"]["reachable"] == 1
    assert report["errors"]["total"] == counts(found=1)


def test_spans_inside_gold_tokens_are_left_out_only_if_they_reach_the_threshold() -> None:
    gold = make_doc([(0, 1, "A")], words=["Ada-Lovelace"])
    words = ["Ada", "-", "Lovelace"]
    spans = [(0, 3, "A"), (0, 1, "A"), (1, 2, "A"), (1, 3, "A")]
    predicted = make_doc(spans, [0.9, 0.1, 0.3, 0.6], words=words, spaces=[False] * 3)
    report = report_on([Example(predicted, gold)], threshold=0.5, lowest_score=0.05)
    assert (report["unaligned"], report["micro"]["predicted"]) == (1, 1)


def test_documents_whose_vocabularies_do_not_know_each_others_labels() -> None:
    """As the gold documents of a file, read without the pipeline, and what the pipeline answers."""
    gold, predicted = (Doc(Vocab(), words=[f"w{i}" for i in range(200)]) for _ in range(2))
    gold.spans["sc"] = [Span(gold, 0, 2, "ours"), Span(gold, 4, 5, "both")]
    predicted.spans["sc"] = [Span(predicted, 2, 3, "theirs"), Span(predicted, 4, 5, "both")]
    figures = report_on([Example(predicted, gold)], reach=60)
    assert [figures["micro"][key] for key in ("gold", "predicted", "right")] == [2, 2, 1]
    assert figures["per_type"].keys() == {"ours", "theirs", "both"}


def test_many_spans_in_one_document() -> None:
    spans = [(i % 190, i % 190 + 1 + i // 190, "A") for i in range(500)]
    report = report_on([make_example(spans, spans)], reach=5, labels=("A",))
    assert report["micro"]["right"] == report["reach"]["total"]["reachable"] == 500


def test_examples_say_where() -> None:
    words = ["one", "\n", "two", "\n\n", "three"]
    gold = make_doc([(4, 5, "A")], words=words)
    gold.user_data["doc_id"] = 17
    report = report_on([Example(make_doc([(2, 3, "A")], words=words), gold)])
    [missed], [spurious] = report["examples"]["missed"], report["examples"]["spurious"]
    assert (missed["doc_id"], missed["document"], missed["line"]) == ("17", 1, 4)
    assert (missed["gold"]["text"], missed["gold"]["start"]) == ("three", len("one \n two \n\n "))
    assert (spurious["line"], spurious["score"]) == (2, None)


def test_the_worst_examples_are_kept() -> None:
    spans = [(i * 10, i * 10 + 1 + i % 4, "A") for i in range(20)]
    scores = [(i * 7 % 20) / 20 for i in range(20)]
    report = report_on([make_example([], spans, scores)])
    kept = [example["score"] for example in report["examples"]["spurious"]]
    assert kept == pytest.approx([i / 20 for i in range(19, 9, -1)])
    report = report_on([make_example(spans, [])])
    assert [each["gold"]["tokens"] for each in report["examples"]["missed"]] == [4] * 5 + [3] * 5


def test_no_examples_of_errors() -> None:
    """Not even an empty table of each."""
    spans = [(0, 1, "A")]
    assert report_on([make_example(spans, [])], n_examples=0)["examples"] == {}


def test_long_texts_show_both_ends() -> None:
    text = snippet("first " + "middle\n" * 50 + " last")
    assert text.startswith("first middle middle")
    assert text.endswith("middle last")
    assert len(text) < 100
    assert snippet("a\n b") == "a b"


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [([], [(0, 1, "A")], 0.0), ([(0, 1, "A")], [], 0.0), ([], [], None)],
)
def test_nothing_on_one_side(gold: Spans, predicted: Spans, expected: float | None) -> None:
    report = report_on([make_example(gold, predicted)], reach=5, labels=("A",))
    assert report["micro"]["f"] == expected
    assert report["micro"]["interval"] is None
    assert (report["calibration"], report["curve"]) == (None, None)
    assert report["reach"]["total"]["recall_ceiling"] == (1 if gold else None)


def test_samples_of_documents_without_spans_have_no_figures() -> None:
    examples = [make_example([(0, 1, "A")], [(0, 1, "A")]), *[make_example([], [])] * 4]
    assert report_on(examples)["micro"]["interval"] == {key: [1.0, 1.0] for key in "prf"}
    assert report_on(examples[1:])["micro"]["interval"] is None


def test_scores_that_are_no_probabilities() -> None:
    report = report_on([make_example([(0, 1, "A")], [(0, 1, "A"), (2, 3, "A")], [7.5, -2.0])])
    assert report["calibration"] is None
    assert [(point["threshold"], point["f"]) for point in report["curve"]] == [
        (-2.0, pytest.approx(2 / 3)),
        *((pytest.approx(i / 20), 1.0) for i in range(1, 20)),
    ]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), None])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_scores_that_are_no_numbers(score: float | None, threshold: float | None) -> None:
    """Their spans count, as they do for spaCy's scorer; no figure is made of the scores."""
    spans = [(0, 1, "A"), (2, 3, "A")]
    example = make_example(spans, spans)
    example.predicted.spans["sc"].attrs["scores"] = [score, 0.9]
    report = report_on([example], threshold=threshold)
    assert report["micro"]["f"] == score_spans([example], spans_key="sc")["spans_sc_f"] == 1
    assert (report["calibration"], report["curve"]) == (None, None)
    json.dumps(report, allow_nan=False)


def test_predictions_without_the_key() -> None:
    example = Example(make_doc([(0, 1, "A")], key="mine"), make_doc([(0, 1, "A")]))
    with pytest.raises(ValueError, match=r"the test writes nothing .*'sc'.*'mine'.*--spans-key"):
        report_on([example])


def test_fewer_scores_than_spans() -> None:
    with pytest.raises(ValueError, match=r"'sc'.* has 2 spans, but .* 1 scores"):
        report_on([make_example([], [(0, 1, "A"), (1, 2, "A")], [0.5])])


def test_equal_spans_count_once_with_their_best_score() -> None:
    report = report_on([make_example([(0, 1, "A")] * 2, [(0, 1, "A")] * 3, [0.6, 0.9, 0.7])])
    assert report["micro"]["f"] == 1
    assert report["micro"]["gold"] == report["micro"]["predicted"] == 1
    assert (
        report["calibration"]["bins"][8]["count"] + report["calibration"]["bins"][9]["count"] == 1
    )


N_WORDS = 12
span = st.tuples(st.integers(0, N_WORDS - 1), st.integers(1, 6), st.sampled_from("ab")).map(
    lambda item: (item[0], min(N_WORDS, item[0] + item[1]), item[2])
)
spans = st.lists(span, max_size=8)
scored = st.lists(st.tuples(span, st.floats(0, 1, width=32)), max_size=8)
documents = st.lists(st.tuples(spans, scored), min_size=1, max_size=4)


@given(documents)
def test_figures_are_those_of_the_scorer(data: list[tuple[Spans, Any]]) -> None:
    examples = [make_example(gold, [s for s, _ in found]) for gold, found in data]
    report, scores = report_on(examples), score_spans(examples, spans_key="sc")
    assert [report["micro"][name] for name in "prf"] == [scores[f"spans_sc_{n}"] for n in "prf"]
    for part in ("per_type", "per_length"):
        ours = {name: {n: row[n] for n in "prf"} for name, row in report[part].items()}
        assert ours == (scores.get(f"spans_sc_{part}") or {})


@given(documents, st.floats(0, 1, width=32))
def test_counts_add_up(data: list[tuple[Spans, Any]], threshold: float) -> None:
    examples = [
        make_example(gold, [s for s, _ in found], [score for _, score in found])
        for gold, found in data
    ]
    report = report_on(examples, threshold=threshold, lowest_score=0.0)
    json.dumps(report, allow_nan=False)
    total, micro = report["errors"]["total"], report["micro"]
    assert sum(total.values()) - total["spurious"] == micro["gold"]
    assert sum(total.values()) - total["missed"] == micro["predicted"]
    assert total["found"] == micro["right"]
    for part in ("per_type", "per_length"):
        for verdict in VERDICTS:
            rows = report["errors"][part].values()
            assert sum(row[verdict] for row in rows) == total[verdict]
    if report["curve"] is not None:
        assert (
            sum(row["count"] for row in report["calibration"]["bins"])
            == (report["calibration"]["count"])
        )
        [own] = [point for point in report["curve"] if point["threshold"] == threshold]
        assert all(own[name] == micro[name] for name in own if name != "threshold")


@given(spans)
def test_nested_ones_are_those_inside_longer_ones(given_spans: Spans) -> None:
    keys = {Key(*span) for span in given_spans}
    expected = {
        one
        for one in keys
        if any(o[0] <= one[0] and one[1] <= o[1] and o[:2] != one[:2] for o in keys)
    }
    assert nested_keys(keys) == expected


def test_intervals_hold_95_percent_of_the_samples() -> None:
    per_document = [(i % 7 + 1, i % 3, i % 5) for i in range(40)]
    intervals = bootstrap(per_document, seed=3)
    assert intervals is not None
    right, spurious, missed = np.array(per_document).T
    rng = np.random.default_rng(3)
    samples = [rng.integers(40, size=40) for _ in range(RESAMPLES)]
    recall = np.sort([right[s].sum() / (right[s] + missed[s]).sum() for s in samples])
    low, high = intervals["r"]
    assert np.mean(recall < low) == pytest.approx(0.025, abs=0.005)
    assert np.mean(recall > high) == pytest.approx(0.025, abs=0.005)
    precision = np.sort([right[s].sum() / (right[s] + spurious[s]).sum() for s in samples])
    assert intervals["p"] == pytest.approx(np.percentile(precision, [2.5, 97.5]).tolist())
