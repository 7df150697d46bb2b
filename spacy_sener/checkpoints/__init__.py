"""Published checkpoints to modules of this package."""

from .gliner import GLiNERConfig, load_gliner_checkpoint, read_gliner_config
from .hub import gliner_folder
from .sener import load_sener_checkpoint

__all__ = [
    "GLiNERConfig",
    "gliner_folder",
    "load_gliner_checkpoint",
    "load_sener_checkpoint",
    "read_gliner_config",
]
