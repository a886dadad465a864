"""A page that stays open: for how long whoever was let in is still let in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.access.gate import COOKIE, Asked, Gate
from collector.access.listener import Listener, listener_of
from collector.access.passwords import hashed
from collector.access.types import Role, Who
from collector.access.users import User, Users, added, removed, scoped, with_password
from tests.collector.web import HOST, basic

PASSWORD = "correct horse battery"  # noqa: S105
KEPT = hashed(PASSWORD)
LI = Who("li", Role.COUNTY, "441802")
ELSEWHERE = Listener("0.0.0.0")  # noqa: S104  as it says of itself; nothing listens here
LATER = "2026-03-02T08:00:00+00:00"


class Clock:
    """A clock that tests put forward."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class House:
    """A gate with one user, who asks with a cookie."""

    def __init__(self, data: Path) -> None:
        self.users, self.clock = Users(data), Clock()
        self.users.change(added(User(LI, KEPT)))
        self.gate = Gate(data, ELSEWHERE, self.clock, self.clock)
        login = self.gate.login(LI.name, PASSWORD, asked())
        self.mine = asked(Cookie=f"{COOKIE}={login.cookie}")
        self.found = self.gate.find(self.mine)
        assert self.found.who == LI


def asked(**headers: str) -> Asked:
    """Return a request from another machine."""
    return Asked("192.0.2.9", "http", {name.lower(): text for name, text in headers.items()})


CHANGES: dict[str, Callable[[House], None]] = {
    "logout": lambda house: house.gate.logout(house.mine),
    "password": lambda house: house.users.change(with_password(LI.name, hashed("another horse battery"), LATER)),
    "scope": lambda house: house.users.change(scoped(Who(LI.name, Role.COUNTY, "441803"), LATER)),
    "role": lambda house: house.users.change(scoped(Who(LI.name, Role.VIEWER, "441802"), LATER)),
    "removed": lambda house: house.users.change(removed(LI.name)),
    "hours": lambda house: setattr(house.clock, "now", house.clock.now + 12 * 3600 + 1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_session_holds_until_something_of_it_is_another(tmp_path: Path, what: str) -> None:
    """It holds for hours; not after a logout, another password, role or scope, a removal, or the end of its time."""
    house = House(tmp_path)
    house.clock.now += 3600
    assert house.gate.holds(house.found, house.mine)
    CHANGES[what](house)
    assert not house.gate.holds(house.found, house.mine)


def test_who_comes_by_password_or_proxy_holds_while_the_user_is_the_same(tmp_path: Path) -> None:
    """Without a session it is the user who counts: gone or changed, the page is closed."""
    users = Users(tmp_path)
    users.change(added(User(LI, KEPT)))
    behind = listener_of("0.0.0.0:8080", [HOST], "X-Remote-User")
    proxy = Gate(tmp_path, behind)
    named = Asked(HOST, "http", {"x-remote-user": LI.name})
    gate, typed = Gate(tmp_path, ELSEWHERE), asked(**basic(LI.name, PASSWORD))
    both = [(proxy, proxy.find(named), named), (gate, gate.find(typed), typed)]
    assert all(one.holds(found, request) for one, found, request in both)
    users.change(with_password(LI.name, hashed("another horse battery"), LATER))
    assert [one.holds(found, request) for one, found, request in both] == [True, False], "the proxy asks for its own"
    users.change(scoped(Who(LI.name, Role.VIEWER, "441802"), LATER))
    assert not any(one.holds(found, request) for one, found, request in both)


def test_on_this_machine_nobody_has_to_leave(tmp_path: Path) -> None:
    """The operator of this machine is let in for good; nobody is nobody."""
    gate = Gate(tmp_path, Listener())
    here = Asked(HOST, "http", {"host": "127.0.0.1:8080"})
    assert gate.holds(gate.find(here), here)
    away = Asked("192.0.2.9", "http", {"host": "127.0.0.1:8080"})
    assert not gate.holds(gate.find(away), away)
