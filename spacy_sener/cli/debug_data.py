"""`python -m spacy sener debug-data`: what matters in a corpus, before training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from spacy.language import Language
from spacy.util import load_config, load_model_from_config

from ..pipeline.sener import SeNER
from ..statistics import checks
from ..statistics.checks import Finding, Settings
from ..statistics.corpus import CorpusStatistics, read_statistics
from .app import app
from .messages import fail, failing, msg
from .options import blank

Section = tuple[str, list[Finding]]


@app.command("debug-data")
def debug_data_cli(
    train_path: Annotated[
        Path, typer.Argument(metavar="TRAIN", exists=True, help="A .spacy file, or a folder")
    ],
    dev_path: Annotated[
        Path | None, typer.Argument(metavar="DEV", exists=True, help="Likewise; may be missing")
    ] = None,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config",
            exists=True,
            dir_okay=False,
            help="Judge by the settings of this config, not by the component's defaults",
        ),
    ] = None,
    spans_key: Annotated[
        str | None, typer.Option(help="Where the spans are in doc.spans  [default: the config's]")
    ] = None,
    span_window: Annotated[
        int | None,
        typer.Option(min=1, help="Judge by this span_window, in tokens  [default: the config's]"),
    ] = None,
    lang: Annotated[str, typer.Option(help="Whose tokenizer is used, without --config")] = "en",
) -> None:
    """Check annotated data before training. Each line is good, a warning, or a failure."""
    with failing():
        nlp = _pipeline(config_path, lang)
        settings = _settings(nlp, spans_key=spans_key, span_window=span_window)
        train = read_statistics(train_path, nlp, settings.spans_key)
        dev = read_statistics(dev_path, nlp, settings.spans_key) if dev_path else None
    findings = [finding for _, section in _printed(train, dev, settings) for finding in section]
    n_warnings = sum(finding.verdict == "warn" for finding in findings)
    n_failures = sum(finding.verdict == "fail" for finding in findings)
    msg.divider("Summary")
    if n_failures:
        fail(f"{n_failures} failure(s), {n_warnings} warning(s)")
    msg.good(f"{len(findings) - n_warnings} checks are good, {n_warnings} warning(s)")


def debug_data(
    train: CorpusStatistics, dev: CorpusStatistics | None, settings: Settings
) -> Iterator[Section]:
    """What the data says about training: sections, each with its findings."""
    yield "Documents", list(checks.check_documents(train, settings))
    yield "Spans", list(checks.check_presence(train))
    if train.labels:
        findings = [*checks.check_enough(train, dev), *checks.check_labels(train, dev)]
        yield "Labels", findings
        yield "Lengths of spans", list(checks.check_window(train, settings))
        yield "Ends of spans", list(checks.check_ends(train))
        yield "Overlaps of spans", list(checks.check_overlaps(train, settings))
    yield "Texts", list(checks.check_texts(train, dev))
    if dev is not None:
        yield "Dev data", list(_check_dev(dev, settings))


def _check_dev(dev: CorpusStatistics, settings: Settings) -> Iterator[Finding]:
    yield from checks.check_documents(dev, settings)
    yield from checks.check_presence(dev)
    if dev.labels:
        yield from checks.check_dev_window(dev, settings)
        yield from checks.check_ends(dev)


def _printed(
    train: CorpusStatistics, dev: CorpusStatistics | None, settings: Settings
) -> Iterator[Section]:
    """The sections, each printed as it comes."""
    for title, findings in debug_data(train, dev, settings):
        msg.divider(title)
        if title == "Labels":
            _print_labels(train, dev, settings)
        for finding in findings:
            getattr(msg, finding.verdict)(finding.text)
        yield title, findings


def _print_labels(
    train: CorpusStatistics, dev: CorpusStatistics | None, settings: Settings
) -> None:
    limit = settings.reach + 1
    rows = [
        (
            label,
            lengths.total(),
            dev.labels[label].total() if dev and label in dev.labels else 0 if dev else "-",
            lengths.reaching(0.5),
            lengths.reaching(0.9),
            lengths.longest,
            lengths.n_over(limit),
        )
        for label, lengths in sorted(train.labels.items(), key=lambda item: -item[1].total())
    ]
    header = ("Label", "Train", "Dev", "Median", "90 %", "Longest", "Too long")
    msg.table(rows, header=header, divider=True, aligns=("l", *"rrrrrr"))


def _pipeline(config_path: Path | None, lang: str) -> Language:
    if config_path is None:
        nlp = blank(lang)
        nlp.add_pipe("sener")
        return nlp
    nlp = load_model_from_config(load_config(config_path), auto_fill=True)
    nlp.max_length = sys.maxsize  # as that of `blank`: documents are only tokenized
    return nlp


def _settings(nlp: Language, *, spans_key: str | None, span_window: int | None) -> Settings:
    """Of the pipeline's first `sener`. Raises ValueError if it has none."""
    for _, component in nlp.pipeline:
        if isinstance(component, SeNER):
            attrs = component.model.attrs
            window = span_window or attrs["span_window"]
            beyond = attrs["reach"] if attrs["reach"] > attrs["span_window"] else 0
            return Settings(
                spans_key=spans_key or component.key,
                span_window=window,
                reach=max(window, beyond),
                max_pieces=attrs["max_pieces"],
                overlap=component.cfg["overlap"],
                labels_per_span=component.cfg["labels_per_span"],
            )
    raise ValueError(f"The config's pipeline has no component 'sener': {nlp.pipe_names}")
