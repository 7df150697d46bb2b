"""The project's scripts are run as programs: here their folder becomes importable."""

import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2] / "project"
# The scripts, and the helpers beside this file.
sys.path[:0] = [str(PROJECT / "scripts"), str(Path(__file__).parent)]


@pytest.fixture(scope="session")
def project_folder() -> Path:
    return PROJECT
