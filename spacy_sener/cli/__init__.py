"""Commands of `python -m spacy sener`: one module each, added to `app` where it is imported."""

from . import (  # noqa: F401 (each adds its commands to app)
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

__all__ = ["app"]
