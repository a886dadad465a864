"""Both stores under one name, as for the stores themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.base import Store
from collector.store.open import open_store


@pytest.fixture(params=["sqlite", "influx"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Open and prepare an empty store: SQLite, and a real influxd."""
    url = f"sqlite://{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("influx_url")
    opened = open_store(str(url))
    opened.prepare()
    yield opened
    opened.close()
