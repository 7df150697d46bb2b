"""Checkpoints of GLiNER by their name on the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import snapshot_download

from ..sources import expanded
from .gliner import CONFIG_FILE, WEIGHT_FILES

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "spm.model")


def gliner_folder(source: str | Path) -> Path:
    """The folder of a checkpoint; of a name on the hub, after the files it needs were downloaded.

    Raises FileNotFoundError if there is neither such a folder nor such a name.
    """
    folder = expanded(source)
    if folder.is_dir():
        return folder
    problem = (
        f"checkpoint = '{source}': there is no such folder, and the Hugging Face hub did not give "
        "it. Give the folder of a GLiNER checkpoint, or a name such as "
        "'knowledgator/gliner-multitask-large-v0.5'."
    )
    if folder.is_absolute() or str(source).count("/") != 1:
        raise FileNotFoundError(problem)
    try:
        return _download(str(source))
    except (OSError, ValueError) as error:  # no network, no such name, no such file
        raise FileNotFoundError(f"{problem} The cause: {error}") from error


def _download(name: str) -> Path:
    """The file of weights that the loader would read, and what goes with it."""
    for weights in WEIGHT_FILES:
        patterns = [CONFIG_FILE, weights, *TOKENIZER_FILES]
        folder = Path(snapshot_download(name, allow_patterns=patterns))
        if (folder / weights).is_file():
            break
    return folder
