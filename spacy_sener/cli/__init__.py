"""Commands of `python -m spacy sener`: one module each, added to `app` where it is imported."""

from . import convert, import_checkpoint
from .app import app

__all__ = ["app", "convert", "import_checkpoint"]
