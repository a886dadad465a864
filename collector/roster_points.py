"""
What the roster says of each device on a day, as points of `roster`: names and numbers for who reads the store alone.

Beside them a point of `site_roster` has the same of each site, added up, so that a page of the city need not. A point's
time is the day's midnight in the people's zone, and it has every field that is known: written again, it overwrites.
Devices and sites that an earlier version of the same day had are left with zeros.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.calendars.zone import day_window
from collector.check import identity_tags
from collector.roster.columns import COUNTIES
from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.roster.versions import Versions
from collector.site_days import name_of
from collector.store.base import Store, StoreMisconfigured
from contract.lines import encode_line
from contract.measurements import Retention
from contract.names import site_of
from contract.sample import Value

LINES_A_WRITE = 5000
# What a classroom is taught with, and what the public's WiFi comes from: the scopes of the shipped targets.
PLATFORMS, HOTSPOTS = ("classroom", "projector"), ("access-point",)
_KINDS = ("counts", "platform", "hotspot")
_NOTHING: Mapping[str, Value] = dict.fromkeys(_KINDS, 0)


def roster_lines(roster: Roster, day: date, day_start_ns: int) -> Iterator[bytes]:
    """Yield a line for each device that exists on a day, with its line feed, sorted by device."""
    for name in sorted(roster.devices):
        device = roster.devices[name]
        if device.exists_on(day):
            yield _line("roster", name, _fields(device, _site(roster, device), day), day_start_ns)


def site_roster_lines(roster: Roster, day: date, day_start_ns: int) -> Iterator[bytes]:
    """Yield a line for each site that a device exists at on a day, with its line feed."""
    sums: dict[Site, Counter[str]] = defaultdict(Counter)
    for device in roster.devices.values():
        if device.exists_on(day):
            sums[_site(roster, device)].update(_kinds(device, _site(roster, device), day))
    for site, numbers in sums.items():
        fields: dict[str, Value] = {**{kind: numbers[kind] for kind in _KINDS}, **_named(site)}
        yield _line("site_roster", name_of(site.id), fields, day_start_ns)


def write_roster(store: Store, roster: Roster, day: date, zone: ZoneInfo) -> int:
    """
    Write the points of a day, and zeros for devices and sites that have one and should not; return how many exist.

    Raises StoreError when the store does not take them: writing again is right.
    """
    start_ns, end_ns = day_window(day, zone)
    devices = {name for name, device in roster.devices.items() if device.exists_on(day)}
    sites = {name_of(site_of(device)) for device in devices}
    lines = chain(
        roster_lines(roster, day, start_ns),
        site_roster_lines(roster, day, start_ns),
        _emptied(store, "roster", devices, start_ns, end_ns),
        _emptied(store, "site_roster", sites, start_ns, end_ns),
    )
    while piece := list(islice(lines, LINES_A_WRITE)):
        if poison := store.write(Retention.EVIDENCE, b"".join(piece)):
            raise StoreMisconfigured(f"the store refuses what the roster says: {poison[0].message}")
    return len(devices)


class RosterPoints:
    """
    Writes the points of today when they are due: at the first call, on a new day, and when a version came.

    `data` is the folder of the roster; without a roster nothing is ever due.
    """

    def __init__(
        self,
        data: Path,
        zone: ZoneInfo,
        today: Callable[[ZoneInfo], date] = lambda zone: datetime.now(zone).date(),
    ) -> None:
        self._versions = Versions(data)
        self._zone, self._today = zone, today
        self._written: tuple[date, str] | None = None

    def write_when_due(self, store: Store) -> int:
        """Return how many devices were written, 0 when nothing is due. Raises StoreError and BadVersion: still due."""
        day = self._today(self._zone)
        version = self._versions.in_force(day)
        if version is None or self._written == (day, version.sha256):
            return 0
        devices = write_roster(store, self._versions.roster(version), day, self._zone)
        self._written = day, version.sha256
        return devices


def _site(roster: Roster, device: Device) -> Site:
    return roster.sites.get(device.site, Site(device.site))


def _kinds(device: Device, site: Site, day: date) -> dict[str, int]:
    counts = device.counts_on(day)
    return {
        "counts": int(counts),
        "platform": int(counts and site.kind is SiteKind.SCHOOL and device.role in PLATFORMS),
        "hotspot": int(counts and site.kind is SiteKind.PUBLIC and device.role in HOTSPOTS),
    }


def _named(site: Site) -> dict[str, Value]:
    county = COUNTIES.get(site.county, site.county)
    fields: dict[str, Value] = {
        "county_name": county,
        "site_name": site.name or site.id,
        "operator": site.operator,
        "county_entry": f"{site.county}|{county}",
        "site_entry": f"{site.id}|{site.name or site.id}",
    }
    return fields if site.contracted_mbps is None else {**fields, "contracted_mbps": site.contracted_mbps}


def _fields(device: Device, site: Site, day: date) -> dict[str, Value]:
    place = device.id.partition(".")[2]
    return {
        **_kinds(device, site, day),
        **_named(site),
        "class_name": device.class_name or place,
        "role": device.role,
        "profile": device.profile,
        "device_entry": f"{device.id}|{f'{device.class_name} {place}'.strip()}",
    }


def _emptied(store: Store, measurement: str, there: Container[str], start_ns: int, end_ns: int) -> Iterator[bytes]:
    """Yield zeros for all that a day has points of, and that is not there any more."""
    for track in store.tracks(measurement, ["counts"], start_ns, end_ns):
        if track.device not in there:
            yield _line(measurement, track.device, _NOTHING, start_ns)


def _line(measurement: str, device: str, fields: Mapping[str, Value], time_ns: int) -> bytes:
    head = measurement.encode()
    return head + identity_tags(device, device) + encode_line(measurement, {}, fields, time_ns)[len(head) :] + b"\n"
