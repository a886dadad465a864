"""Fixtures of tests in the lab; they need root, and the Debian packages that `make test-lab` installs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.namespaces import Lab
from tests.lab.school import School


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Give an empty switch to plug machines into."""
    with Lab(tmp_path / "lab") as made:
        yield made


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    """Give a school's network with a gateway and a piece of the Internet behind it."""
    with School(tmp_path / "school") as made:
        yield made
