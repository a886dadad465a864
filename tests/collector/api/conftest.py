"""
A simulated city of two days, in both stores, as everything that the API shows: verified, closed, disputed, refused.

Everything is made by the commands that people type; only what watch would say is written here.
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.access.gate import Gate
from collector.access.listener import Listener
from collector.access.passwords import hashed
from collector.access.types import Role, Who
from collector.access.users import User, Users, added
from collector.api.centre import Missing
from collector.calendars.zone import day_window
from collector.centre import LiveCentre
from collector.quarantine import Entry, Quarantine
from collector.roster.schema import Roster
from collector.roster.versions import Versions
from collector.serving import application
from collector.store.open import open_store
from collector.watch.types import Incident, Note, Now, State
from contract.names import county_of, site_of
from tests.collector.commands import run
from tests.collector.verification.world import ZONE
from tests.collector.web import page_of
from tests.services import Influxd

LAST_OF_MONTH = datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)
FIRST = LAST_OF_MONTH.replace(day=1)
MONDAY = FIRST + timedelta(days=-FIRST.weekday() % 7)
TUESDAY = MONDAY + timedelta(days=1)
MONTH, CLOSED = f"{FIRST:%Y-%m}", f"ST-{FIRST:%Y-%m}"
NOW_NS = day_window(TUESDAY, ZONE).end_ns  # of the pages: when the evidence ends
PASSWORD = "correct horse battery"  # noqa: S105
KEPT = hashed(PASSWORD)
ELSEWHERE = Listener("0.0.0.0")  # noqa: S104  as it says of itself; these tests listen on 127.0.0.1 alone


class City(NamedTuple):
    """The data folder, the roster, and somebody of each role and scope."""

    data: Path
    roster: Roster
    people: Mapping[str, Who]

    @property
    def counties(self) -> list[str]:
        """The codes of its counties."""
        return sorted({site.county for site in self.roster.sites.values()})


class Served(NamedTuple):
    """The city's pages: their URL, and what answers them."""

    url: str
    city: City
    centre: LiveCentre


class WatchedCentre(LiveCentre):
    """The centre, with what watch would say: one device of four fails; an operator's cut in all counties."""

    def now(self) -> Mapping[str, Now]:
        """Return a state of each device."""
        states = list(State)
        devices = sorted(self.places())
        return {
            device: Now(device, states[number % len(states)], NOW_NS - 10**10, "wan_down", str(number % 3 or ""))
            for number, device in enumerate(devices)
        }

    def incidents(self, since_ns: int | None, *, open_only: bool) -> Sequence[Incident]:
        """Return one incident of the whole city, one of each county's site, one of the centre."""
        devices = tuple(sorted(self.places()))
        found = [
            Incident("1", NOW_NS - 10**12, None, "operator", "", "", "示例电信", devices, "wan_down", 90, "somebody"),
            Incident("2", NOW_NS - 10**13, NOW_NS, "centre", "", "", "", (), "store", 3, "", (Note(NOW_NS, "a", "b"),)),
        ]
        for number, site in enumerate(sorted({site_of(device) for device in devices}), start=3):
            some = tuple(device for device in devices if site_of(device) == site)
            opened = NOW_NS - number * 10**10
            found.append(Incident(str(number), opened, None, "site", county_of(site), site, "", some, "wan_down", 5))
        return [one for one in found if one.opened_ns >= (since_ns or 0) and (not open_only or one.closed_ns is None)]

    def incident(self, name: str) -> Incident:
        """Return one of them."""
        found = next((one for one in self.incidents(0, open_only=False) if one.id == name), None)
        if found is None:
            raise Missing(f"there is no incident {name}")
        return found


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """Make the city."""
    data = tmp_path_factory.mktemp("city") / "data"
    run("simulate", "--devices", 24, "--days", 2, "--seed", 7, "--from", MONDAY, "--lean", "--out", data)
    roster = Versions(data).on(TUESDAY)
    for number, site in enumerate(sorted(roster.sites.values())[:4]):
        scope = ("--county", site.county) if number % 2 else ("--site", site.id)
        words = ("--from", MONDAY, "--reason", "exam", "--text", "exam", "--by", "a")
        run("dispute", "propose", *scope, *words, "--data", data)
    _refuse(data, roster)
    run("evidence", "key", "--data", data)
    run("close", MONTH, "--no-pdf", "--lang", "en", "--data", data)
    run("verify", "--from", MONDAY, "--to", TUESDAY, "--data", data, code=1)
    people = _people(roster)
    for who in people.values():
        Users(data).change(added(User(who, KEPT)))
    return City(data, roster, people)


def _refuse(data: Path, roster: Roster) -> None:
    """Put something of each device into quarantine, each naming another one, and something that names nobody."""
    names = sorted(roster.devices)
    entries = [
        Entry(NOW_NS, name, other, "e", 1, 0, "foreign_device", f"{name} is not the agent of {other}", 9, b"x")
        for name, other in zip(names, [names[-1], *names[:-1]], strict=True)
    ]
    same = [
        Entry(NOW_NS, name, name, "e", 2, 3, "malformed", f"=1+1 {other}", 9, b"x")
        for name, other in zip(names, reversed(names), strict=True)
    ]
    quarantine = Quarantine(data)
    quarantine.add([*entries, *same, Entry(NOW_NS, "", "", "", -1, 0, "bad_topic", names[0], 9, b"x")])
    quarantine.close()


def _people(roster: Roster) -> dict[str, Who]:
    """Return somebody of each role for the city, two counties and two sites, as far as the role can have it."""
    sites = sorted(roster.sites)
    one, other = sites[0], sites[-1]
    wholes = [Role.VIEWER, Role.INSPECTOR, Role.TECHNICIAN, Role.CITY, Role.ADMIN]
    parts = [Role.VIEWER, Role.INSPECTOR, Role.TECHNICIAN, Role.COUNTY, Role.ADMIN]
    found = [Who(f"{role}", role) for role in wholes]
    found += [Who(f"{role} of {county}", role, county) for role in parts for county in map(county_of, (one, other))]
    found += [
        Who(f"{role} of {site}", role, "", site) for role in parts if role is not Role.COUNTY for site in (one, other)
    ]
    return {who.name: who for who in found}


@pytest.fixture(scope="session")
def stores(city: City, shared_influxd: Influxd) -> Mapping[str, str]:
    """Return the URLs of both stores, which have the same evidence."""
    database = f"api_{secrets.token_hex(4)}"
    run("migrate", "--to", shared_influxd.url(database), "--data", city.data)
    return {"sqlite": f"sqlite://{city.data / 'santong.sqlite'}", "influxdb": shared_influxd.url(database)}


@pytest.fixture(scope="session", params=["sqlite", "influxdb"])
def served(request: pytest.FixtureRequest, city: City, stores: Mapping[str, str]) -> Iterator[Served]:
    """Serve the city's pages with a login, as of when its evidence ends."""
    store = open_store(stores[request.param], create=False)
    centre = WatchedCentre(city.data, store, lambda: NOW_NS)
    gate = Gate(city.data, ELSEWHERE, now=time.time)
    with page_of(application(centre, gate), gate, ELSEWHERE) as url:
        yield Served(url, city, centre)
    centre.close()
    store.close()
