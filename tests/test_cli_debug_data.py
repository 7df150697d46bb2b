"""`python -m spacy sener debug-data`, through spaCy's own command line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

import spacy_sener.cli.debug_data  # noqa: F401 - the import adds the command
from spacy_sener.statistics import checks
from spacy_sener.statistics.checks import Settings
from spacy_sener.statistics.corpus import CorpusStatistics
from spacy_sener.statistics.lengths import Lengths

Spans = Sequence[tuple[int, int, str]]
SETTINGS = Settings(
    "sc", span_window=8, reach=8, max_pieces=64, overlap="nested", labels_per_span="many"
)


def save(path: Path, *data: tuple[str, Spans], key: str = "sc") -> Path:
    nlp, docs = spacy.blank("en"), DocBin()
    for text, spans in data:
        doc = nlp.make_doc(text)
        doc.spans[key] = [Span(doc, start, end, label) for start, end, label in spans]
        docs.add(doc)
    docs.to_disk(path)
    return path


def numbered(n: int, first: int = 0) -> list[tuple[str, Spans]]:
    """Documents that have no words in common but one."""
    return [(f"{i} a{i} b{i} c{i} end", [(0, 2, "A")]) for i in range(first, first + n)]


def debug_data(*arguments: object) -> tuple[int, str]:
    command = ["sener", "debug-data", *map(str, arguments)]
    result = CliRunner().invoke(app, command)
    return result.exit_code, " ".join(result.output.split())


def test_good_data(tmp_path: Path) -> None:
    train = save(tmp_path / "train.spacy", *numbered(60))
    dev = save(tmp_path / "dev.spacy", *numbered(100, first=100))
    code, output = debug_data(train, dev)
    assert code == 0
    assert "60 documents, 300 tokens" in output
    assert "60 spans of 1 label" in output
    assert "Every label has 50 spans or more." in output
    assert "No dev document is in the training data" in output
    assert " 0 warning(s)" in output


def test_train_is_dev(tmp_path: Path) -> None:
    train = save(tmp_path / "train.spacy", *numbered(4))
    code, output = debug_data(train, train)
    assert code == 1
    assert "4 of 4 dev documents are also in the training data, word for word" in output
    assert "fewer than 20" in output
    assert "Labels with fewer than 10 spans" in output


def test_spans_under_another_key(tmp_path: Path) -> None:
    train = save(tmp_path / "train.spacy", *numbered(4), key="other")
    code, output = debug_data(train)
    assert code == 1
    assert "No spans in doc.spans['sc']. There are some under 'other' (4)" in output
    assert debug_data(train, "--spans-key", "other")[0] == 0


def test_settings_are_those_of_a_config(tmp_path: Path) -> None:
    train = save(tmp_path / "train.spacy", (" ".join(["word"] * 12), [(0, 12, "A"), (2, 4, "B")]))
    config = tmp_path / "my.cfg"
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-sener.SeNER.v1", "span_window": 4, "reach": 0}
    model["encoder"] = {"@architectures": "spacy-sener.ArrowEncoder.v1"}
    nlp.add_pipe("sener", name="mine", config={"model": model, "overlap": "flat"})
    nlp.config.to_disk(config)
    code, output = debug_data(train, "--config", config)
    assert code == 0
    assert "1 of 2 spans (50.0 %) reach over span_window = 4 and cannot be found" in output
    assert 'which the settings rule out: overlap = "nested" lets them be found' in output
    wider = debug_data(train, "--config", config, "--span-window", 16)[1]
    assert "span_window = 16 reaches all spans" in wider
    assert "reach = 512 reaches all spans" in debug_data(train, "--span-window", 4)[1]
    code, output = debug_data(train, "--span-window", 0)
    assert code == 2
    assert "Invalid value for '--span-window'" in output


def test_documents_of_any_length(tmp_path: Path) -> None:
    train, config = tmp_path / "train.spacy", tmp_path / "my.cfg"
    nlp = spacy.blank("en")
    nlp.add_pipe("sener")
    nlp.config.to_disk(config)
    n = 210_000
    DocBin(docs=[Doc(nlp.vocab, words=["word"] * n, spaces=[True] * n)]).to_disk(train)
    for options in ([], ["--config", config]):
        assert "1 document, 210,000 tokens" in debug_data(train, *options)[1]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("{}")
    code, output = debug_data(path)
    assert code == 1
    assert "python -m spacy sener convert" in output
    code, output = debug_data(path, "--lang", "english")
    assert code == 1
    assert "--lang should be a code such as en" in output
    config = tmp_path / "other.cfg"
    spacy.blank("en").config.to_disk(config)
    code, output = debug_data(path, "--config", config)
    assert code == 1
    assert "no component 'sener'" in output


def corpus(**labels: dict[int, int]) -> CorpusStatistics:
    counted = {label: Lengths(lengths) for label, lengths in labels.items()}
    return CorpusStatistics("sc", documents=Lengths({20: 30}), labels=counted)


def test_documents_that_are_long_or_empty() -> None:
    data = corpus(A={2: 60})
    data.documents = Lengths({20: 30, 100: 2})
    data.without_spans = Lengths({20: 20})
    verdicts = [finding.verdict for finding in checks.check_documents(data, SETTINGS)]
    texts = " ".join(finding.text for finding in checks.check_documents(data, SETTINGS))
    assert verdicts == ["good", "good", "warn"]
    assert "About 2 exceed max_pieces = 64" in texts
    assert "20 of 32 documents have no span" in texts
    [none] = checks.check_documents(CorpusStatistics("sc"), SETTINGS)
    assert none.verdict == "fail"


def test_labels_of_train_and_dev() -> None:
    found = list(checks.check_labels(corpus(A={1: 60}, B={1: 20}), corpus(A={1: 60}, C={1: 3})))
    assert [finding.verdict for finding in found] == ["warn"] * 3
    assert "B (20)" in found[0].text
    assert "In the dev data only: C (3)" in found[1].text
    assert "Not in the dev data, so never measured: B" in found[2].text


def test_too_few_dev_spans() -> None:
    [found] = checks.check_enough(corpus(A={1: 60}), corpus(A={1: 60}))
    assert found.verdict == "warn"
    assert "60 dev spans" in found.text


@pytest.mark.parametrize(
    ("lengths", "verdict", "text"),
    [
        ({9: 10}, "good", "span_window = 8 reaches all spans. Windows needed: 90 % 8"),
        ({3: 10}, "good", "span_window = 2 would do, in less time"),
        ({9: 199, 10: 1}, "good", "1 of 200 spans (0.5 %) reach over"),
        ({9: 9, 30: 1}, "warn", "100 % 29"),
    ],
)
def test_spans_and_the_window(lengths: dict[int, int], verdict: str, text: str) -> None:
    [found] = checks.check_window(corpus(A=lengths), SETTINGS)
    assert found.verdict == verdict
    assert text in found.text


def test_spans_beyond_the_window_but_in_reach() -> None:
    settings = replace(SETTINGS, reach=20)
    [found] = checks.check_window(corpus(A={9: 9, 21: 1}), settings)
    assert found.verdict == "good"
    assert "reach = 20 reaches all spans" in found.text
    [found] = checks.check_window(corpus(A={9: 9, 22: 1}), settings)
    assert "1 of 10 spans (10.0 %) reach over reach = 20 and cannot be found" in found.text


@pytest.mark.parametrize(
    ("lengths", "verdict", "text"),
    [
        ({9: 10}, "good", "reaches all spans"),
        ({9: 199, 10: 1}, "good", "no recall can exceed 99.5 %"),
        ({9: 9, 30: 1}, "warn", "1 of 10 spans reach over span_window = 8"),
    ],
)
def test_dev_spans_and_the_window(lengths: dict[int, int], verdict: str, text: str) -> None:
    [found] = checks.check_dev_window(corpus(A=lengths), SETTINGS)
    assert found.verdict == verdict
    assert text in found.text


def test_odd_ends() -> None:
    data = corpus(A={1: 9})
    assert [finding.verdict for finding in checks.check_ends(data)] == ["good"]
    data.whitespace_ends, data.repeated_spans = 2, 1
    data.left_out["not aligned with the tokens"] = 1
    found = list(checks.check_ends(data))
    assert [finding.verdict for finding in found] == ["warn"] * 3
    assert "2 spans with whitespace at an end" in found[0].text
    assert "1 span not aligned with the tokens: never learned" in found[1].text


def test_overlaps_and_the_settings() -> None:
    data = corpus(A={1: 1000})
    assert 'overlap = "flat"' in next(checks.check_overlaps(data, SETTINGS)).text
    data.nested, data.crossing, data.further_labels = 20, 20, 5
    verdicts = [finding.verdict for finding in checks.check_overlaps(data, SETTINGS)]
    assert verdicts == ["good", "warn", "good"]
    flat = Settings("sc", 8, 8, 64, "flat", "one")
    verdicts = [finding.verdict for finding in checks.check_overlaps(data, flat)]
    assert verdicts == ["warn", "warn", "good"]
