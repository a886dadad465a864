"""
What the roster says of each device on a day, as points of `roster`: names and numbers for who reads the store alone.

A point's time is the day's midnight in the people's zone, and it has every field that is known: written again, it
overwrites. Devices that an earlier version of the same day had are left with zeros.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.calendars.zone import day_window
from collector.check import identity_tags
from collector.roster.columns import COUNTIES
from collector.roster.schema import Device, Roster, Site, SiteKind
from collector.roster.versions import Versions
from collector.store.base import Store, StoreMisconfigured
from contract.lines import encode_line
from contract.measurements import Retention
from contract.sample import Value

LINES_A_WRITE = 5000
# What a classroom is taught with, and what the public's WiFi comes from: the scopes of the shipped targets.
PLATFORMS, HOTSPOTS = ("classroom", "projector"), ("access-point",)
_NAME = b"roster"


def roster_lines(roster: Roster, day: date, day_start_ns: int) -> Iterator[bytes]:
    """Yield a line for each device that exists on a day, with its line feed, sorted by device."""
    for name in sorted(roster.devices):
        device = roster.devices[name]
        if device.exists_on(day):
            yield _line(name, _fields(device, roster.sites.get(device.site, Site(device.site)), day), day_start_ns)


def write_roster(store: Store, roster: Roster, day: date, zone: ZoneInfo) -> int:
    """
    Write the points of a day, and zeros for devices that have one and should not; return how many exist.

    Raises StoreError when the store does not take them: writing again is right.
    """
    start_ns, end_ns = day_window(day, zone)
    written = 0
    lines = roster_lines(roster, day, start_ns)
    while piece := list(islice(lines, LINES_A_WRITE)):
        _write(store, b"".join(piece))
        written += len(piece)
    gone = [
        track.device
        for track in store.tracks("roster", ["counts"], start_ns, end_ns)
        if track.device not in roster.devices or not roster.devices[track.device].exists_on(day)
    ]
    nothing: dict[str, Value] = {"counts": 0, "platform": 0, "hotspot": 0}
    for at in range(0, len(gone), LINES_A_WRITE):
        _write(store, b"".join(_line(name, nothing, start_ns) for name in gone[at : at + LINES_A_WRITE]))
    return written


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


def _fields(device: Device, site: Site, day: date) -> dict[str, Value]:
    counts = device.counts_on(day)
    place = device.id.partition(".")[2]
    county = COUNTIES.get(site.county, site.county)
    fields: dict[str, Value] = {
        "counts": int(counts),
        "platform": int(counts and site.kind is SiteKind.SCHOOL and device.role in PLATFORMS),
        "hotspot": int(counts and site.kind is SiteKind.PUBLIC and device.role in HOTSPOTS),
        "county_name": county,
        "site_name": site.name or site.id,
        "class_name": device.class_name or place,
        "role": device.role,
        "profile": device.profile,
        "operator": site.operator,
        "county_entry": f"{site.county}|{county}",
        "site_entry": f"{site.id}|{site.name or site.id}",
        "device_entry": f"{device.id}|{f'{device.class_name} {place}'.strip()}",
    }
    return fields if site.contracted_mbps is None else {**fields, "contracted_mbps": site.contracted_mbps}


def _line(device: str, fields: dict[str, Value], time_ns: int) -> bytes:
    return _NAME + identity_tags(device, device) + encode_line("roster", {}, fields, time_ns)[len(_NAME) :] + b"\n"


def _write(store: Store, lines: bytes) -> None:
    if poison := store.write(Retention.EVIDENCE, lines):
        raise StoreMisconfigured(f"the store refuses what the roster says: {poison[0].message}")
