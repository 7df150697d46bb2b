"""Fixtures that the tests of components share."""

from pathlib import Path

import pytest
from spacy.language import Language

from spacy_sener.pipeline.imported_gliner import pipeline_from_gliner


@pytest.fixture(scope="session")
def published(golden_gliner: Path) -> Language:
    """A tiny checkpoint of gliner, of 256 pieces, that marks something whatever it is asked."""
    return pipeline_from_gliner(golden_gliner / "tiny_a")


@pytest.fixture(scope="session")
def taught(tiny_encoder: Path) -> Language:
    """One that knows the answers to what `taught_gliner` asks, of every task."""
    from taught_gliner import taught_pipeline

    return taught_pipeline(tiny_encoder)
