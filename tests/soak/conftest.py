"""Both components in pipelines that were trained for seconds, and a table of what was counted."""

from pathlib import Path
from typing import Any

import pytest
from self_trained import make_gliner_pipeline, make_pipeline
from spacy.language import Language

MAKERS = {"sener": make_pipeline, "gliner_multitask": make_gliner_pipeline}
STEPS = {"sener": 6, "gliner_multitask": 15}
"""Of training: so few that the pipelines find many spans that they are not sure of."""


@pytest.fixture(scope="session", params=list(MAKERS))
def folder(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A saved pipeline that is half trained, of one component that finds all that it can."""
    nlp = MAKERS[request.param](tiny_encoder, steps=STEPS[request.param])
    nlp.get_pipe(request.param).cfg.update(threshold=0.2, overlap="any", labels_per_span="many")
    path = tmp_path_factory.mktemp("soak") / request.param
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="session")
def nlp(folder: Path) -> Language:
    """The same, loaded. Its documents may be anything, its settings stay."""
    import spacy

    return spacy.load(folder)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What the slow tests counted, by `record_property`: one line for each test that did."""
    if terminalreporter.config.option.markexpr != "slow":
        return
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, [])]
    counted = [r for r in reports if r.when == "call" and r.user_properties]
    if not counted:
        return
    terminalreporter.section("what was counted")
    for report in sorted(counted, key=lambda report: report.nodeid):
        numbers = ", ".join(f"{name} {value}" for name, value in report.user_properties)
        mark = "" if report.passed else "FAILED: "
        where = report.nodeid.removeprefix("tests/")
        terminalreporter.write_line(f"{mark}{where} ({report.duration:.0f} s): {numbers}")
