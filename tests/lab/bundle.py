"""
The release bundle as a technician gets it, made of the working folder by `python -m deploy.release` and kept.

    WORK/release/<digest>/santong-<version>.tar.gz     for devices like this machine

    python -m tests.lab.bundle     makes what is missing
"""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from contract import __version__
from deploy.release.bundle import make
from tests.lab.background import ROOT
from tests.lab.debian import WORK, kept, noted

SOURCES = ("agent", "collector", "contract", "deploy", "docs", "firmware_profiles", "simulator")
FILES = ("pyproject.toml", "constraints.txt", "README.md", "tests/lab/bundle.py")


def archive(version: str = "") -> Path:
    """Return the bundle's archive, made if need be; of another version than the sources' to try upgrades."""
    version = version or __version__
    work = WORK / "release" / ("" if version == __version__ else version)

    def build(folder: Path) -> None:
        with noted(f"release {version}"):
            make(folder, [platform.machine()], version)

    return kept(work, _parts(), build) / f"santong-{version}.tar.gz"


def _parts() -> Iterator[bytes]:
    """Yield what a bundle is made of: names and content."""
    found = [file for source in SOURCES for file in (ROOT / source).rglob("*") if file.is_file()]
    for file in sorted([*found, *(ROOT / name for name in FILES)]):
        if "__pycache__" not in file.parts:
            yield str(file.relative_to(ROOT)).encode()
            yield file.read_bytes()


def main(arguments: Sequence[str] = ()) -> None:
    """Make what is missing and print where it is."""
    print(archive())


if __name__ == "__main__":
    main()
