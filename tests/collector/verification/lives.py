"""Worlds whose truth is known (`tests/collector/verify/world.py`), in a store, and what is asked of them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from collector.asked import Asked
from collector.calendars.schedule import DayKind, DaySchedule, Hours, Window
from collector.roster.schema import Device
from collector.site_days import SUMS
from collector.store.base import Store
from collector.store.open import open_store
from collector.targets.schema import Condition, Criterion, Proof
from collector.verify.evidence import Reading
from contract.sample import Value
from contract.settings import Seconds
from tests.collector.verification.world import MONDAY, SCHOOL_1, World, after, at
from tests.collector.verify.test_truth import LENGTH
from tests.collector.verify.world import MINUTE, NS, Life

BASE_NS = at(MONDAY, "08:00")
NOW_NS = after(MONDAY, hours=6)
LAN = Condition("presence.lan", equals=("1",))


def probe(every: int, target: str = "*") -> Condition:
    """Return the condition on the service that is asked every so many ms."""
    return Condition("probe.success", {"kind": "http", "target": target}, ("1",), every=Seconds(every / 1000))


def criterion(asks: Sequence[str], every: int, hours: Hours = Hours.SERVICE) -> Criterion:
    """Return what is asked for: proofs, each with the names of its conditions, `lan+service`; none: that it ran."""
    named = {"lan": LAN, "service": probe(every), "a": probe(every, "a"), "b": probe(every, "b")}
    return Criterion(tuple(Proof(tuple(named[name] for name in one.split("+"))) for one in asks), hours)


class Shelf:
    """One SQLite store for all examples of a test, emptied before each: a new one would take longer than the test."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.store = open_store(f"sqlite://{file}")
        self.store.prepare()

    def emptied(self) -> Store:
        """Return the store without any evidence."""
        with closing(sqlite3.connect(self._file)) as connection, connection:
            for measurement in ("identity", "presence", "stop", "probe", "delivery", "late", "availability", SUMS):
                connection.execute(f"DELETE FROM {measurement}")
        return self.store


class InStore(NamedTuple):
    """A life in a store: the host, whose agent it is, and what the agent watches beside it."""

    life: Life
    host: Device
    watched: Device
    unsynced_ns: tuple[int, ...]


def stored(store: Store, life: Life, *, second: Sequence[Reading] = (), watches: bool = True) -> InStore:
    """Write all that a life reported; `second` are readings of another target, which the watched device has as well."""
    name = f"{SCHOOL_1}.x"
    lines = World()
    lines.add("identity", name, BASE_NS, {"version": "0.1.0", "stop_marks": 1})
    for time_ns, boot, uptime_s, asleep_s, lan, wan in life.presence:
        fields: dict[str, Value] = {"boot": boot, "uptime_s": uptime_s, "asleep_s": asleep_s, "broker": 1}
        fields |= {field: value for field, value in (("lan", lan), ("wan", wan)) if value is not None}
        lines.add("presence", name, BASE_NS + time_ns, fields)
    for mark in life.stops:
        ended: dict[str, Value] = {"boot": mark.boot, "reason": mark.reason, "asleep_s": mark.asleep_s or 0.0}
        lines.add("stop", name, BASE_NS + mark.time_ns, ended)
    unsynced = tuple(BASE_NS + time_ns for time_ns in life.unsynced_ns)
    for time_ns in unsynced:
        lines.add("delivery", name, time_ns, {"epoch": "e", "seq": 1, "held": 1, "clock": "unsynced"})
    for device in (name, f"{name}p") if watches else (name,):
        for target, readings in (("a", life.readings), ("b", second)):
            for time_ns, value, stage in readings:
                said: dict[str, Value] = {"success": int(value)}
                said |= {"stage": stage} if stage else {}
                tags = {"kind": "http", "target": target}
                lines.add("probe", device, BASE_NS + time_ns, said, tags, source=name)
    lines.write(store)
    return InStore(life, Device(name, "classroom"), Device(f"{name}p", "projector", agent=name), unsynced)


def window(first: int, last: int) -> Window:
    """Return the hours from one minute of the world to before another."""
    return Window(BASE_NS + first * MINUTE * NS, BASE_NS + last * MINUTE * NS)


def schedule(service: Sequence[Window], lessons: Sequence[Window] = (), excluded: Sequence[Window] = ()) -> DaySchedule:
    """Return a day with these hours."""
    day = (MONDAY, DayKind.WORKDAY, "", at(MONDAY), after(MONDAY, hours=0))
    return DaySchedule(*day, tuple(service), tuple(lessons), tuple(excluded))


def hours(most: int = 3) -> st.SearchStrategy[tuple[Window, ...]]:
    """Return hours of a day, some minutes apart: lessons with breaks between them."""

    def laid(pairs: list[tuple[int, int]]) -> tuple[Window, ...]:
        found, minute = [], 0
        for gap, length in pairs:
            first, minute = minute + gap, minute + gap + length
            if minute <= LENGTH // MINUTE:
                found.append(window(first, minute))
        return tuple(found) or (window(5, 20),)

    return st.lists(st.tuples(st.integers(1, 9), st.integers(1, 18)), min_size=1, max_size=most).map(laid)


def questions(
    device: Device, day: DaySchedule, criteria: Sequence[Criterion], doubted: Sequence[tuple[int, int]] = ()
) -> Iterator[Asked]:
    """Yield the questions for one device-day."""
    for one in criteria:
        if day.windows(one.hours):
            yield Asked(device, day, one, "inputs", tuple(doubted))
