"""One broken file for each rule that a file of calendars can break, and exactly what is said of it."""

from pathlib import Path

import pytest

from collector.calendars.load import load
from tests.broken_files import cases, check_pairs, refusal, wanted

FOLDER = Path(__file__).parent / "broken"


@pytest.mark.parametrize("name", cases(FOLDER))
def test_each_mistake_has_its_message(name: str) -> None:
    """Each rule gives exactly its message, with file, line and path, all of a file at once."""
    assert refusal(load, FOLDER, name) == wanted(FOLDER, name)


def test_every_broken_file_has_its_message() -> None:
    """No file is there for a rule that is not there any more, or the other way round."""
    check_pairs(FOLDER, 25)
