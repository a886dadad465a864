"""Both stores under one name, and a simulated city that is made once."""

from pathlib import Path

import pytest

from tests.collector.commands import run
from tests.collector.store.conftest import store, url

__all__ = ["city", "store", "url"]


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of a lively city, with a key."""
    folder = tmp_path_factory.mktemp("archive") / "city"
    run("simulate", "--devices", 12, "--days", 4, "--seed", 11, "--lean", "--fault-rate", 4, "--out", folder)
    run("evidence", "key", "--data", folder)
    return folder
