"""Pretrained encoders from a local folder or from the Hugging Face hub."""

import contextlib
import pickle
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from .families import family_of

CONFIG_FILE = "config.json"
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
MOST_POSITIONS = 1 << 24
"""Of 8 bytes each. No encoder has a tenth of that."""
LONGEST_CAUSE = 500
"""Characters of what a library says of an error."""
LOADING_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    pickle.UnpicklingError,
    safetensors.SafetensorError,
)


def load_config(source: str | Path) -> PretrainedConfig:
    """Read an encoder's config.

    Args:
        source: a folder, or a name on the Hugging Face hub.

    Raises:
        FileNotFoundError: there is no such folder or name, or no config in it.
        ValueError: the config can't be read, or its family is not supported.
    """
    _check_folder(source, (CONFIG_FILE,), "config")
    with _errors_named(source, f"config ({CONFIG_FILE})"):
        config = AutoConfig.from_pretrained(str(source), trust_remote_code=False)
    family_of(config)
    return config


def load_model(source: str | Path, config: PretrainedConfig) -> PreTrainedModel:
    """Load an encoder's weights, in float32 and in eval mode.

    Safetensors are preferred; a .bin is read as plain tensors (`weights_only`), which runs no
    code. No code that comes with a model is ever run.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        config: from `load_config`, which may have been changed.

    Raises:
        FileNotFoundError: no weight file was found.
        ValueError: the file is damaged, or lacks weights that the encoder needs.
    """
    _check_folder(source, WEIGHT_FILES, "weights")
    _check_positions(config)
    with _errors_named(source, f"weights ({', '.join(WEIGHT_FILES)})"), _quiet():
        model, info = AutoModel.from_pretrained(
            str(source),
            config=config,
            attn_implementation="eager",  # the only one that all families build without a check
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
            **_without_pooler(config),
        )
    missing = sorted(info["missing_keys"])
    if missing:
        raise ValueError(
            f"the weights of encoder '{source}' lack {len(missing)} of the tensors that a "
            f"'{config.model_type}' needs, the first of them '{missing[0]}'; are they of another "
            "model than the config beside them?"
        )
    return model.float()


def build_model(config: PretrainedConfig) -> PreTrainedModel:
    """A model of the config's shape with random weights, in float32.

    Raises ValueError for a config of more positions than any text has.
    """
    _check_positions(config)
    options = _without_pooler(config)
    return AutoModel.from_config(config, attn_implementation="eager", **options).float()


def _without_pooler(config: PretrainedConfig) -> dict[str, Any]:
    return {"add_pooling_layer": False} if family_of(config).has_pooler else {}


def _check_positions(config: PretrainedConfig) -> None:
    """Models make a list of them, which is no weight, so that the weights do not bound its size."""
    n_positions = getattr(config, "max_position_embeddings", None)
    if n_positions is not None and not 0 < n_positions <= MOST_POSITIONS:
        raise ValueError(
            f"the encoder's config has max_position_embeddings = {n_positions}: it must be a "
            f"number from 1 to {MOST_POSITIONS}"
        )


def _check_folder(source: str | Path, names: tuple[str, ...], what: str) -> None:
    """Names on the hub pass; of a folder, any one of the files must be there."""
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).is_file() for name in names):
        raise FileNotFoundError(
            f"the folder '{source}' holds no {what} of an encoder: looked for {', '.join(names)}"
        )


@contextlib.contextmanager
def _errors_named(source: str | Path, what: str) -> Iterator[None]:
    """Turn the many errors of loading into two that name the source."""
    is_folder = Path(source).is_dir()
    try:
        yield
    except LOADING_ERRORS as error:
        # transformers says what is wrong first, and may then list all models that it knows
        cause = textwrap.shorten(str(error), LONGEST_CAUSE, placeholder=" ...")
        if is_folder:
            raise ValueError(f"can't read the {what} in folder '{source}': {cause}") from error
        raise FileNotFoundError(
            f"can't load the {what} of encoder '{source}': it is no folder here, and the Hugging "
            f"Face hub did not give it: {cause}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No talk of unused weights and no progress bar: what matters is checked, and raised."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
