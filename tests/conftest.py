"""Fixtures that every part of the tests shares."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from private_data import shared_folder

# Before torch is imported. Threads that spin while they wait take minutes for what takes seconds,
# where another program has a core.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

settings.register_profile("any machine", deadline=None)  # a slow one is no error
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def golden() -> Path:
    """What the authors' code answers on tiny random models: folder with case_NN.{npz,pth,json}."""
    return shared_folder("golden/sener")


@pytest.fixture(scope="session")
def golden_gliner() -> Path:
    """What gliner 0.2.29 answers on tiny random models: two checkpoint folders, inputs, answers."""
    return shared_folder("golden/gliner")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a BERT of two layers (width 32, 4 heads, 64 positions) and its tokenizer."""
    from tiny_encoders import save_tiny_bert

    return save_tiny_bert(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="session")
def tiny_deberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a DeBERTa of two layers (width 32, 4 heads, 16 buckets) and its tokenizer."""
    from tiny_encoders import save_tiny_deberta

    return save_tiny_deberta(tmp_path_factory.mktemp("encoders") / "deberta")
