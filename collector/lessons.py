"""
Use in the lessons of one day: the store sums `usage` over each lesson, however many readings that are.

A lesson is one of a room: its computer tells of sessions, its panel or projector of the picture. All rooms with a class
platform that counts on the day have their lessons, told or not.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date

from collector.asked import Promise
from collector.calendars.schedule import DaySchedule, Window
from collector.records import Records
from collector.roster.schema import Device, Roster
from collector.store.base import Store
from collector.verify.causes import Run
from collector.verify.usage import Lesson, Said, lessons_by
from contract.errors import ConfigError

PLATFORM = "classroom"
# Of fewer devices each is named in a question; of more the whole store is asked.
NAMED = 500
_FIELDS = ("display_on", "session_active")
_NOTHING = Said()

_Sums = Mapping[Window, Mapping[str, Said]]


def lessons_on(store: Store, promise: Promise, records: Records, day: date) -> Iterator[Lesson]:
    """Yield the lessons of all rooms on a day; nothing is read before the first one is asked for."""
    roster = promise.period.roster_on(day)
    rooms = _rooms(roster, day)
    schedules = _schedules(promise, roster, {room[0].site for room in rooms}, day)
    rooms = [room for room in rooms if room[0].site in schedules]
    windows = {window for room in rooms for window in schedules[room[0].site].lessons}
    devices = [device.id for room in rooms for device in room]
    sums = {window: _said(store, window, devices) for window in sorted(windows)}
    for room in rooms:
        yield from _lessons(room, schedules[room[0].site], sums, records)


def _schedules(promise: Promise, roster: Roster, sites: Iterable[str], day: date) -> dict[str, DaySchedule]:
    """Return the schedules of sites with lessons on a day; without those whose calendar does not tell of it."""
    found = {}
    for site in sites:
        with suppress(ConfigError):
            schedule = promise.schedule_of(roster.sites[site], day)
            if schedule.lessons:
                found[site] = schedule
    return found


def _rooms(roster: Roster, day: date) -> list[list[Device]]:
    """Return the devices of each room that has a platform on a day, platforms first."""
    rooms: dict[str, list[Device]] = defaultdict(list)
    for device in roster.devices.values():
        if device.counts_on(day):
            rooms[device.room].append(device)
    found = (sorted(devices, key=lambda device: (device.role != PLATFORM, device.id)) for devices in rooms.values())
    return [devices for devices in found if devices[0].role == PLATFORM]


def _said(store: Store, window: Window, devices: Sequence[str]) -> dict[str, Said]:
    """Return what the readings of each device within a lesson come to."""
    found: dict[str, Said] = {}
    named = devices if len(devices) <= NAMED else None
    for one in store.tallies("usage", _FIELDS, window.start_ns, window.end_ns, named):
        (displays, sessions), (on, active) = one.counts, one.sums
        found[one.device] = _joined(found.get(one.device, _NOTHING), Said(displays, int(on), sessions, int(active)))
    return found


def _joined(a: Said, b: Said) -> Said:
    return Said(a.displays + b.displays, a.on + b.on, a.sessions + b.sessions, a.active + b.active)


def _lessons(room: Sequence[Device], schedule: DaySchedule, sums: _Sums, records: Records) -> Iterator[Lesson]:
    said = {window: _of_room(room, sums[window]) for window in schedule.lessons}
    machines = [device.id for device in room if device.speaker == device.id and device.role == PLATFORM]
    runs: list[Sequence[Run]] = [()]
    if machines and not all(one.displays or one.sessions for one in said.values()):
        runs = [records.runs(device, schedule.start_ns) for device in machines]
    # Of several machines in a room all must have been off.
    for same in zip(*(lessons_by(room[0].id, schedule, said.__getitem__, some) for some in runs), strict=True):
        yield same[0]._replace(is_off=all(one.is_off for one in same))


def _of_room(room: Sequence[Device], said: Mapping[str, Said]) -> Said:
    total = _NOTHING
    for device in room:
        if one := said.get(device.id):
            total = _joined(total, one)
    return total
