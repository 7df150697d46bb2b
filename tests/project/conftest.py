"""The demo project's scripts are run as programs: here their folder becomes importable."""

import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2] / "project"
sys.path.insert(0, str(PROJECT / "scripts"))


@pytest.fixture(scope="session")
def project_folder() -> Path:
    return PROJECT
