"""Commands of `python -m spacy sener`: one module each, added to `app` where it is imported."""

from . import (
    card,
    compare,
    convert,
    debug_data,
    export,
    import_checkpoint,
    import_gliner,
    init_config,
    render,
    report,
    self_train,
    train,
)
from .app import app

__all__ = [
    "app",
    "card",
    "compare",
    "convert",
    "debug_data",
    "export",
    "import_checkpoint",
    "import_gliner",
    "init_config",
    "render",
    "report",
    "self_train",
    "train",
]
