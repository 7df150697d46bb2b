"""`spacy sener init-config`, for the device that the pipeline will be trained on."""

import sys
from pathlib import Path

from wasabi import msg
from weasel.util import get_checksum, run_command


def main(gpu_id: str, config: str, *options: str) -> None:
    """Choose settings for a GPU where its number is given, and for the CPU where it is -1.

    Weasel comes here whenever the config is not what it was, so what was made is kept in mind
    beside it: settings that were changed by hand are not to be lost.
    """
    path, mark = Path(config), Path(f"{config}.checksum")
    if path.exists() and not (mark.exists() and mark.read_text("utf8") == get_checksum(path)):
        msg.fail(
            f"{config} was changed by hand, and would be written anew",
            "Delete it, or move it away, and give settings of your own with --vars.train_options "
            '" --components.sener.threshold 0.3"',
            exits=1,
        )
    device = "--gpu" if int(gpu_id) >= 0 else "--cpu"
    command = [sys.executable, "-m", "spacy", "sener", "init-config", config, *options, device]
    try:
        run_command(command)
    finally:  # Ctrl-C may come when the config is written already
        if path.exists():
            mark.write_text(get_checksum(path), encoding="utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
