"""From evidence in a store to verdicts: the same from SQLite and from a real influxd."""

from collections.abc import Sequence
from datetime import date

from collector.days import read_days
from collector.roster.schema import Roster
from collector.store.base import Store
from collector.targets.schema import Target
from collector.verification import Verified, promise_of, verify
from collector.verify.conclude import Period
from collector.verify.results import Verdict
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    FRIDAY,
    MONDAY,
    SUNDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    ZONE,
    World,
    at,
    now_ns,
    roster,
    schedule_of,
)

WEEK = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)


def asked(
    store: Store,
    *targets: Target,
    first: date = MONDAY,
    last: date = SUNDAY,
    horizon_ns: int = 0,
    rosters: Sequence[tuple[date, Roster]] = (),
    recompute: bool = False,
) -> Verified:
    """Return what verification says of the week."""
    period = Period(first, last, rosters or [(MONDAY, roster())])
    promise = promise_of(period, ZONE, schedule_of, targets or (AVAILABLE,))
    return verify(store, promise, horizon_ns or now_ns(), recompute=recompute)


def units(found: Verified) -> dict[str, tuple[Verdict, dict[str, int]]]:
    """Return verdict and minutes of each unit of the first target."""
    return {unit.id: (unit.verdict, dict(unit.minutes)) for unit in found.targets[0][0].units}


def runs(store: Store) -> dict[tuple[str, date], str]:
    """Return the stored runs of each device and day of the week."""
    days = {at(day): day for day in (*WEEK, SUNDAY)}
    return {(day.device, days[day.day_start_ns]): day.runs for day in read_days(store, at(MONDAY), at(SUNDAY))}


def test_a_week_is_judged_from_its_minutes(store: Store) -> None:
    """A class that works all week is proven, one that was off for a morning fails, one never seen is not proven."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
        if day != WEDNESDAY:
            world.works(CLASS_2, day)
    world.write(store)
    found = asked(store)
    assert units(found) == {
        CLASS_1: (Verdict.PASS, {"working": 1200}),
        CLASS_2: (Verdict.FAIL, {"working": 960, "power_off": 240}),
        CLASS_3: (Verdict.NOT_PROVEN, {"unknown": 1200}),
    }
    assert found.targets[0][0].verdict is Verdict.FAIL
    assert runs(store)[CLASS_2, WEDNESDAY] == "480+240p"
    assert (found.reused, found.judged) == (0, 15)
