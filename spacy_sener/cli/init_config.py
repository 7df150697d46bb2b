"""`python -m spacy sener init-config`: a config for a corpus, with reasons."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.util import dot_to_object, load_config_from_str, load_model_from_config
from thinc.api import Config

from ..corpora.files import check_file, create_text
from ..evaluation.predictions import require_spans
from ..printable import printable
from ..sources import DEFAULT_SOURCE
from ..statistics.advice import Advisor, Choice, Encoder
from ..statistics.corpus import CorpusStatistics, read_statistics
from .app import app
from .messages import failing, msg
from .options import Lang, blank, split_labels

GPU_SOURCE = "microsoft/deberta-v3-base"
KEY = re.compile(r"[^:=#\s]+")  # of spans, as configs can name settings after it

# What no corpus changes. The rest are `Choice`s, and spaCy's and the component's defaults.
BASE = """
[paths]
train = null
dev = null

[vars]
encoder = null

[system]
gpu_allocator = null

[nlp]
lang = null
pipeline = ["sener"]

[components]

[components.sener]
factory = "sener"

[components.sener.model]
@architectures = "spacy-sener.SeNER.v1"

[components.sener.model.encoder]
@architectures = "spacy-sener.ArrowEncoder.v1"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
patience = 0

[training.batcher]
@batchers = "spacy.batch_by_words.v1"
discard_oversize = false

[training.optimizer]
@optimizers = "spacy-sener.AdamW.v1"

[training.logger]
@loggers = "spacy.ConsoleLogger.v1"
progress_bar = true

[training.score_weights]

[initialize]

[initialize.components]

[initialize.components.sener]
encoder = ${vars.encoder}
"""


@app.command("init-config")
def init_config_cli(
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="A .cfg file, or - to print")],
    corpus: Annotated[
        Path, typer.Option(exists=True, help="Training data: a .spacy file, or a folder")
    ],
    dev: Annotated[
        Path | None, typer.Option(exists=True, help="Data to evaluate on while training")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="a,b,c: all of the corpus, in this order  [default: its own]")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="A hub name, a folder or package:NAME  "
            f"[default: {DEFAULT_SOURCE}, or {GPU_SOURCE} on a GPU; -large finds more]"
        ),
    ] = None,
    gpu: Annotated[bool, typer.Option("--gpu/--cpu", help="What training will run on")] = False,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Updates to train for  [default: as the corpus needs]")
    ] = None,
    spans_key: Annotated[str, typer.Option(help="Where the spans are in doc.spans")] = "sc",
    lang: Lang = "en",
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT")] = False,
) -> None:
    """Write a config that trains on a corpus, with settings that suit it, and say why."""
    is_stdout = str(output_path) == "-"
    with failing():
        if not is_stdout:
            check_output(output_path, force=force)
        check_key(spans_key)
        names = None if labels is None else split_labels(labels)
        statistics = read_statistics(corpus, blank(lang), spans_key)
        check_labels(statistics, names)
        if dev is not None:
            require_spans(dev, spans_key)
        source = encoder or (GPU_SOURCE if gpu else DEFAULT_SOURCE)
        looked_at = Encoder.look_at(source, statistics.words)
        choices = list(Advisor(statistics, looked_at, gpu, max_steps).choices())
        config = init_config(
            choices,
            paths={"train": corpus, "dev": dev},
            encoder=source,
            lang=lang,
            spans_key=spans_key,
            labels=names,
            gpu=gpu,
        )
        text = _header(statistics, corpus, choices) + config.to_str(interpolate=False) + "\n"
        check_written(
            text,
            {
                "paths.train": str(corpus),
                "paths.dev": None if dev is None else str(dev),
                "vars.encoder": source,
                "components.sener.spans_key": spans_key,
                **({} if names is None else {"initialize.components.sener.labels": names}),
            },
        )
        if is_stdout:
            print(text)
            return
        print("\n".join(_wrapped(line, "") for line in _reasons(choices)))
        with create_text(output_path) as file:
            file.write(text)
    msg.good(f"Wrote {output_path}. Train with it:")
    dev_option = "" if dev else " --paths.dev DEV.spacy"
    print(f"python -m spacy train {output_path} --output out{dev_option}{' --gpu-id 0' * gpu}")


def check_output(path: Path, *, force: bool) -> None:
    """Raise OSError, before the work, where the file cannot be written, or is there already."""
    check_file(path)
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists. Give --force to overwrite it.")


def check_key(spans_key: str) -> None:
    """Raise ValueError for a key that [training.score_weights] cannot name settings after."""
    if not KEY.fullmatch(spans_key):
        raise ValueError(
            f"--spans-key should be without ':', '=', '#' and spaces, and is {spans_key!r}: "
            "settings are named after it, in [training.score_weights]."
        )


def check_labels(corpus: CorpusStatistics, labels: Sequence[str] | None) -> None:
    """Raise ValueError if the corpus has no spans, or other labels than those."""
    found = set(corpus.labels)
    if not found:
        others = ", ".join(f"'{key}'" for key in sorted(corpus.other_keys))
        raise ValueError(
            f"The corpus has no spans in doc.spans['{corpus.spans_key}']. Keys that have some: "
            + (f"{others}; name it with --spans-key." if others else "none.")
            + " `python -m spacy sener debug-data` says more."
        )
    if labels is None:
        return
    if missing := sorted(set(labels) - found):
        raise ValueError(f"No span has the label(s) {missing}. The corpus has {sorted(found)}.")
    if others_found := sorted(found - set(labels)):
        raise ValueError(
            f"The corpus also has the label(s) {others_found}. Name them, too, or take them out of "
            "the data: training stops at a label that it does not know. (One with a comma cannot "
            "be named here: leave --labels out.)"
        )


def check_written(text: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError where training would read another value than what was to be written.

    Configs give some characters a meaning of their own ($ above all), and none takes it away.
    """
    config = load_config_from_str(text).interpolate()
    for name, value in settings.items():
        read = dot_to_object(config, name)
        if read != value:
            raise ValueError(
                f"{name} cannot be {value!r}: a config has no way to write it, and would say "
                f"{read!r}. Take another name, or leave --labels out if it is a label: training "
                "reads those of the corpus."
            )


def init_config(
    choices: Iterable[Choice],
    *,
    paths: dict[str, Path | None],
    encoder: str,
    lang: str,
    spans_key: str,
    labels: Sequence[str] | None,
    gpu: bool,
) -> Config:
    """A config with every default filled in, checked as a whole."""
    config = Config().from_str(BASE, interpolate=False)
    config["paths"] = {name: None if path is None else str(path) for name, path in paths.items()}
    config["vars"]["encoder"] = encoder
    config["nlp"]["lang"] = lang
    config["system"]["gpu_allocator"] = "pytorch" if gpu else None
    config["components"]["sener"]["spans_key"] = spans_key
    config["training"]["score_weights"] = _score_weights(spans_key)
    if labels is not None:
        config["initialize"]["components"]["sener"]["labels"] = list(labels)
    for choice in choices:
        _set(config, choice.setting.split("."), choice.value)
    filled = load_model_from_config(config, auto_fill=True, validate=False).config
    return load_model_from_config(filled).config


def _score_weights(spans_key: str) -> dict[str, float | None]:
    """The best state is that of the best F. The default key's scores are not looked for."""
    weights: dict[str, float | None] = dict.fromkeys(("spans_sc_f", "spans_sc_p", "spans_sc_r"))
    own = {f"spans_{spans_key}_f": 1.0, f"spans_{spans_key}_p": 0.0, f"spans_{spans_key}_r": 0.0}
    return {**weights, **own}


def _set(config: Config, keys: list[str], value: Any) -> None:
    block: Any = config
    for key in keys[:-1]:
        block = block.setdefault(key, {})
    block[keys[-1]] = value


def _header(corpus: CorpusStatistics, path: Path, choices: Iterable[Choice]) -> str:
    """Comment lines: spaCy reads over them, and drops them where it writes a config again."""
    about = (
        f"Chosen for {path}: {corpus.documents.total():,} documents, "
        f"{corpus.documents.sum_of_lengths:,} tokens, {corpus.spans.total():,} spans of "
        f"{len(corpus.labels)} label(s)."
    )
    return "\n".join(_wrapped(line, "# ") for line in [about, *_reasons(choices)]) + "\n\n"


def _reasons(choices: Iterable[Choice]) -> Iterator[str]:
    """One line for all settings that stand together for one reason."""
    for reason, together in groupby(choices, key=lambda choice: choice.reason):
        settings = ", ".join(f"{x.setting} = {srsly.json_dumps(x.value)}" for x in together)
        yield f"{settings}: {reason}."


def _wrapped(line: str, prefix: str) -> str:
    return textwrap.fill(
        printable(line), 100, initial_indent=prefix, subsequent_indent=f"{prefix}    "
    )
