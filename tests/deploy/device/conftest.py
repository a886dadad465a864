"""Fixtures of the tests of devices."""

from pathlib import Path

import pytest

from tests.deploy.device.material import Place, pip_wheel


@pytest.fixture(scope="session")
def pip_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of pip."""
    return pip_wheel(tmp_path_factory.mktemp("pip"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a device without a release."""
    return Place(tmp_path / "device")


@pytest.fixture
def two(place: Place) -> Place:
    """Return a device that runs release 1.0 and has 2.0 as well."""
    place.put("1.0")
    place.put("2.0")
    place.does("use", "1.0")
    return place
