"""
A small world for the tests of verification: two schools, their classes, a week, and the evidence that agents leave.

    world = World()
    world.works(CLASS_1, MONDAY)                      a presence a minute, 07:30 to 18:00
    world.works(CLASS_1, TUESDAY, "07:30", "09:10")   … and then nothing
    world.write(store)

Days are those of the week two weeks ago, so that every store still keeps them.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.check import identity_tags
from collector.roster.schema import Device, Roster, Site
from collector.store.base import Store
from collector.targets.schema import Condition, Proof, Rule, Scope, Target
from contract.lines import encode_stored
from contract.measurements import TABLE, Retention
from contract.sample import Value
from firmware_profiles.schema import Slug, Title

ZONE = ZoneInfo("Asia/Shanghai")
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 1440 * MINUTE_NS
_TODAY = datetime.now(ZONE).date()
MONDAY = _TODAY - timedelta(days=_TODAY.weekday() + 14)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, NEXT_MONDAY = (MONDAY + timedelta(days=n) for n in range(1, 8))
SCHOOL_1, SCHOOL_2 = "441802-3144001234", "441881-3144005678"
CLASS_1, CLASS_2, CLASS_3 = f"{SCHOOL_1}.c0701", f"{SCHOOL_1}.c0702", f"{SCHOOL_2}.c0101"
GATEWAY = f"{SCHOOL_1}.gw"


def at(day: date, clock: str = "00:00") -> int:
    """Return a time of a day in Qingyuan as unix ns."""
    hour, minute = map(int, clock.split(":"))
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    return int((midnight + timedelta(hours=hour, minutes=minute)).timestamp()) * SECOND_NS


def after(day: date, *, hours: float = 1) -> int:
    """Return an instant some time after a day has ended."""
    return at(day + timedelta(days=1)) + int(hours * 3600) * SECOND_NS


def roster(*devices: Device, sites: Iterable[Site] = ()) -> Roster:
    """Return a roster of these devices, of the three classes where none are given."""
    named = {site.id: site for site in sites} or {
        SCHOOL_1: Site(SCHOOL_1, "清城一小"),
        SCHOOL_2: Site(SCHOOL_2, "英德二中"),
    }
    some = devices or tuple(Device(one, "classroom") for one in (CLASS_1, CLASS_2, CLASS_3))
    return Roster(named, {device.id: device for device in some})


def schedule_of(_site: Site, day: date) -> DaySchedule:
    """Return school days of 08:00 to 12:00, one lesson of it, and weekends without any hours."""
    start_ns, end_ns = at(day), at(day + timedelta(days=1))
    if day.weekday() >= 5:
        return DaySchedule(day, DayKind.WEEKEND, "", start_ns, end_ns)
    hours = (Window(at(day, "08:00"), at(day, "12:00")),)
    lesson = (Window(at(day, "08:20"), at(day, "09:00")), Window(at(day, "09:10"), at(day, "09:50")))
    return DaySchedule(day, DayKind.WORKDAY, "", start_ns, end_ns, hours, lesson)


IS_THERE = Proof(all=(Condition("presence.lan", at_least=1),))
REACHES_WAN = Proof(all=(Condition("presence.wan", at_least=1),))
PROBE = Proof(all=(Condition("probe.success", {"kind": "http"}, at_least=1),))
AVAILABLE = Target(
    Slug("available"),
    Title("班级可用", "Classes are available"),
    scope=Scope(role=("classroom",)),
    unit="class",
    hours=Hours.SERVICE,
    good_when=(IS_THERE,),
    rule=Rule(availability=0.95),
    share=1.0,
)


class World:
    """Lines of evidence, in the order in which they came about."""

    def __init__(self) -> None:
        self._lines: dict[Retention, list[bytes]] = {kind: [] for kind in Retention}

    def add(
        self,
        measurement: str,
        device: str,
        time_ns: int,
        fields: Mapping[str, Value],
        tags: Mapping[str, str] | None = None,
        source: str = "",
    ) -> None:
        """Add one line, tagged as the collector does it."""
        row = TABLE[measurement]
        line = encode_stored(measurement, tags or {}, fields, time_ns)
        name = measurement.encode()
        identity = identity_tags(source or device, device, name_agent=measurement == "delivery")
        self._lines[row.retention].append(name + identity + line[len(name) :] + b"\n")

    def works(
        self,
        device: str,
        day: date,
        start: str = "07:30",
        end: str = "18:00",
        *,
        lan: int = 1,
        wan: int = 1,
        boot: str = "",
        booted: str = "",
        stop_marks: int | None = 1,
    ) -> None:
        """
        Add a presence for each minute from `start` to `end`: it has run since `booted`, five minutes before.

        At the start it says what it is, and that its supervisor leaves stop marks.
        """
        said: dict[str, Value] = (
            {"version": "0.1.0"} if stop_marks is None else {"version": "0.1.0", "stop_marks": stop_marks}
        )
        self.add("identity", device, at(day, start), said)
        since_ns = at(day, booted) if booted else at(day, start) - 5 * MINUTE_NS
        name = boot or f"boot-{since_ns // MINUTE_NS}"
        for time_ns in range(at(day, start), at(day, end) + 1, MINUTE_NS):
            fields: dict[str, Value] = {
                "boot": name,
                "uptime_s": (time_ns - since_ns) / 1e9,
                "asleep_s": 0.0,
                "lan": lan,
                "wan": wan,
                "broker": 1,
            }
            self.add("presence", device, time_ns, fields)

    def late(self, device: str, oldest_ns: int, newest_ns: int, received_ns: int) -> None:
        """Add the mark that the collector leaves of a batch that came late."""
        self.add("late", device, received_ns, {"newest": newest_ns // 10**6, "oldest": oldest_ns // 10**6})

    def write(self, store: Store) -> None:
        """Write what was added since the last time."""
        for kind, lines in self._lines.items():
            if lines:
                assert store.write(kind, b"".join(lines)) == []
                lines.clear()


def now_ns() -> int:
    """Return this instant: after everything of the week."""
    return time.time_ns()


def utc(time_ns: int) -> datetime:
    """Return an instant for people."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
