"""`spacy sener init-config`, for the device that the pipeline will be trained on."""

import sys

from weasel.util import run_command


def main(gpu_id: str, *options: str) -> None:
    """Choose settings for a GPU where its number is given, and for the CPU where it is -1."""
    device = "--gpu" if int(gpu_id) >= 0 else "--cpu"
    run_command([sys.executable, "-m", "spacy", "sener", "init-config", *options, device])


if __name__ == "__main__":
    main(*sys.argv[1:])
