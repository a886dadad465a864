"""
The classes that can be drawn, each in its stratum: county × urban or rural.

A class is its room, as it is for verification: several devices in one room are one class. Classes that a school
declared and for which the roster has no room cannot be visited; they are counted apart.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from collector.roster.schema import Device, Roster, Site, SiteKind

NO_AREA = "-"

IsWanted = Callable[[Device, Site], bool]


class Class(NamedTuple):
    """A class that can be drawn: the id of its room, what people call it, and where it is."""

    room: str
    title: str
    site: str
    site_name: str
    address: str
    county: str
    area: str

    @property
    def stratum(self) -> str:
        """The stratum that it is drawn in."""
        return f"{self.county}/{self.area}"


class Frame(NamedTuple):
    """All classes of a day by stratum, each sorted by id; `undelivered` were declared, and have no room."""

    strata: dict[str, tuple[Class, ...]]
    undelivered: int = 0


def frame_of(roster: Roster, day: date, is_wanted: IsWanted, county: str = "") -> Frame:
    """Return the classes with a wanted device that counts on a day, of one county where it is given."""
    rooms: dict[str, list[Device]] = defaultdict(list)
    for _, device in sorted(roster.devices.items()):
        site = roster.sites[device.site]
        if county in ("", site.county) and device.counts_on(day) and is_wanted(device, site):
            rooms[device.room].append(device)
    strata: dict[str, list[Class]] = defaultdict(list)
    at: dict[str, int] = defaultdict(int)
    for room, devices in sorted(rooms.items()):
        one = _class(room, devices, roster.site_of(devices[0].id))
        strata[one.stratum].append(one)
        at[one.site] += 1
    schools = [one for one in roster.sites.values() if county in ("", one.county) and one.kind is SiteKind.SCHOOL]
    undelivered = sum(max(0, (site.declared_classes or 0) - at.get(site.id, 0)) for site in schools)
    return Frame({name: tuple(strata[name]) for name in sorted(strata)}, undelivered)


def _class(room: str, devices: list[Device], site: Site) -> Class:
    named = next((device.class_name for device in devices if device.class_name), "")
    title = named or room.removeprefix(f"{site.id}/").removeprefix(f"{site.id}.")
    area = str(site.area) if site.area else NO_AREA
    return Class(room, title, site.id, site.name or site.id, site.address, site.county, area)
