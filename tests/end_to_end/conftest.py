"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def parts() -> Iterator[ExitStack]:
    """Collect what must end when the test ends, however it ends."""
    with ExitStack() as stack:
        yield stack
