"""Further rates from a store: those that were counted by hand in rates.md, from SQLite and from a real influxd."""

from datetime import timedelta

import pytest

from collector import deliveries, lessons
from collector.rates import POINT_BY_POINT, device_days
from collector.roster.schema import Device, Roster
from collector.store.base import Store
from collector.verification import Verified, promise_of, verify
from collector.verify.conclude import Period
from collector.verify.results import Equipped, Silent
from tests.collector.verification import rates_world
from tests.collector.verification.rates_world import AP_1, AP_2, AP_3, PC_1, PC_2, PC_3, PROJECTOR, ROSTER
from tests.collector.verification.world import (
    AVAILABLE,
    MINUTE_NS,
    MONDAY,
    TUESDAY,
    WEDNESDAY,
    ZONE,
    World,
    at,
    now_ns,
    schedule_of,
)


def asked(store: Store, roster: Roster = ROSTER, *, all_points: bool = True) -> Verified:
    """Return what verification says of Monday to Wednesday."""
    promise = promise_of(Period(MONDAY, WEDNESDAY, [(MONDAY, roster)]), ZONE, schedule_of, [AVAILABLE])
    return verify(store, promise, now_ns(), all_points=all_points)


def test_rates_are_those_counted_by_hand(store: Store) -> None:
    """Every line of the last table of rates.md comes out, and no other."""
    rates_world.world().write(store)
    found = asked(store)
    assert rates_world.found_in(found.rates) == rates_world.by_hand()
    assert found.left_out == ()


def test_what_is_named_is_the_right_thing(store: Store) -> None:
    """The projector of another model, devices never seen, and when the silent ones were seen last."""
    rates_world.world().write(store)
    rates = asked(store).rates
    assert rates.equipment.other == (Equipped(PROJECTOR, "pjlink-projector", "pjlink-panel"),)
    assert set(rates.equipment.never) == {PC_3, AP_2}
    assert rates.reporting.at_risk[2:] == (
        Silent(AP_3, 2, at(MONDAY, "10:00")), Silent(AP_1, 2, at(MONDAY, "18:00")),
    )  # fmt: skip
    (dhcp,) = [stage for stage in rates.journeys.total[0].stages if stage.stage == "dhcp"]
    assert dhcp.p50_ms == pytest.approx(100, rel=0.01)


def test_what_takes_every_point_is_left_out_on_request(store: Store) -> None:
    """Journeys by probes, use and completeness are empty and named as left out; all else is the same."""
    rates_world.world().write(store)
    whole, some = asked(store), asked(store, all_points=False)
    assert some.left_out == POINT_BY_POINT
    assert (some.rates.usage.lessons, some.rates.delivery) == ((), ())
    assert [one.kind for one in some.rates.journeys.total] == ["throughput"]
    kept = ("operators", "equipment", "firmware", "reporting")
    assert [getattr(some.rates, name) for name in kept] == [getattr(whole.rates, name) for name in kept]


def test_many_devices_are_asked_about_as_few_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where devices are too many to be named in a question, and agents come one by one, the rates are the same."""
    rates_world.world().write(store)
    monkeypatch.setattr(lessons, "NAMED", 0)
    monkeypatch.setattr(deliveries, "NAMED", 0)
    monkeypatch.setattr(deliveries, "AGENTS_AT_ONCE", 1)
    assert rates_world.found_in(asked(store).rates) == rates_world.by_hand()


def test_a_part_of_the_programme_has_rates_of_its_own(store: Store) -> None:
    """With the roster of one school alone nothing of others is counted, whatever the store has."""
    rates_world.world().write(store)
    school = ROSTER.devices[PC_1].site
    part = Roster(
        {school: ROSTER.sites[school]}, {name: one for name, one in ROSTER.devices.items() if one.site == school}
    )
    found = rates_world.found_in(asked(store, part).rates)
    assert found["came"] == "school-1.c0701 5/0, school-1.c0702 2/1, school-1.gw 3/0"
    assert found["reporting"] == "4 of 4"
    assert found["lesson 2"] == "used 2, unused 1, unknown 3"
    assert not {name for name in found if name.startswith(("journeys", "stage", "contracts 移动", "rate of"))}


def test_without_any_evidence_nothing_is_claimed(store: Store) -> None:
    """An empty store: nothing is proven, every lesson is unknown, nothing came and nothing is said to be missing."""
    rates = asked(store).rates
    assert (rates.journeys.total, rates.delivery) == ((), ())
    assert {lesson.rate for lesson in rates.usage.lessons} == {(0.0, 1.0)}
    assert len(rates.equipment.never) == rates.reporting.devices == len(rates.reporting.at_risk) == 8
    assert {one.rate for one in rates.firmware} == {(0.0, 1.0)}


def test_of_two_machines_in_a_room_both_must_be_off(store: Store) -> None:
    """A room with two computers has a lesson without use only when both were off all through it."""
    world = World()
    for device in (PC_1, PC_2):
        world.works(device, MONDAY)
        world.works(device, WEDNESDAY)
    world.works(PC_2, TUESDAY, "09:05", "10:00")
    world.write(store)
    devices = [Device(PC_1, "classroom", "7-1"), Device(PC_2, "classroom", "7-1")]
    found = asked(store, Roster(ROSTER.sites, {device.id: device for device in devices}))
    tuesday = [(lesson.used, lesson.unused, lesson.unknown) for lesson in found.rates.usage.lessons]
    assert tuesday == [(0, 1, 2), (0, 0, 3)]


def test_a_room_has_lessons_from_the_day_on_that_it_counts(store: Store) -> None:
    """Monday's lessons of devices that are commissioned on Tuesday are not asked about."""
    rates_world.world().write(store)
    late = {name: one._replace(commissioned_on=TUESDAY) for name, one in ROSTER.devices.items()}
    found = rates_world.found_in(asked(store, Roster(ROSTER.sites, late)).rates)
    assert found["lesson 1"] == "used 0, unused 1, unknown 5"


def test_what_another_writer_left_is_no_batch(store: Store) -> None:
    """A delivery point without epoch or number, which no collector writes, counts for nothing and breaks nothing."""
    world = rates_world.world()
    world.add("delivery", PC_1, at(TUESDAY, "09:00"), {"lines": 3})
    world.add("delivery", PC_2, at(MONDAY, "09:00"), {"epoch": "ff" * 4})
    world.write(store)
    assert rates_world.found_in(asked(store).rates)["came"] == rates_world.by_hand()["came"]


def test_how_large_a_question_is() -> None:
    """Device-days are days × devices of the roster at the end: what the command line decides by."""
    promise = promise_of(Period(MONDAY, WEDNESDAY, [(MONDAY, ROSTER)]), ZONE, schedule_of, [AVAILABLE])
    assert device_days(promise) == 3 * 8
    assert promise.end_ns - promise.start_ns == 3 * timedelta(days=1) // timedelta(minutes=1) * MINUTE_NS
