"""Verification from an archive alone: device-days, findings, verdicts and rates as from the store."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from collector import evidence
from collector.archive.compare import Comparison
from collector.archive.load import load
from collector.asked import Questions, days_between
from collector.calendars.load import load as load_calendars
from collector.doubts import read_findings
from collector.evidence import Sources, export
from collector.records import read_records
from collector.roster.schema import Device
from collector.roster.versions import Versions
from collector.store.base import DAY_NS, Store
from collector.store.sqlite import SqliteStore
from collector.targets.load import load as load_targets
from collector.targets.schema import Target
from collector.verification import promise_of, verify
from collector.verify.conclude import Period
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Finding, doubted
from collector.verify.results import Rates, TargetFigures, TargetResult
from tests.collector.archive.archives import archived, scope_of
from tests.collector.verification import rates_world
from tests.collector.verification.rates_world import AP_1, AP_2, AP_3, PC_1, PROJECTOR
from tests.collector.verification.rates_world import GATEWAY as GATEWAY_OF_RATES
from tests.collector.verification.world import (
    AVAILABLE,
    CLASS_1,
    CLASS_2,
    CLASS_3,
    FRIDAY,
    GATEWAY,
    MINUTE_NS,
    MONDAY,
    PROBE,
    REACHES_WAN,
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

Found = tuple[Sequence[DayRecord], Sequence[Finding], Sequence[tuple[TargetResult, TargetFigures]], Rates]
READ_BY_GATEWAY = f"{CLASS_1}0"
PROBED = AVAILABLE._replace(id="probed", good_when=(PROBE,))  # type: ignore[arg-type]


def judged(store: Store, first: date, last: date, horizon_ns: int, targets: Sequence[Target] = ()) -> Found:
    """Return records, findings, verdicts and rates of some days of the small world, judged anew."""
    gateway = Device(READ_BY_GATEWAY, "classroom", agent=GATEWAY)
    devices = (*(Device(one, "classroom") for one in (CLASS_1, CLASS_2, CLASS_3)), gateway)
    period = Period(first, last, [(MONDAY, roster(*devices))])
    asked_of = targets or (AVAILABLE, AVAILABLE._replace(id="wan", good_when=(REACHES_WAN,)), PROBED)  # type: ignore[arg-type]
    promise = promise_of(period, ZONE, schedule_of, asked_of)
    findings = read_findings(store, promise.start_ns, promise.end_ns)
    questions = Questions(promise, doubted(findings))
    records = read_records(store, questions, horizon_ns, lambda *_: None, recompute=True)
    whole = verify(store, promise, horizon_ns, recompute=True)
    return list(records), findings, whole.targets, whole.rates


def eventful() -> World:
    """Return a world in which what decides of Wednesday and Thursday lies before and after them."""
    world = World()
    # Alive until weeks before, and again on Friday: the gap over both days is told by what lies around it.
    world.works(CLASS_1, MONDAY - timedelta(days=40), "08:00", "08:30", boot="old")
    world.works(CLASS_1, FRIDAY, "09:00", "10:00")
    world.add(
        "stop",
        CLASS_1,
        at(MONDAY - timedelta(days=30), "10:00"),
        {"boot": "old", "reason": "shutdown", "asleep_s": 0.0},
    )
    # Half an identity of long ago that says nothing of marks must not hide the one before it.
    world.add("identity", CLASS_1, at(MONDAY - timedelta(days=20)), {"serial": "S1"})
    world.add("presence", CLASS_1, at(MONDAY - timedelta(days=20)), {"broker": 1})
    # Asleep over the first hours; a boot without a clock comes with a delivery of Friday, and one of a month before.
    world.works(CLASS_2, TUESDAY, "08:00", "23:59")
    world.works(CLASS_2, WEDNESDAY, "09:00", "18:00")
    world.works(CLASS_2, THURSDAY, "10:00", "11:00")
    world.add("delivery", CLASS_2, at(FRIDAY, "12:00"), {"epoch": "e", "seq": 1, "held": 4})
    world.add("delivery", CLASS_2, at(FRIDAY, "12:01"), {"epoch": "e", "seq": 2})
    world.add("delivery", CLASS_1, at(MONDAY - timedelta(days=35)), {"epoch": "d", "seq": 9, "held": 1})
    # Two machines with one number, in the week before.
    for hour, serial in enumerate(("A", "B", "A", "B", "A")):
        time_ns = at(MONDAY, f"{8 + hour:02}:00")
        world.add("identity", CLASS_3, time_ns, {"serial": serial, "gateway_mac": f"m{serial}", "version": "1"})
        world.add(
            "presence", CLASS_3, time_ns, {"boot": serial, "uptime_s": 600.0, "asleep_s": 0.0, "lan": 1, "wan": 1}
        )
    world.works(CLASS_3, WEDNESDAY, "07:00", "13:00")
    # A device that a gateway reads once an hour, last before the day began.
    for number in range(60 * 14):
        time_ns = at(TUESDAY, "20:00") + number * MINUTE_NS
        fields = {"success": number % 7 and 1, "rtt_ms": 1.5, "stage": "http"}
        for device, source in ((READ_BY_GATEWAY, GATEWAY), (CLASS_3, "")):
            world.add("probe", device, time_ns, fields, {"kind": "http", "target": "x"}, source)
    world.works(GATEWAY, WEDNESDAY, "00:00", "23:59")
    return world


@pytest.mark.parametrize(("first", "last"), [(WEDNESDAY, THURSDAY), (WEDNESDAY, WEDNESDAY), (THURSDAY, THURSDAY)])
def test_what_lies_around_a_period_is_in_its_archive(store: Store, tmp_path: Path, first: date, last: date) -> None:
    """Gaps that begin weeks before or end days after, clones, boots without a clock: the same from the archive."""
    eventful().write(store)
    scope = scope_of(*sorted({first, last}), made_ns=now_ns())._replace(observed=[READ_BY_GATEWAY])
    with archived(store, tmp_path, scope) as archive:
        loaded = load(archive, tmp_path / "loaded.sqlite")
        assert judged(loaded, first, last, scope.made_ns) == judged(store, first, last, scope.made_ns)
        loaded.close()


def test_days_within_an_archive_can_be_verified_alone(store: Store, tmp_path: Path) -> None:
    """An archive of a week answers for each of its days as the store does."""
    eventful().write(store)
    days = [MONDAY + timedelta(days=number) for number in range(5)]
    scope = scope_of(*days, made_ns=now_ns())._replace(observed=[READ_BY_GATEWAY])
    with archived(store, tmp_path, scope) as archive:
        loaded = load(archive, tmp_path / "loaded.sqlite")
        for day in days:
            assert judged(loaded, day, day, scope.made_ns) == judged(store, day, day, scope.made_ns), day
        loaded.close()


def test_nothing_of_another_week_is_in_an_archive(store: Store, tmp_path: Path) -> None:
    """What verification does not read stays out: of presence before, the minutes before midnight and the last ones."""
    eventful().write(store)
    with archived(store, tmp_path, scope_of(WEDNESDAY, THURSDAY)) as archive:
        before = list(archive.lines(archive.manifest.scope.parts[0]))
    of_class_2 = [line for line in before if line.startswith(f"presence,device={CLASS_2} ".encode())]
    assert [int(line[-20:]) for line in of_class_2] == [at(TUESDAY, "23:58"), at(TUESDAY, "23:59")]
    assert not [line for line in before if int(line[-20:]) < at(WEDNESDAY) - 91 * DAY_NS]


@pytest.mark.parametrize("number", range(4))
def test_a_lively_city_is_judged_alike_from_an_archive_of_each_of_its_days(
    city: Path, tmp_path: Path, number: int
) -> None:
    """Everything that breaks in a simulated city comes out the same: records, findings, verdicts, rates."""
    store = SqliteStore(city / "santong.sqlite")
    calendars = load_calendars(city / "calendars.yaml")
    (version,) = Versions(city).every()
    day = version.effective + timedelta(days=number)
    made_ns, file = now_ns(), tmp_path / "day.zip"
    export(file, store, Sources(city), (day, day), made_ns)
    period = Period(day, day, [(version.effective, Versions(city).roster(version))])
    promise = promise_of(period, calendars.zone, calendars.day, load_targets().targets)

    def found(one: Store) -> Found:
        findings = read_findings(one, promise.start_ns, promise.end_ns)
        questions = Questions(promise, doubted(findings))
        records = read_records(one, questions, made_ns, lambda *_: None, recompute=True)
        whole = verify(one, promise, made_ns, recompute=True)
        return list(records), findings, whole.targets, whole.rates

    with evidence.opened(file) as opened:
        assert found(opened.store) == found(store)
        assert Versions(opened.data).in_force(day) == version
        assert not opened.is_of_other_rules
    store.close()


def rates_of(store: Store, first: date, last: date, horizon_ns: int) -> Rates:
    """Return the rates of some days of the world of rates.md."""
    promise = promise_of(Period(first, last, [(MONDAY, rates_world.ROSTER)]), ZONE, schedule_of, [AVAILABLE])
    return verify(store, promise, horizon_ns, recompute=True).rates


@pytest.mark.parametrize(
    ("first", "last"), [(MONDAY, WEDNESDAY), (TUESDAY, WEDNESDAY), (WEDNESDAY, FRIDAY), (THURSDAY, FRIDAY)]
)
def test_rates_are_the_same_from_an_archive(store: Store, tmp_path: Path, first: date, last: date) -> None:
    """What tells models, firmware and silence lies before the period, also what others said of a device or saw."""
    world = rates_world.world()
    # Answers of long ago, and of the hour before; the newest of all is no answer.
    ping = {"kind": "icmp", "target": "it"}
    for day, clock, success in ((MONDAY - timedelta(days=60), "10:00", 1), (FRIDAY, "09:00", 0)):
        world.add("probe", AP_2, at(day, clock), {"success": success, "stage": "reply"}, ping, AP_1)
    world.add("probe", AP_3, at(TUESDAY, "23:30"), {"success": 1}, ping, AP_1)
    world.add("probe", AP_3, at(TUESDAY, "23:30"), {"success": 1}, {"kind": "http", "target": "it"}, AP_1)
    # The newest identity names no profile; the newest firmware no version.
    world.add("identity", PC_1, at(MONDAY, "17:00"), {"serial": "S", "version": "1"})
    world.add("firmware", PROJECTOR, at(MONDAY, "09:00"), {"version": "7"}, source=GATEWAY_OF_RATES)
    world.add("firmware", PROJECTOR, at(MONDAY, "17:00"), {"compliant": 0}, source=GATEWAY_OF_RATES)
    world.add("display", PROJECTOR, at(MONDAY, "22:00"), {"power": "off"}, source=GATEWAY_OF_RATES)
    world.write(store)
    observed = (PROJECTOR, AP_2, AP_3)
    scope = scope_of(*days_between(first, last), made_ns=now_ns())._replace(observed=observed)
    with archived(store, tmp_path, scope) as archive:
        assert archive.scope.observed == list(observed)
        loaded = load(archive, tmp_path / "loaded.sqlite")
        found = rates_of(loaded, first, last, scope.made_ns)
        assert found == rates_of(store, first, last, scope.made_ns)
        assert list(Comparison(archive, store)) == []
        loaded.close()
    silent = {one.device: one.last_seen_ns for one in found.reporting.at_risk}
    assert silent.get(AP_2, 0) == at(MONDAY - timedelta(days=60), "10:00")


def test_the_boot_after_one_without_a_clock_is_in_an_archive(store: Store, tmp_path: Path) -> None:
    """A power cut stays one, though batches without a clock came weeks later: another boot had begun before them."""
    world = World()
    world.works(CLASS_1, TUESDAY, "07:00", "18:00", boot="a")
    world.works(CLASS_1, WEDNESDAY, "07:00", "10:00", boot="b")
    world.works(CLASS_1, FRIDAY, "07:00", "09:00", boot="c")
    world.works(CLASS_1, FRIDAY + timedelta(days=3), "07:00", "08:00", boot="d")
    world.add("delivery", CLASS_1, at(FRIDAY + timedelta(days=6)), {"epoch": "e", "seq": 1, "held": 4})
    world.write(store)
    horizon_ns = at(FRIDAY + timedelta(days=8))
    scope = scope_of(WEDNESDAY, made_ns=horizon_ns)
    with archived(store, tmp_path, scope) as archive:
        loaded = load(archive, tmp_path / "loaded.sqlite")
        assert judged(loaded, WEDNESDAY, WEDNESDAY, horizon_ns) == judged(store, WEDNESDAY, WEDNESDAY, horizon_ns)
        loaded.close()
        after = [line for line in archive.lines(archive.manifest.scope.parts[-1]) if line.startswith(b"presence")]
    assert [int(line[-20:]) for line in after][-1] == at(FRIDAY + timedelta(days=3), "07:00")
