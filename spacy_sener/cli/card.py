"""`python -m spacy sener card`: a model card for a pipeline that is to be published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer

from ..corpora.files import written_whole
from ..evaluation.card import FILE_NAME, model_card
from ..evaluation.compare import read_reports
from .app import app
from .messages import failing, msg


@app.command("card")
def card_cli(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", exists=True, file_okay=False, help="A pipeline")
    ],
    report_path: Annotated[
        Path,
        typer.Argument(
            metavar="REPORT", exists=True, help="The pipeline's report: its folder, or report.json"
        ),
    ],
    corpus: Annotated[
        str | None, typer.Option(help="What it was trained on, and under which licence, in words")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The name given to `spacy package`, without the language")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", "-F", help="Overwrite a card that is there")
    ] = False,
) -> None:
    """Write README.md, the model card, into a pipeline's folder, from where `package` takes it."""
    with failing():
        path = card(model, report_path, corpus=corpus, name=name, force=force)
    msg.good(f"Wrote the model card to {path}")


def card(
    model: Path,
    report_path: Path,
    *,
    corpus: str | None = None,
    name: str | None = None,
    force: bool = False,
) -> Path:
    """Write the card into the pipeline's folder. Returns its path.

    Raises FileExistsError if there is one, unless `force`, and ValueError for what is no pipeline
    and for a path without exactly one report.
    """
    path = model / FILE_NAME
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already: say --force to write it anew")
    meta_path = model / "meta.json"
    if not meta_path.is_file():
        raise ValueError(f"{model} is no pipeline's folder: it has no meta.json")
    meta = srsly.read_json(meta_path)
    reports = [each for named in read_reports([report_path]).values() for each in named]
    if len(reports) != 1:
        raise ValueError(f"{report_path} holds {len(reports)} reports: name one of them")
    published = None if name is None else f"{meta['lang']}_{name}"
    try:
        text = model_card(meta, reports[0], corpus=corpus, name=published)
        reported = reports[0]["model"]
    except KeyError as error:
        raise ValueError(
            f"{report_path}, or {meta_path}, is not whole: it has no {error}"
        ) from error
    if Path(reported).resolve() != model.resolve():
        msg.warn(f"The report is of {reported!r}: is that this pipeline?")
    before, now = reports[0]["threshold"], _threshold(model, meta["pipeline"], reports[0])
    if None not in (before, now) and before != now:
        msg.warn(
            f"The report is of a threshold of {before:g}, and that of the pipeline is {now:g} now: "
            "make the report again, and then the card"
        )
    with written_whole(path) as part:
        part.write_text(text, encoding="utf8")
    return path


def _threshold(model: Path, components: Sequence[str], report: Mapping[str, Any]) -> float | None:
    """That of the last component that writes to the report's key, as it is saved, if it has one."""
    threshold = None
    for path in (model / name / "cfg" for name in components):
        cfg = srsly.read_json(path) if path.is_file() else None
        if isinstance(cfg, dict) and cfg.get("spans_key") == report["spans_key"]:
            threshold = cfg.get("threshold")
    return threshold
