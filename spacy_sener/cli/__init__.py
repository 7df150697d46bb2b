"""Commands of `python -m spacy sener`: one module each, added to `app` where it is imported."""

from . import (
    annotate,
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
    set_threshold,
    train,
)
from .app import app

__all__ = [
    "annotate",
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
    "set_threshold",
    "train",
]
