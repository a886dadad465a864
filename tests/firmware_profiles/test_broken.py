"""One broken file for each rule that a profile can break, and exactly what is said of it."""

from pathlib import Path

import pytest

from agent.profiles.probes import problems_of_probe
from firmware_profiles.library import SHIPPED, Library
from tests.broken_files import cases, check_pairs, wanted

FOLDER = Path(__file__).parent / "broken"


def said_of(file: Path) -> list[str]:
    """Return what is said of one file, without the names of folders."""
    flaws = Library(files=[file], probes=problems_of_probe).check([file.stem])
    return [str(flaw).replace(f"{file.parent}/", "").replace(f"{SHIPPED}/", "") for flaw in flaws]


@pytest.mark.parametrize("name", cases(FOLDER))
def test_each_mistake_has_its_message(name: str) -> None:
    """Each rule gives exactly its message, with file, line and path, and says what to do."""
    assert said_of(FOLDER / f"{name}.yaml") == wanted(FOLDER, name)


def test_every_broken_file_has_its_message() -> None:
    """No file is there for a rule that is not there any more, or the other way round."""
    check_pairs(FOLDER, 25)
