"""Fixtures that every part of the tests shares."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_folder(name: str) -> Path:
    """A folder of private data beside the checkout; the test is skipped where it is missing."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the private folder '{name}' is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """What the authors' code answers on tiny random models: folder with case_NN.{npz,pth,json}."""
    return shared_folder("golden/sener")
