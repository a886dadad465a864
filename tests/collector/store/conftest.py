"""Both stores under one name: a test that takes `store` runs over SQLite and over a real influxd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.base import Store
from collector.store.open import open_store


@pytest.fixture(params=["sqlite", "influx"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/store.db"
    return str(request.getfixturevalue("influx_url"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Open and prepare an empty store."""
    opened = open_store(url)
    opened.prepare()
    yield opened
    opened.close()
