"""The machine and the software that numbers were measured with."""

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import memory
from benchmarks.measure import ROOT, environment

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
PACKAGES = ("torch", "transformers", "peft", "spacy", "gliner", "spacy-sener")


def describe(threads: int, device: str = "cpu") -> dict[str, str]:
    """What a reader must know to judge a number."""
    cpu = _cpu()
    facts = {
        "CPU": f"{cpu['model name']}, {cpu['cores']} cores",
        "CPU flags": " ".join(flag for flag in FLAGS if flag in cpu["flags"].split()),
        "memory": f"{memory.total() / 1e9:.1f} GB",
        "threads": str(threads),
        "OMP_WAIT_POLICY": environment(threads)["OMP_WAIT_POLICY"],
        "Python": platform.python_version(),
        **{name: installed for name in PACKAGES if (installed := _version(name))},
        "code": revision() or "of no checkout",
    }
    if device == "cuda":
        import torch

        facts["GPU"] = torch.cuda.get_device_name()
    return facts


def revision() -> str | None:
    """What git calls the code that runs; None outside of a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603 (fixed arguments, and no shell)
        [git, "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,  # it fails outside of a checkout
    )
    return done.stdout.strip() or None


def dtypes() -> list[str]:
    """Those worth measuring: bfloat16 where the processor multiplies matrices in it."""
    has_bfloat16 = {"amx_bf16", "avx512_bf16"} & set(_cpu()["flags"].split())
    return ["float32", "bfloat16"] if has_bfloat16 else ["float32"]


def _cpu() -> dict[str, str]:
    """Facts of the first core, and how many there are."""
    text = Path("/proc/cpuinfo").read_text()
    pairs = [line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line]
    facts = {key.strip(): value.strip() for key, value in pairs}
    return {"model name": platform.machine(), "flags": ""} | facts | {"cores": _cores(text)}


def _cores(cpuinfo: str) -> str:
    return str(sum(line.startswith("processor") for line in cpuinfo.splitlines()))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
