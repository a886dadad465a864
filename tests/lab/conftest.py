"""
Fixtures of tests in the lab; they need root, and the Debian packages that `make test-lab` installs.

Meanwhile the Debian trees and a release are built, which guest and hosts need. Side by side (`-n 2`) the
guest's tests are one worker's from the start, and those of an estate the other's; one after the other, tests in
namespaces come first.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.lab import bundle, factory, tree
from tests.lab.background import LabError
from tests.lab.debian import WORK, Build
from tests.lab.estate import Estate
from tests.lab.guest_machine import Guest
from tests.lab.hosts import Hosts, with_product
from tests.lab.namespaces import Lab
from tests.lab.school import School
from tests.lab.wifi import Wifi

_BUILDS = pytest.StashKey[dict[str, Build]]()
_BUILT = {"tree": "tests.lab.tree", "factory": "tests.lab.factory", "release": "tests.lab.bundle"}  # fixture, module


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that need the tree at the end, and start to build it when there are any."""
    wanted = {item: _BUILT.keys() & item.fixturenames for item in items if isinstance(item, pytest.Function)}
    needy = {item for item, names in wanted.items() if names}
    beside = hasattr(config, "workerinput")
    items.sort(key=lambda item: _rank(item.nodeid, item in needy) if beside else item in needy)
    if not config.option.collectonly:
        config.stash[_BUILDS] = {name: Build(_BUILT[name], WORK) for name in sorted(set().union(*wanted.values()))}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no build behind that still runs."""
    for build in session.config.stash.get(_BUILDS, {}).values():
        with suppress(LabError):
            build.wait()


def _rank(nodeid: str, needy: bool) -> int:
    """Return what comes first side by side: what takes longest."""
    return 0 if _is_guests(nodeid) else 1 if _is_estates(nodeid) else 2 + needy


def _is_guests(nodeid: str) -> bool:
    return _file(nodeid).endswith("_wifi")


def _is_estates(nodeid: str) -> bool:
    """Tell whether a test is of a file that shares the estate."""
    return _file(nodeid) in {"test_estate", "test_site"} or _file(nodeid).startswith("test_rollout")


def _alone(nodeid: str) -> str:
    """Return the scope of all others: each for itself, but those whose file has an estate of its own."""
    return _file(nodeid) if _file(nodeid).startswith("test_site_") else nodeid


def _file(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem


class GuestBeside(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives all tests of the guest, and those of an estate, to one worker each, every other to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return "guest" if _is_guests(nodeid) else "estate" if _is_estates(nodeid) else _alone(nodeid)


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


@pytest.fixture(scope="session", name="tree")
def built_tree(request: pytest.FixtureRequest) -> tree.Tree:
    """Give the Debian tree of guest and hosts."""
    request.config.stash[_BUILDS]["tree"].wait()
    return tree.build()


@pytest.fixture(scope="session", name="factory")
def built_factory(request: pytest.FixtureRequest) -> factory.Factory:
    """Give the Debian of hosts that Ansible manages, and its package repository."""
    request.config.stash[_BUILDS]["factory"].wait()
    return factory.build()


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest) -> Path:
    """Give the archive of a release made of the working folder as it stands."""
    request.config.stash[_BUILDS]["release"].wait()
    return bundle.archive()


@pytest.fixture(scope="session")
def estate(factory: factory.Factory, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Give a centre from the factory that is the control node, for all tests of one; agents when asked for."""
    folder = tmp_path_factory.mktemp("estate")
    with Lab(folder / "lab") as made, Estate(factory, made, folder / "estate") as estate:
        estate.control(release)
        yield estate


@pytest.fixture(scope="session")
def booted_wifi(tree: tree.Tree, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wifi]:
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
def hosts(tree: tree.Tree, lab: Lab, tmp_path: Path) -> Iterator[Hosts]:
    """Give hosts with systemd on the switch of `lab`."""
    with Hosts(with_product(tree), lab, tmp_path / "hosts") as made:
        yield made
