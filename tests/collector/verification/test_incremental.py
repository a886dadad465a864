"""Verified again and again while evidence arrives: what is kept of earlier runs is what would be judged now."""

from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import known
from collector.around import Around
from collector.asked import Asked, Questions
from collector.calendars.schedule import DayKind, DaySchedule
from collector.days import unsynced_ns
from collector.records import read_records
from collector.roster.schema import Device
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verify.day import judge
from collector.verify.evidence import DayRecord
from tests.collector.verification.lives import BASE_NS, Shelf, criterion, stored, window
from tests.collector.verification.world import DAY_NS, MONDAY
from tests.collector.verification.world import World as Lines
from tests.collector.verify.test_perfect import quiet_worlds
from tests.collector.verify.test_truth import LENGTH, worlds
from tests.collector.verify.world import MINUTE, NS, Life, Times, World

# Days of ten minutes, and all that is waited for as much shorter: half an hour to settle, a quarter to be late.
DAY = 10
SETTLING = 5 * MINUTE
LATE = 5 * MINUTE // 2


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Return one store for all examples."""
    found = Shelf(tmp_path_factory.mktemp("incremental") / "store.db")
    yield found
    found.store.close()


class Arrived:
    """What arrives at one time, and the times of it in ms."""

    def __init__(self, world: World) -> None:
        self.part = Life(world._replace(length=0, off=()))
        self.times: list[int] = []


def arrivals(life: Life, cut_off: Times) -> dict[int, Arrived]:
    """Return what arrives when, ms: within a minute, or at the end of the time in which the agent was cut off."""
    found: dict[int, Arrived] = {}

    def part(time_ns: int, seen: int) -> Life:
        at = next((until for since, until in cut_off if since <= seen < until), seen)
        arrived = found.setdefault(-(-at // MINUTE) * MINUTE, Arrived(life.world))
        arrived.times.append(time_ns // NS)
        return arrived.part

    for row in life.presence:
        part(row.time_ns, row.time_ns // NS + MINUTE).presence.append(row)
    for mark in life.stops:
        part(mark.time_ns, mark.time_ns // NS + MINUTE).stops.append(mark)
    for reading in life.readings:
        part(reading.time_ns, reading.time_ns // NS + MINUTE).readings.append(reading)
    for time_ns in life.unsynced_ns:
        part(time_ns, time_ns // NS).unsynced_ns.append(time_ns)
    return dict(sorted(found.items()))


def arrive(store: Store, at: int, arrived: Arrived) -> None:
    """Write what arrives, and marks where it is late, as the collector does."""
    found = stored(store, arrived.part)
    marks = Lines()
    if at - min(arrived.times) > LATE:
        for device in (found.host, found.watched):
            oldest_ns, newest_ns = (BASE_NS + time * NS for time in (min(arrived.times), max(arrived.times)))
            marks.late(device.id, oldest_ns, newest_ns, BASE_NS + at * NS)
    marks.write(store)


class Days:
    """The questions of a device over the days that are over at an instant."""

    def __init__(self, device: Device, at: int, every: int) -> None:
        self.promise = self
        self.targets: tuple[Target, ...] = ()
        self._asked = [Asked(device, day(n), criterion(("lan+service",), every), "inputs") for n in range(days_at(at))]
        self.start_ns, self.end_ns = BASE_NS, BASE_NS + days_at(at) * DAY * MINUTE * NS

    def devices(self) -> list[str]:
        """Return the device."""
        return [one.device.id for one in self._asked[:1]]

    def of(self, _device: str) -> list[Asked]:
        """Return what is asked, day by day."""
        return self._asked


def days_at(at: int) -> int:
    """Return how many days are over."""
    return min(at, LENGTH) // MINUTE // DAY


def day(number: int) -> DaySchedule:
    """Return a day of ten minutes, with hours from its second to its ninth."""
    whole, hours = window(number * DAY, (number + 1) * DAY), window(number * DAY + 1, number * DAY + 9)
    return DaySchedule(MONDAY, DayKind.WORKDAY, "", *whole, (hours,))


def judged_now(store: Store, questions: Days, at: int) -> list[DayRecord]:
    """Return the records of all days, from nothing but the evidence that there is."""
    now_ns = BASE_NS + at * NS
    dateless = dict(unsynced_ns(store, BASE_NS - DAY_NS, now_ns))
    found = []
    for one in questions.of(""):
        evidence = Around(store, [one], dateless).evidence(one)
        found.append(judge(one.device, one.schedule, one.criterion, evidence, now_ns))
    return found


def outages() -> st.SearchStrategy[Times]:
    """Return times in which the agent is cut off, long enough that a day is judged in them without its evidence."""

    def laid(pairs: list[tuple[int, int]]) -> Times:
        found, at = [], 0
        for gap, length in pairs:
            found.append(((at + gap) * MINUTE, (at + gap + length) * MINUTE))
            at += gap + length
        return tuple(found)

    return st.lists(st.tuples(st.integers(2, 15), st.integers(10, 30)), min_size=1, max_size=2).map(laid)


def dark() -> st.SearchStrategy[World]:
    """Return worlds that have no power for so long that days are judged before it is known why."""

    def of(since: int, length: int, number: int) -> World:
        off = ((since * MINUTE + 30_000, (since + length) * MINUTE + 20_000),)
        return World(LENGTH, 20_000, off, (0,) * (number % 2), start_delay=10_000, sync_delay=number // 2 * MINUTE)

    return st.builds(of, st.integers(2, 14), st.integers(12, 22), st.integers(0, 5))


@settings(max_examples=50, deadline=None)
@given(
    world=dark() | quiet_worlds() | worlds(),
    cut_off=st.just(()) | outages(),
    asked=st.lists(st.integers(DAY + 5, LENGTH // MINUTE + 20), min_size=2, max_size=3, unique=True),
    is_watched=st.booleans(),
)
def test_what_is_kept_is_what_would_be_judged_now(
    shelf: Shelf, world: World, cut_off: Times, asked: list[int], is_watched: bool
) -> None:
    """Whenever it was asked before, and however late evidence came: each run says what one from nothing would say."""
    store = shelf.emptied()
    waiting = arrivals(Life(world), cut_off)
    host = stored(store, Life(world._replace(length=0, off=())))
    device = host.watched if is_watched else host.host
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "SETTLING_NS", SETTLING * NS)
        for minute in sorted({*asked, 3 * LENGTH // MINUTE}):
            at = minute * MINUTE
            for time in [time for time in waiting if time <= at]:
                arrive(store, time, waiting.pop(time))
            questions = Days(device, at, world.every)
            kept = read_records(store, cast("Questions", questions), BASE_NS + at * NS, lambda *_: None)
            expected = judged_now(store, questions, at)
            assert list(kept) == expected, f"asked at minute {minute}"
