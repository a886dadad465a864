"""What the judged days of a site add up to is always what its days say: in SQLite and in a real influxd."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from collector.days import Judged, day_line, write_days
from collector.roster.schema import Device, Roster
from collector.site_days import SUMS, Owed, name_of, owed_by
from collector.store.base import Poison, Store, StoreUnavailable
from collector.targets.schema import Rule, Target
from collector.verification import promise_of, verify
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Period
from collector.verify.evidence import DayRecord
from contract.measurements import TABLE, Retention
from contract.names import site_of
from firmware_profiles.schema import Slug
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    FRIDAY,
    MONDAY,
    SCHOOL_1,
    SUNDAY,
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

# A class is good on a day when it worked for 100 minutes; off is nobody's fault.
BY_DAYS = AVAILABLE._replace(
    rule=Rule(days=0.9, minutes=100), counts={Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded"}
)
Sums = dict[tuple[str, str, int], dict[str, Any]]


def judge(
    store: Store,
    target: Target = BY_DAYS,
    *,
    rosters: Sequence[tuple[date, Roster]] = (),
    recompute: bool = False,
) -> tuple[int, int]:
    """Verify the week; return how many days were reused, and how many judged."""
    period = Period(MONDAY, SUNDAY, rosters or [(MONDAY, roster())])
    found = verify(store, promise_of(period, ZONE, schedule_of, (target,)), now_ns(), recompute=recompute)
    return found.reused, found.judged


def sums(store: Store) -> Sums:
    """Return the stored sums of the week."""
    rows = list(store.select(SUMS, at(MONDAY), after(SUNDAY)))
    assert all(row.device == row.source == name_of(site_of(row.device)) for row in rows)
    return {(site_of(row.device), dict(row.tags)["criterion"], row.time_ns): row.fields for row in rows}


def added_up(store: Store, target: Target = BY_DAYS) -> Sums:
    """Return what the points of the devices come to, added up one by one."""
    meanings = {cause: target.meaning(cause) for cause in Cause}
    found: Sums = defaultdict(lambda: defaultdict(int))
    for row in store.select("availability", at(MONDAY), after(SUNDAY)):
        minutes = {cause: int(row.fields[cause]) for cause in Cause}
        good = sum(minutes[cause] for cause in Cause if meanings[cause] == "good")
        unknown = sum(minutes[cause] for cause in Cause if meanings[cause] == "unknown")
        fields = found[site_of(row.device), dict(row.tags)["criterion"], row.time_ns]
        for cause in Cause:
            fields[cause] += minutes[cause]
        fields["days"] += 1
        fields["counted"] += any(minutes[cause] for cause in Cause if meanings[cause] != "excluded")
        fields["proven"] += good >= target.rule.minutes
        fields["possible"] += good + unknown >= target.rule.minutes
        fields["judged"] = max(fields["judged"], row.fields["judged"])
        fields["rule"] = owed_by([target])[target.criterion.id].text
    return {key: dict(fields) for key, fields in found.items()}


def worked(*devices: str, days: Sequence[date] = (MONDAY, TUESDAY, WEDNESDAY)) -> World:
    """Return evidence of devices that worked on some days, the second one for an hour alone."""
    world = World()
    for day in days:
        for number, device in enumerate(devices):
            world.works(device, day, *(("07:30", "09:00") if number == 1 else ()))
    return world


def test_a_judged_week_adds_up(store: Store) -> None:
    """Each site has a point a day, with minutes by cause, and the days that count, are good, and may have been."""
    worked(CLASS_1, CLASS_2).write(store)
    assert judge(store) == (0, 15)
    found = sums(store)
    assert found == added_up(store)
    assert len(found) == 10, "two sites, five school days"
    monday = found[SCHOOL_1, BY_DAYS.criterion.id, at(MONDAY)]
    assert monday.keys() == {field.name for field in TABLE[SUMS].fields}
    assert (monday["days"], monday["counted"], monday["proven"], monday["possible"]) == (2, 2, 1, 1)
    friday = found[SCHOOL_1, BY_DAYS.criterion.id, at(FRIDAY)]
    assert (friday["unknown"], friday["proven"], friday["possible"]) == (480, 0, 2)


def test_days_that_are_judged_again_change_their_sums(store: Store) -> None:
    """Evidence that comes late changes one device's day: the sums have it, and the other devices of the site still."""
    worked(CLASS_1, CLASS_2).write(store)
    judge(store)
    before = sums(store)
    late = worked(CLASS_1, days=[FRIDAY])
    late.late(CLASS_1, at(FRIDAY, "07:30"), at(FRIDAY, "18:00"), now_ns())
    late.write(store)
    reused, judged = judge(store)
    assert reused and judged
    key = SCHOOL_1, BY_DAYS.criterion.id, at(FRIDAY)
    assert (before[key]["proven"], sums(store)[key]["proven"], sums(store)[key]["days"]) == (0, 1, 2)
    assert sums(store) == added_up(store)


def test_a_device_that_retires_leaves_the_sums_and_not_the_days_before(store: Store) -> None:
    """A version that comes in between, and a last day: each day has the devices that were there."""
    worked(CLASS_1, CLASS_2).write(store)
    there = [Device(CLASS_1, "classroom", valid_to=TUESDAY), Device(CLASS_3, "classroom")]
    versions = [(MONDAY, roster()), (WEDNESDAY, roster(*there, Device(f"{SCHOOL_1}.new", "classroom")))]
    judge(store, rosters=versions)
    assert sums(store) == added_up(store)
    days = [sums(store)[SCHOOL_1, BY_DAYS.criterion.id, at(day)]["days"] for day in (MONDAY, TUESDAY, WEDNESDAY)]
    assert days == [2, 2, 1]


def test_days_of_a_device_that_nobody_asks_about_any_more_stay(store: Store) -> None:
    """A later roster without a device does not take its stored days back, and the sums agree with them."""
    worked(CLASS_1, CLASS_2).write(store)
    judge(store)
    fewer = [(MONDAY, roster(Device(CLASS_1, "classroom"), Device(CLASS_3, "classroom")))]
    assert judge(store, rosters=fewer, recompute=True) == (0, 10)
    assert sums(store) == added_up(store)
    assert sums(store)[SCHOOL_1, BY_DAYS.criterion.id, at(MONDAY)]["days"] == 2


def test_days_that_an_older_version_wrote_get_their_sums(store: Store) -> None:
    """The next verification judges nothing again and writes what is missing."""
    record = DayRecord(CLASS_1, at(MONDAY), BY_DAYS.criterion.id, (Run(at(MONDAY, "08:00"), 240, Cause.WORKING),))
    worked(CLASS_1, CLASS_2).write(store)
    judge(store)
    days = [row for row in store.select("availability", at(MONDAY), after(SUNDAY)) if row.device == CLASS_1]
    judged_ms, inputs = int(days[0].fields["judged"]) + 1, str(days[0].fields["inputs"])
    store.write(Retention.EVIDENCE, day_line(Judged(record, judged_ms, inputs)))
    assert sums(store) != added_up(store), "nobody told the sums"
    assert judge(store) == (15, 0)
    assert sums(store) == added_up(store)


def test_other_minutes_that_are_owed_change_the_sums_alone(store: Store) -> None:
    """A target with another rule and the same criterion: no day is judged again, and what is good is counted anew."""
    worked(CLASS_1, CLASS_2).write(store)
    judge(store)
    less = BY_DAYS._replace(rule=Rule(days=0.9, minutes=30))
    assert judge(store, less) == (15, 0)
    assert sums(store) == added_up(store, less)
    assert sums(store)[SCHOOL_1, less.criterion.id, at(MONDAY)]["proven"] == 2
    assert judge(store, less) == (15, 0), "and once more there is nothing to do"


class Watched:
    """A store that remembers what was written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.bodies: list[bytes] = []

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Write, and remember."""
        self.bodies.append(lines)
        return self._store.write(retention, lines)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_days_and_their_sums_are_one_write(store: Store) -> None:
    """Nothing can come between: a store that takes the days has the sums; a second look writes nothing."""
    watched = Watched(store)
    worked(CLASS_1).write(store)
    judge(watched)  # type: ignore[arg-type]
    bodies = [body for body in watched.bodies if b"availability," in body]
    assert len(bodies) == 5, "one a day"
    for body in bodies:
        names = [line.partition(b",")[0] for line in body.splitlines()]
        assert (names.count(b"availability"), names.count(SUMS.encode())) == (3, 2)
    watched.bodies.clear()
    judge(watched)  # type: ignore[arg-type]
    assert not watched.bodies


def test_a_store_that_is_away_is_no_success(store: Store) -> None:
    """Sums that could not be written are an error, not silence."""
    worked(CLASS_1).write(store)
    judge(store)
    with pytest.raises(StoreUnavailable):
        judge(Away(store), BY_DAYS._replace(rule=Rule(days=0.9, minutes=30)))  # type: ignore[arg-type]


class Away(Watched):
    """A store that can be read and takes nothing."""

    def write(self, retention: Retention, lines: bytes) -> list[Poison]:
        """Fail."""
        raise StoreUnavailable(f"connection refused: {retention}, {len(lines)} bytes")


def test_sums_are_no_evidence_and_no_device(store: Store) -> None:
    """A site's points make nobody report, and change no verdict."""
    worked(CLASS_1).write(store)
    judge(store)
    assert store.devices(at(MONDAY), after(SUNDAY)) == [CLASS_1]
    assert {row.device for row in store.select("availability", at(MONDAY), after(SUNDAY))} == {
        CLASS_1,
        CLASS_2,
        CLASS_3,
    }


def test_of_targets_with_one_criterion_that_of_days_says_what_is_good() -> None:
    """A rule of days is what a class is good by; else the usual 40 minutes, by what causes count as for the target."""
    found = owed_by([AVAILABLE, BY_DAYS])
    assert found == {BY_DAYS.criterion.id: Owed(100, tuple(map(BY_DAYS.meaning, Cause)))}
    assert found[BY_DAYS.criterion.id].text == "100 gbbbeeuue"
    assert owed_by([AVAILABLE._replace(id=Slug("x"))])[AVAILABLE.criterion.id].text == "40 gbbbbbuue"


def test_many_sites_of_several_days_in_pieces_add_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However days come, and in whatever pieces they are written, a sum has all of its site."""
    monkeypatch.setattr("collector.days.DAYS_A_WRITE", 7)
    names = [f"441802-{site}.c{n}" for n in range(3) for site in ("1", "1-a", "2", *(f"3{m:02d}" for m in range(55)))]
    judged = [
        Judged(DayRecord(name, at(day), "x-1", (Run(at(day) + MINUTE_NS, 50 + n, Cause.WORKING),)), 7, "")
        for n, name in enumerate(names)
        for day in (MONDAY, TUESDAY)
    ]
    usual = AVAILABLE._replace(id=Slug("x"))
    write_days(store, judged, {"x-1": owed_by([usual])[usual.criterion.id]})
    assert sums(store) == added_up(store, usual)
    assert len(sums(store)) == 2 * 58
