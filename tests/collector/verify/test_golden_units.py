"""Sums, days and verdicts of units, against a table that was computed by hand: golden_units.md."""

import re
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.calendars.schedule import Hours
from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Condition, Proof, Rule, Target
from collector.verify.causes import MINUTE_NS, Cause, Run
from collector.verify.conclude import Conclusion, Period
from collector.verify.evidence import DayRecord
from collector.verify.results import TargetResult
from firmware_profiles.schema import Slug, Title

TABLE = Path(__file__).parent / "golden_units.md"
LETTERS = {
    "w": Cause.WORKING, "s": Cause.SERVICE_DOWN, "n": Cause.WAN_DOWN, "l": Cause.LAN_DOWN, "p": Cause.POWER_OFF,
    "z": Cause.ASLEEP, "a": Cause.AGENT_DOWN, "u": Cause.UNKNOWN, "x": Cause.EXCLUDED,
}  # fmt: skip
DAY_NS = 86_400_000_000_000
FIRST = date(2026, 9, 1)
START_NS = 1_788_192_000_000_000_000
PROOF = (Proof((Condition("probe.success", equals=("1",)),)),)
HOTSPOTS = Target(Slug("hotspots"), Title("热点", "hotspots"), good_when=PROOF, rule=Rule(availability=0.9), share=1.0)
CLASSES = Target(
    Slug("classes"), Title("班级", "classes"), unit="class", hours=Hours.LESSONS, good_when=PROOF,
    counts={Cause.POWER_OFF: "excluded", Cause.ASLEEP: "excluded"}, rule=Rule(days=0.9, minutes=40), share=1.0,
)  # fmt: skip


class Case(NamedTuple):
    """A row of the table."""

    target: Target
    name: str
    days: str
    low: Fraction
    high: Fraction
    verdict: str


def cases() -> Iterator[Case]:
    """Yield the rows of the table."""
    target = HOTSPOTS
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            target = CLASSES if line.startswith("## Classes") else HOTSPOTS
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and re.search(r"\d", cells[1]):
            yield Case(target, cells[0], cells[1], Fraction(cells[2]), Fraction(cells[3]), cells[4])


def records(target: Target, device: str, days: str) -> Iterator[DayRecord]:
    """Yield the days of a row, as they were judged."""
    for number, day in enumerate(days.split("/")):
        at = day_start = START_NS + number * DAY_NS
        runs = []
        for count, letter in re.findall(r"(\d+)([a-z])", day):
            runs.append(Run(at, int(count), LETTERS[letter]))
            at += int(count) * MINUTE_NS
        yield DayRecord(device, day_start, target.criterion.id, tuple(runs))


def conclude(target: Target, roster: Roster, found: dict[str, str]) -> TargetResult:
    """Return the verdict over devices and their days."""
    conclusion = Conclusion([target], Period(FIRST, date(2026, 9, 30), [(FIRST, roster)]))
    for device, days in found.items():
        for record in records(target, device, days):
            conclusion.add(record)
    ((result, _),) = conclusion.finish()
    return result


def roster(*devices: Device, declared: int | None = None) -> Roster:
    """Return a roster of one school with these devices."""
    site = Site("441802-1", "示例小学", declared_classes=declared, declared_source="2026年秋季报表")
    return Roster({site.id: site}, {device.id: device for device in devices})


C1, C2 = Device("441802-1.c1", "classroom", "r1", "七(1)班"), Device("441802-1.c2", "classroom", "r2", "七(2)班")


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_a_unit_comes_to_what_was_computed_by_hand(case: Case) -> None:
    """Rates and verdict of each row are those of the table."""
    result = conclude(case.target, roster(C1), {C1.id: case.days})
    (unit,) = result.units
    assert unit.rate is not None
    assert (unit.verdict, unit.rate.low, unit.rate.high) == (case.verdict, float(case.low), float(case.high))


def test_an_empty_scope_proves_nothing() -> None:
    """A target about which the roster has nothing is not proven, and says why."""
    result = conclude(HOTSPOTS, Roster({}, {}), {})
    assert (result.verdict, result.why, result.units) == ("not_proven", "empty_scope", ())


def test_declared_classes_without_a_room_stay_unproven() -> None:
    """A school declares three classes and has rooms for two: the third is in the denominator, unproven."""
    result = conclude(CLASSES, roster(C1, C2, declared=3), {C1.id: "240w", C2.id: "240w"})
    assert [(unit.verdict, unit.why) for unit in result.units] == [
        ("not_proven", "undelivered"), ("pass", "days_pass"), ("pass", "days_pass"),
    ]  # fmt: skip
    assert result.verdict == "not_proven"
    assert result.rate is not None
    assert (result.rate.low, result.rate.high) == (2 / 3, 1.0)


def test_a_renamed_class_is_one_class() -> None:
    """A device was replaced by another in the same room: the room's days are both devices' days."""
    successor = Device("441802-1.c9", "classroom", "r1", "八(1)班", valid_from=date(2026, 9, 2))
    old = C1._replace(valid_to=date(2026, 9, 1), successor=successor.id)
    days = {old.id: "240w", successor.id: "0w / 240w"}
    found = conclude(CLASSES, roster(old, successor), days)
    (unit,) = found.units
    assert (unit.id, unit.figures["days_good"]) == ("441802-1/r1", 2)


def test_the_better_platform_of_a_room_counts() -> None:
    """Two platforms in one room: lessons could be held where one of them worked."""
    second = Device("441802-1.p1", "classroom", "r1", "七(1)班")
    (unit,) = conclude(CLASSES, roster(C1, second), {C1.id: "240s", second.id: "240w"}).units
    assert (unit.verdict, unit.minutes) == ("pass", {"working": 240})


@pytest.mark.parametrize(
    ("good", "unknown", "bad", "verdict"), [(3, 0, 1, "pass"), (2, 1, 1, "not_proven"), (2, 0, 2, "fail")]
)
def test_a_number_was_promised(good: int, unknown: int, bad: int, verdict: str) -> None:
    """Of at least three access points three are proven, may be, or cannot be."""
    target = HOTSPOTS._replace(share=None, at_least=3)
    days = ["480w"] * good + ["480u"] * unknown + ["480s"] * bad
    devices = [Device(f"441802-1.ap{number}", "access-point") for number in range(len(days))]
    found = conclude(target, roster(*devices), {d.id: day for d, day in zip(devices, days, strict=True)})
    assert found.verdict == verdict


def test_after_the_deadline_unknown_is_a_failure_where_the_target_says_so() -> None:
    """The promise was due in 2016: what is not proven in 2026 has failed, if the target wants that."""
    from collector.targets.schema import Day  # noqa: PLC0415

    target = HOTSPOTS._replace(deadline=Day(2016, 12, 31), after_deadline="fail")
    found = conclude(target, roster(C1), {C1.id: "480u"})
    assert (found.verdict, found.units[0].why) == ("fail", "after_deadline")
    assert conclude(HOTSPOTS, roster(C1), {C1.id: "480u"}).verdict == "not_proven"
