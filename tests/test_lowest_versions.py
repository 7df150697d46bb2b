"""What `make test-lowest` installs is what setup.cfg allows, and no later."""

from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def test_every_requirement_is_pinned_to_its_lowest_version() -> None:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf8")
    lines = (ROOT / "constraints-lowest.txt").read_text("utf8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    requirements = map(Requirement, setup["options"]["install_requires"].split())
    for requirement in requirements:
        (lowest,) = (one.version for one in requirement.specifier if one.operator == ">=")
        pin = pins[requirement.name]
        assert pin in requirement.specifier
        # 3.8.2 is of 3.8, whose earlier releases are withdrawn.
        precision = len(Version(lowest).release)
        assert Version(pin).release[:precision] == Version(lowest).release, requirement
