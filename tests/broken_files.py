"""Folders of broken files: one YAML for each rule, and beside it in a text exactly what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import ConfigError


def cases(folder: Path) -> list[str]:
    """Return the names of the files that are broken."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def wanted(folder: Path, name: str) -> list[str]:
    """Return the lines that are to be said of a file."""
    return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def refusal(load: Callable[[Path], object], folder: Path, name: str) -> list[str]:
    """Return the lines that are said of a file, without the name of the folder."""
    with pytest.raises(ConfigError) as error:
        load(folder / f"{name}.yaml")
    return str(error.value).replace(f"{folder}/", "").splitlines()


def check_pairs(folder: Path, least: int) -> None:
    """Find a text for each file, a file for each text, and no fewer than there were."""
    assert cases(folder) == sorted(file.stem for file in folder.glob("*.txt"))
    assert len(cases(folder)) >= least
