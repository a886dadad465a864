"""
Fixtures of tests in the lab; they need root, and the Debian packages that `make test-lab` installs.

Meanwhile the Debian tree is built, which guest and hosts need. Side by side (`-n 2`) the guest's tests are one worker's
from the start, and all others the other's; one after the other, tests in namespaces come first.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lab import tree as debian
from tests.lab.background import LabError
from tests.lab.guest_machine import Guest
from tests.lab.hosts import Hosts
from tests.lab.namespaces import Lab
from tests.lab.school import School
from tests.lab.tree import Build, Tree
from tests.lab.wifi import Wifi

_BUILD = pytest.StashKey[Build]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that need the tree at the end, and start to build it when there are any."""
    needy = {item for item in items if isinstance(item, pytest.Function) and "tree" in item.fixturenames}
    beside = hasattr(config, "workerinput")
    items.sort(key=lambda item: not _is_guests(item.nodeid) and 1 + (item in needy) if beside else item in needy)
    if needy and not config.option.collectonly:
        config.stash[_BUILD] = Build(debian.WORK)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no build behind that still runs."""
    if build := session.config.stash.get(_BUILD, None):
        with suppress(LabError):
            build.wait()


def _is_guests(nodeid: str) -> bool:
    return nodeid.partition("::")[0].endswith("_wifi.py")


class GuestBeside(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives all tests of the guest to one worker, which boots it, and every other test to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return "guest" if _is_guests(nodeid) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> GuestBeside:
    """Schedule tests that run side by side."""
    return GuestBeside(config, log)


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


@pytest.fixture(scope="session")
def tree(request: pytest.FixtureRequest) -> Tree:
    """Give the Debian tree of guest and hosts."""
    return request.config.stash[_BUILD].wait()


@pytest.fixture(scope="session")
def booted_wifi(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wifi]:
    """Boot the guest with its access points, once."""
    folder = tmp_path_factory.mktemp("guest")
    with Guest(tree, folder / "share") as guest:
        yield Wifi(guest, folder / "share/wifi")


@pytest.fixture
def wifi(booted_wifi: Wifi) -> Wifi:
    """Give the guest with two access points that work and a client that has not joined; any test may spoil them."""
    booted_wifi.restore()
    return booted_wifi


@pytest.fixture
def hosts(tree: Tree, lab: Lab, tmp_path: Path) -> Iterator[Hosts]:
    """Give hosts with systemd on the switch of `lab`."""
    with Hosts(tree, lab, tmp_path / "hosts") as made:
        yield made
