"""Data that is not in the repository, and may lie beside the checkout."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_folder(name: str) -> Path:
    """A folder of private data beside the checkout; the test is skipped where it is missing."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the private folder '{name}' is not beside this checkout")
    return folder
