"""From evidence in a store to verdicts: the same from SQLite and from a real influxd."""

from collections.abc import Sequence
from datetime import date
from typing import cast

import pytest

from collector import judging
from collector.days import read_days
from collector.roster.schema import Device, Roster
from collector.store.base import Poison, Store, StoreUnavailable
from collector.targets.schema import Rule, Target
from collector.verification import Verified, promise_of, verify
from collector.verify.conclude import Period
from collector.verify.results import Verdict
from contract.measurements import Retention
from firmware_profiles.schema import Slug
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    FRIDAY,
    GATEWAY,
    MONDAY,
    NEXT_MONDAY,
    REACHES_WAN,
    SCHOOL_1,
    SUNDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    ZONE,
    World,
    after,
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


def test_what_was_judged_is_not_judged_again_and_recomputing_gives_the_same(store: Store) -> None:
    """The second run reads its days back; with --recompute all are judged again, to the same runs and verdicts."""
    world = World()
    world.works(CLASS_1, MONDAY)
    world.works(CLASS_2, MONDAY, "07:30", "09:10")
    world.works(CLASS_2, MONDAY, "10:00")
    world.write(store)
    first = asked(store, last=MONDAY)
    stored = runs(store)
    again = asked(store, last=MONDAY)
    anew = asked(store, last=MONDAY, recompute=True)
    assert units(first) == units(again) == units(anew)
    assert (again.reused, again.judged) == (3, 0)
    assert (anew.reused, anew.judged) == (0, 3)
    assert runs(store) == stored


def test_late_evidence_changes_the_day_that_it_is_of(store: Store) -> None:
    """A batch of Tuesday that comes after the week was judged makes Tuesday known, and no other day different."""
    world = World()
    for day in WEEK:
        if day != TUESDAY:
            world.works(CLASS_1, day, booted="07:25")
    world.write(store)
    asked(store)
    before = runs(store)
    world.works(CLASS_1, TUESDAY)
    world.late(CLASS_1, at(TUESDAY, "07:30"), at(TUESDAY, "18:00"), now_ns())
    world.write(store)
    asked(store)
    changed = {key for key, text in runs(store).items() if before[key] != text}
    assert changed == {(CLASS_1, TUESDAY)}
    assert runs(store)[CLASS_1, TUESDAY] == "480+240w"


def test_an_open_friday_gets_its_cause_on_monday(store: Store) -> None:
    """A class that goes dark on Friday is unknown until it is switched on again, which says that it had no power."""
    world = World()
    world.works(CLASS_1, FRIDAY, "07:30", "09:00")
    world.write(store)
    asked(store, first=FRIDAY, last=FRIDAY, horizon_ns=after(FRIDAY))
    assert runs(store)[CLASS_1, FRIDAY] == "480+60w 540+180u"
    world.works(CLASS_1, NEXT_MONDAY)
    world.write(store)
    asked(store, first=FRIDAY, last=FRIDAY)
    assert runs(store)[CLASS_1, FRIDAY] == "480+60w 540+1u 541+179p"


@pytest.mark.parametrize("stop_marks", [None, 0])
def test_without_a_supervisor_nothing_tells_a_power_cut(store: Store, stop_marks: int | None) -> None:
    """Where nobody leaves a mark when the agent is killed, a gap that ends in another boot may have been that."""
    world = World()
    world.works(CLASS_1, FRIDAY, "07:30", "09:00", stop_marks=stop_marks)
    world.works(CLASS_1, NEXT_MONDAY, stop_marks=stop_marks)
    world.write(store)
    asked(store, first=FRIDAY, last=FRIDAY)
    assert runs(store)[CLASS_1, FRIDAY] == "480+60w 540+180u"


def test_a_supervisor_that_comes_later_says_nothing_of_before(store: Store) -> None:
    """What an agent says in the hours and the day before counts; else what it said the last time before."""
    world = World()
    world.works(CLASS_1, FRIDAY, "07:30", "09:00", stop_marks=None)
    world.works(CLASS_1, NEXT_MONDAY)
    world.write(store)
    asked(store, first=FRIDAY, last=FRIDAY)
    assert runs(store)[CLASS_1, FRIDAY] == "480+60w 540+180u"


def test_another_speaker_in_the_roster_is_another_question(store: Store) -> None:
    """Days are judged again when the roster that is in force on them names another agent for a device."""
    World().write(store)
    asked(store, last=TUESDAY)
    gateway = Device(GATEWAY, "gateway")
    changed = roster(Device(CLASS_1, "classroom", agent=GATEWAY), Device(CLASS_2, "classroom"), gateway)
    found = asked(store, last=TUESDAY, rosters=[(MONDAY, roster(Device(CLASS_1, "classroom"))), (TUESDAY, changed)])
    assert (found.reused, found.judged) == (2, 1)  # Tuesday of class 1 alone


def test_an_empty_store_proves_nothing_and_fails_nobody(store: Store) -> None:
    """Without any evidence every unit is unproven, and so is the target."""
    found = asked(store)
    assert found.targets[0][0].verdict is Verdict.NOT_PROVEN
    assert {verdict for verdict, _ in units(found).values()} == {Verdict.NOT_PROVEN}


def test_a_store_that_fails_half_way_leaves_days_that_are_right(store: Store) -> None:
    """The error comes through, no verdict does; the next run goes on, and says what it would have said at once."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
    world.write(store)

    class Failing:
        """A store whose third write fails."""

        def __init__(self) -> None:
            self.writes = 0

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def write(self, retention: Retention, lines: bytes) -> list[Poison]:
            """Take two writes."""
            self.writes += 1
            if self.writes > 2:
                raise StoreUnavailable("away")
            return store.write(retention, lines)

    with pytest.raises(StoreUnavailable):
        asked(cast("Store", Failing()))
    found = asked(store)
    assert (found.reused, found.judged) == (6, 9)
    assert units(found) == units(asked(store, recompute=True))


def test_sums_and_minutes_say_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days that a sum tells are those that come out the same when each of their minutes is looked at."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
        world.works(CLASS_2, day, wan=0)
    world.works(CLASS_3, MONDAY)
    world.works(CLASS_3, TUESDAY, "07:30", "09:30")
    world.works(CLASS_3, WEDNESDAY, "08:30")
    world.works(CLASS_3, THURSDAY, "07:30", "10:00")
    world.works(CLASS_3, THURSDAY, "10:00", boot="another", booted="09:59")
    world.write(store)
    target = AVAILABLE._replace(good_when=(REACHES_WAN,))
    monkeypatch.setattr(judging, "WORTH_A_SUM", 0)
    by_sums = asked(store, target, AVAILABLE, recompute=True)
    monkeypatch.setattr(judging, "WORTH_A_SUM", 10**9)
    by_minutes = asked(store, target, AVAILABLE, recompute=True)
    assert units(by_sums) == units(by_minutes)
    assert units(by_sums)[CLASS_2] == (Verdict.FAIL, {"wan_down": 1200})
    assert units(by_sums)[CLASS_3][1]["working"] == 240 + 90 + 211 + 239


def test_who_reports_and_who_is_at_risk(store: Store) -> None:
    """Whoever was there in the period reports, if only a batch came; at risk is who was silent on the last two days."""
    world = World()
    for day in WEEK:
        world.works(CLASS_1, day)
    world.works(CLASS_2, MONDAY)
    world.works(CLASS_2, WEDNESDAY, "13:00", "14:00")  # not in the hours
    world.add("delivery", CLASS_3, at(THURSDAY), {"seq": 1})
    world.write(store)
    reports = AVAILABLE._replace(id=Slug("reports"), good_when=(), rule=Rule(reporting=True))
    nobody = Device(f"{SCHOOL_1}.c0703", "classroom")
    everybody = roster(*roster().devices.values(), nobody)
    for recompute in (False, False, True):
        found = asked(store, reports, AVAILABLE, rosters=[(MONDAY, everybody)], recompute=recompute)
        verdicts = {name: verdict for name, (verdict, _) in units(found).items()}
        assert verdicts == {
            CLASS_1: Verdict.PASS, CLASS_2: Verdict.PASS, CLASS_3: Verdict.PASS, nobody.id: Verdict.NOT_PROVEN
        }  # fmt: skip
        silent = {one.device: one.last_seen_ns for one in found.rates.reporting.at_risk}
        assert silent == {CLASS_2: at(WEDNESDAY, "14:00"), CLASS_3: None, nobody.id: None}
