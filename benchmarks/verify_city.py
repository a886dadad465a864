"""
The city that verification is measured on: its hours, roster, two days of evidence, and a month of judged days.

Ten of eleven devices are class computers, forty a school; the others public access points that a probe beside them
speaks of every five minutes. Two days are filled:

    usual   nine in ten ran all day; others were off for an hour, lost their agent, the Internet, or were never seen
    worst   nearly all classes are switched on for each lesson and off after it: six boots a day
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from collector.asked import Promise, Questions
from collector.calendars.calendar import Calendars
from collector.calendars.schema import Calendar, CalendarFile, Period, Service
from collector.check import identity_tags
from collector.days import Judged, write_days
from collector.doubts import LOOK_BACK_NS
from collector.roster.schema import Area, Device, Roster, Site, SiteKind
from collector.store.base import DAY_NS, Store
from collector.targets.load import load
from collector.verification import promise_of
from collector.verify import conclude
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.day import all_working
from contract.measurements import Retention
from firmware_profiles.schema import Slug, Title

CLASSES_A_SITE = 40
LINES = 5000
LESSONS = ("08:20-09:00", "09:10-09:50", "10:20-11:00", "11:10-11:50", "14:30-15:10", "15:20-16:00")
MOVED = 11 * 50  # one access point of so many devices is found behind a school's gateway on the two days
ON, OFF = 420, 1080  # classes run from 07:00 to 18:00, half an hour longer than service at either end
BOOT = b'boot="3e2916d4-89c0-4369-a021-%012d"'


def calendars() -> Calendars:
    """Return hours like those of the shipped example, on every Monday to Friday of any year."""
    lessons = {"mon-fri": tuple(map(Period.parse, LESSONS))}
    given = CalendarFile(
        {
            "school": Calendar(
                Title("学校", "School"), lessons=lessons, service=(Service("07:30-17:30"),), follows_holidays=False
            ),
            "hotspot": Calendar(
                Title("热点", "Hotspot"), service=(Service("06:00-23:00"),), every_day=True, follows_holidays=False
            ),
        },
        default=Slug("school"),
        holidays="none",
    )
    return Calendars(given, Path("benchmark"))


def roster(devices: int) -> Roster:
    """Return schools of forty classes, and one access point in a public place for ten classes."""
    sites, found = {}, {}
    for n in range(devices):
        if n % 11 == 10:
            site = Site(f"441802-9{n // 11:05d}", f"广场 {n // 11}", Area.URBAN, SiteKind.PUBLIC, calendar="hotspot")
            device = Device(f"{site.id}.ap1", "access-point", profile="openwrt")
        else:
            number = n - n // 11
            site = Site(f"441802-{number // CLASSES_A_SITE:05d}", f"学校 {number // CLASSES_A_SITE}", Area.URBAN)
            device = Device(f"{site.id}.c{number % CLASSES_A_SITE:04d}", "classroom", profile="windows-classroom-pc")
        sites[site.id], found[device.id] = site, device
    return Roster(sites, found)


class Machine(NamedTuple):
    """A device of the city: its number, and its tags as the collector writes them."""

    number: int
    device: Device
    tags: bytes

    @property
    def is_class(self) -> bool:
        """Tell a class from an access point."""
        return self.device.role == "classroom"


def usual(chance: random.Random, one: Machine) -> list[tuple[int, int, int]]:
    """Return when a device is seen on a usual day: (first minute, last minute, whether it reached the Internet)."""
    start, end = (ON, OFF) if one.is_class else (0, 1440)
    fate = chance.random()
    if fate < 0.90:
        return [(start, end, 1)]
    if fate < 0.91:
        return []
    at = chance.randrange(start + 60, end - 120)
    length = chance.randrange(5, 100)
    return [(start, at, 1), (at, at + length, 0), (at + length, end, 1)] if fate < 0.93 else [
        (start, at, 1), (at + length, end, 1)
    ]  # fmt: skip


def worst(chance: random.Random, one: Machine) -> list[tuple[int, int, int]]:
    """Return when a device is seen on a day on which classes run in lessons alone."""
    if not one.is_class or chance.random() < 0.05:
        return usual(chance, one)
    lessons = [Period.parse(text) for text in LESSONS]
    return [(lesson.start - chance.randrange(1, 5), lesson.end + chance.randrange(1, 4), 1) for lesson in lessons]


def evidence(
    machines: Sequence[Machine], start_ns: int, fate: Callable[..., list[tuple[int, int, int]]]
) -> Iterator[bytes]:
    """Yield the lines of one local day."""
    chance = random.Random(start_ns)
    for one in machines:
        for part, (first, last, wan) in enumerate(fate(chance, one)):
            boot = BOOT % (one.number * 10 + part)
            for minute in range(first, last):
                at_ns = start_ns + (minute + 1) * MINUTE_NS
                yield b"presence%b %b,uptime_s=%d.2,asleep_s=0,lan=1i,wan=%di,broker=1i %d\n" % (
                    one.tags, boot, 90 + (minute - first) * 60, wan, at_ns,
                )  # fmt: skip
                if minute == first or minute % 60 == one.number % 60:
                    yield identity(one, at_ns, is_moved=one.number % MOVED == 10)
                if not one.is_class and minute % 5 == one.number % 5:
                    for kind in (b"portal", b"http"):
                        yield b"probe%b,kind=%b,target=%b success=%di,duration_ms=20.5 %d\n" % (
                            one.tags, kind, kind, wan, at_ns - 7_000_000_000,
                        )  # fmt: skip


def identity(one: Machine, at_ns: int, *, is_moved: bool = False) -> bytes:
    """Return what an agent says of itself: each site has a gateway; who moved is behind that of a school."""
    behind = one.number // 44 * 44 if one.is_class or is_moved else one.number
    said = b'serial="%d",gateway_mac="02:00:00:00:%02x:%02x"' % (one.number, behind >> 8, behind & 255)
    return b'identity%b %b,subnet="10.0.0.0/24",version="1",stop_marks=1i %d\n' % (one.tags, said, at_ns)


def identities(machines: Sequence[Machine], start_ns: int, days: int) -> Iterator[bytes]:
    """Yield what agents say of themselves once an hour of days that nothing else is filled of."""
    for one in machines:
        start, end = (ON, OFF) if one.is_class else (0, 1440)
        for day in range(days):
            for minute in range(start + one.number % 60, end, 60):
                yield identity(one, start_ns + (day * 1440 + minute) * MINUTE_NS)


def tests(machines: Sequence[Machine], start_ns: int) -> Iterator[bytes]:
    """Yield a throughput test a week of the first class of each school."""
    chance = random.Random(1)
    for one in machines:
        if one.is_class and one.device.id.endswith("c0000"):
            yield b"throughput%b,direction=download,server=centre goodput_mbps=%.1f %d\n" % (
                one.tags, chance.gauss(180, 20), start_ns + 600 * MINUTE_NS,
            )  # fmt: skip


def write(store: Store, lines: Iterable[bytes]) -> int:
    """Write lines of evidence, and return how many."""
    rest, written = iter(lines), 0
    while some := list(islice(rest, LINES)):
        if poison := store.write(Retention.EVIDENCE, b"".join(some)):
            raise RuntimeError(f"the store refuses {poison[0]}")
        written += len(some)
    return written


def month(promise: Promise, judged_ms: int) -> Iterator[Judged]:
    """Yield the records of days as an earlier verification wrote them: nine in ten perfect."""
    chance = random.Random(3)
    questions = Questions(promise)
    for device in questions.devices():
        for asked in questions.of(device):
            record = all_working(asked.device, asked.schedule, asked.criterion)
            if chance.random() < 0.1:
                first, *others = record.runs
                cut = chance.randrange(1, first.minutes)
                parts = Run(first.start_ns, cut, Cause.WORKING), Run(first.start_ns + cut * MINUTE_NS,
                                                                     first.minutes - cut, Cause.POWER_OFF)  # fmt: skip
                record = record._replace(runs=(*parts, *others))
            yield Judged(record, judged_ms, asked.inputs)


class City:
    """A city of so many devices, what was promised of it, and its evidence."""

    def __init__(self, devices: int, days: int) -> None:
        hours = calendars()
        self._zone, self._day = hours.zone, hours.day
        self._roster = roster(devices)
        self._targets = load().targets
        tuesday = datetime.now(hours.zone).date()
        tuesday -= timedelta(days=(tuesday.weekday() - 1) % 7 + 7)
        self.usual = self._promise(tuesday, tuesday)
        self.worst = self._promise(tuesday + timedelta(days=1), tuesday + timedelta(days=1))
        self.both = self._promise(tuesday, tuesday + timedelta(days=1))
        self.month = self._promise(tuesday - timedelta(days=days), tuesday - timedelta(days=1))

    def _promise(self, first: date, last: date) -> Promise:
        period = conclude.Period(first, last, [(first, self._roster)])
        return promise_of(period, self._zone, self._day, self._targets)

    def fill(self, store: Store) -> tuple[int, int]:
        """Write all its evidence; return how many points, and device-days."""
        machines = [
            Machine(n, device, identity_tags(device.id, device.id))
            for n, device in enumerate(self._roster.devices.values())
        ]
        points = write(store, evidence(machines, self.usual.start_ns, usual))
        points += write(store, evidence(machines, self.worst.start_ns, worst))
        points += write(store, tests(machines, self.month.start_ns))
        since_ns = self.month.start_ns - LOOK_BACK_NS
        points += write(store, identities(machines, since_ns, (self.usual.start_ns - since_ns) // DAY_NS))
        return points, write_days(store, month(self.month, self.usual.start_ns // 10**6 + 3_600_000))
