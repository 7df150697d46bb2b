"""The settings that `spacy sener init-config` chooses for a corpus."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_sener.corpora.segments import cut
from spacy_sener.statistics.advice import Advisor, Encoder
from spacy_sener.statistics.corpus import CorpusStatistics, count
from spacy_sener.statistics.lengths import Lengths

SMALL = Encoder(width=384, pieces_per_token=1.25, measured=True)
LARGE = Encoder(width=1024, pieces_per_token=1.25, measured=False)


def corpus(documents: dict[int, int], **labels: dict[int, int]) -> CorpusStatistics:
    counted = {label: Lengths(lengths) for label, lengths in labels.items()}
    return CorpusStatistics("sc", documents=Lengths(documents), labels=counted)


@pytest.mark.parametrize(
    ("labels", "window"),
    [
        ({"A": {17: 99, 18: 1}}, 16),
        ({"A": {17: 98, 18: 2}}, 32),
        ({"A": {17: 98_000, 129: 1_000, 400: 1_000}}, 128),  # 1 % are not worth the doubling
        ({"A": {2: 9_980}, "B": {60: 20}}, 64),  # few of all, but all of a label
        ({"A": {2: 9_991}, "B": {60: 9}}, 16),  # so few of a label cannot be learned anyway
        ({"A": {200: 9, 600: 1}}, 128),
    ],
)
def test_window(labels: dict[str, dict[int, int]], window: int) -> None:
    assert Advisor(corpus({700: 10}, **labels), SMALL, gpu=False).window == window


def test_a_gpu_has_a_wider_table_for_long_spans() -> None:
    long, short = corpus({700: 10}, A={200: 9}), corpus({700: 10}, A={100: 9})
    found = [
        Advisor(data, SMALL, gpu=gpu).window for data in (long, short) for gpu in (False, True)
    ]
    assert found == [128, 256, 128, 128]


def test_spans_beyond_the_window_are_in_reach() -> None:
    choices = {
        choice.setting: choice
        for choice in Advisor(
            corpus({700: 10}, A={17: 99, 300: 1}, B={17: 999, 600: 1}), SMALL, gpu=False
        ).choices()
    }
    window, reach = (choices[f"components.sener.model.{x}"] for x in ("span_window", "reach"))
    assert window.value == 16
    assert "of 2 longer ones 1 can be found by their ends" in window.reason
    assert reach.value == spacy.blank("en").add_pipe("sener").model.attrs["reach"]
    assert "1 of 1,100 spans will never be found (B 1)" in reach.reason


def test_spans_longer_than_window_and_reach_are_said_to_be_lost() -> None:
    data = corpus({700: 10}, A={200: 90, 600: 10})
    choices = {x.setting: x for x in Advisor(data, SMALL, gpu=False).choices()}
    window, reach = (choices[f"components.sener.model.{x}"] for x in ("span_window", "reach"))
    assert "of 100 longer ones 90 can be found by their ends" in window.reason
    assert "10 of 100 spans will never be found" in reach.reason


def test_windows_of_documents() -> None:
    def max_pieces(length: int) -> int:
        return Advisor(corpus({length: 50}, A={2: 500}), SMALL, gpu=False).max_pieces

    assert max_pieces(400) == 2048
    assert max_pieces(2_000) == 4096  # instead of two windows for each
    assert max_pieces(60_000) == 4096  # of which little overlaps


def values_of(advisor: Advisor) -> dict[str, object]:
    return {choice.setting: choice.value for choice in advisor.choices()}


def test_long_documents_are_cut_to_train_on() -> None:
    data = corpus({400: 300, 70_000: 2}, A={250: 50})
    for gpu, longest in ((False, 1_000), (True, 2_000)):
        choices = {choice.setting: choice for choice in Advisor(data, SMALL, gpu=gpu).choices()}
        assert choices["corpora.train.@readers"].value == "spacy-sener.SegmentCorpus.v1"
        assert choices["corpora.train.longest"].value == longest
        assert choices["corpora.train.spans_key"].value == "sc"
        assert "2 of 302 documents are longer" in choices["corpora.train.longest"].reason
        assert not any("corpora.dev" in setting for setting in choices)
    assert "documents and segments are longer" in choices["training.batcher.size"].reason


def test_short_documents_are_trained_on_whole() -> None:
    for gpu, length in ((False, 1_000), (True, 2_000)):
        settings = values_of(Advisor(corpus({length: 50}, A={250: 50}), SMALL, gpu=gpu))
        assert not any(setting.startswith("corpora") for setting in settings)


def test_segments_are_counted_as_the_reader_makes_them() -> None:
    """In text with sentences of 20 tokens and paragraphs of 200."""
    words = ["\n" if i % 200 == 199 else "." if i % 20 == 19 else "a" for i in range(30_000)]
    doc = Doc(spacy.blank("en").vocab, words=words)
    advisor = Advisor(corpus({len(doc): 1, 500: 9}, A={2: 500}), SMALL, gpu=False)
    segments = list(cut(doc, advisor.longest))
    assert advisor.trained[500] == 9
    assert advisor.trained.total() - 9 == pytest.approx(len(segments), rel=0.2)
    assert advisor.trained.sum_of_lengths == pytest.approx(34_500, rel=0.001)


def sparse(n_tokens: int, every: int) -> Doc:
    """Sentences of 20 tokens, and a span of two tokens in as many."""
    words = ["." if i % 20 == 19 else "a" for i in range(n_tokens)]
    doc = Doc(spacy.blank("en").vocab, words=words)
    doc.spans["sc"] = [Span(doc, i, i + 2, "A") for i in range(every // 2, n_tokens, every)]
    return doc


@pytest.mark.parametrize(("every", "empty"), [(3_000, 0.25), (500, None)])
def test_few_segments_without_spans_are_trained_on(every: int, empty: float | None) -> None:
    docs = [sparse(30_000, every), sparse(400, 1_000)]
    examples = [Example(Doc(doc.vocab, words=[t.text for t in doc]), doc) for doc in docs]
    data = count(examples, "sc")
    advisor = Advisor(data, SMALL, gpu=False)
    segments = [segment for doc in docs for segment in cut(doc, advisor.longest)]
    n_empty = sum(not segment.spans["sc"] for segment in segments)
    assert advisor.share_empty == pytest.approx(n_empty / len(segments), abs=0.05)
    assert values_of(advisor).get("corpora.train.empty") == empty
    assert "corpora.train.empty" not in values_of(Advisor(data, SMALL, gpu=True))


def test_documents_without_spans_are_thinned_though_none_is_long() -> None:
    data = corpus({500: 40}, A={2: 500})
    updates = Advisor(data, SMALL, gpu=False).updates
    data.without_spans = Lengths({500: 20})
    choices = {x.setting: x for x in Advisor(data, SMALL, gpu=False).choices()}
    assert choices["corpora.train.@readers"].value == "spacy-sener.SegmentCorpus.v1"
    assert choices["corpora.train.empty"].value == 0.25
    assert "50 % or more" in choices["corpora.train.empty"].reason
    assert Advisor(data, SMALL, gpu=False).updates == updates * (1 - 0.75 / 2)


def test_steps_follow_from_documents() -> None:
    small = Advisor(corpus({20: 1_000}, A={2: 500}), SMALL, gpu=False)
    assert small.updates == 40  # of 25 documents
    assert small.max_steps == 500
    tiny = Advisor(corpus({5: 2}, A={2: 2}), SMALL, gpu=False)
    reasons = {choice.setting: choice.reason for choice in tiny.choices()}
    assert reasons["training.max_steps"].startswith("500.0 epochs of 1 updates")
    long = Advisor(corpus({9_000: 400}, A={250: 500}), SMALL, gpu=False)
    assert long.updates == 4_400  # of one segment
    assert 1 < long.seconds < 5
    assert long.max_steps == 2_000
    steps = {choice.setting: choice for choice in long.choices()}
    assert "think of a GPU" in steps["training.max_steps"].reason
    assert steps["training.optimizer.total_steps"].value == 2_000
    assert "components.sener.model.recompute" not in steps  # no window of segments is long


@pytest.mark.parametrize(
    ("steps", "warmup", "between"), [(60, 6, 12), (63, 6, 21), (3, 0, 1), (61, 6, 61)]
)
def test_as_many_steps_as_are_asked_for(steps: int, warmup: int, between: int) -> None:
    advisor = Advisor(corpus({20: 1_000}, A={2: 500}), SMALL, gpu=False, steps=steps)
    values = values_of(advisor)
    names = ("max_steps", "optimizer.total_steps", "optimizer.warmup_steps", "eval_frequency")
    assert [values[f"training.{name}"] for name in names] == [steps, steps, warmup, between]


@pytest.mark.parametrize(("steps", "dropout"), [(119, [0.1, 0.0]), (120, [0.4, 0.2])])
def test_texts_that_are_seen_often_are_dropped_in_part(steps: int, dropout: list[float]) -> None:
    advisor = Advisor(corpus({20: 1_000}, A={2: 500}), SMALL, gpu=False, steps=steps)
    assert advisor.updates == 40
    values = values_of(advisor)
    names = ("token_dropout", "span_dropout")
    assert [values[f"components.sener.model.{name}"] for name in names] == dropout


def test_scores_of_few_updates_are_kept_from_lower_on() -> None:
    for gpu, threshold in ((False, 0.4), (True, None)):  # None: the component's default
        settings = values_of(Advisor(corpus({400: 50}, A={20: 50}), SMALL, gpu=gpu))
        assert settings.get("components.sener.threshold") == threshold


def test_small_updates_are_hardly_clipped() -> None:
    for gpu, clip in ((False, 100.0), (True, None)):  # None: the optimizer's default
        settings = values_of(Advisor(corpus({400: 50}, A={20: 50}), SMALL, gpu=gpu))
        assert settings.get("training.optimizer.grad_clip") == clip


def test_the_papers_training_for_the_papers_corpus() -> None:
    """16 documents in an update and 30 epochs: 3,936 updates in the paper."""
    paper = corpus({433: 2_099}, A={12: 20_000})
    values = {x.setting: x.value for x in Advisor(paper, LARGE, gpu=True).choices()}
    assert values["training.max_steps"] == pytest.approx(3_936, rel=0.02)
    assert values["components.sener.model.recompute"] is True
    assert values["training.optimizer.encoder_learn_rate"] == 0.0004
    model = "components.sener.model"
    assert values[f"{model}.encoder.lora"] == {"rank": 8, "alpha": 16}
    regularised = [values[f"{model}.{name}"] for name in ("token_dropout", "span_dropout")]
    assert [*regularised, values[f"{model}.masking"]] == [0.4, 0.2, 0.15]


@pytest.mark.parametrize(
    ("counts", "overlap", "labels"),
    [
        ((0, 0, 0), "flat", "one"),
        ((20, 5, 0), "nested", "one"),
        ((20, 20, 20), "any", "many"),
        ((0, 0, 20), "nested", "many"),
    ],
)
def test_overlaps(counts: tuple[int, int, int], overlap: str, labels: str) -> None:
    data = corpus({400: 100}, A={2: 1_000})
    data.nested, data.crossing, data.further_labels = counts
    values = {x.setting: x.value for x in Advisor(data, SMALL, gpu=False).choices()}
    assert values["components.sener.overlap"] == overlap
    assert values["components.sener.labels_per_span"] == labels


def test_encoders_that_are_not_here_are_guessed_by_name() -> None:
    assert Encoder.look_at("microsoft/deberta-v3-large", ["a"]).width == 1024
    assert Encoder.look_at("microsoft/deberta-v3-base", ["a"]).width == 768
    assert Encoder.look_at("sentence-transformers/all-MiniLM-L6-v2", ["a"]).width == 384


def test_encoders_that_are_here_are_measured(tiny_encoder: Path) -> None:
    encoder = Encoder.look_at(str(tiny_encoder), ["University", "of"])
    assert encoder.width == 32
    assert encoder.measured
    assert encoder.pieces_per_token >= 1
