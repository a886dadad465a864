"""Sums, days, rosters and verdicts of units and targets, against tables that were computed by hand: golden_units.md."""

import re
from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import pytest

from collector.roster.schema import Device, Roster
from collector.targets.schema import Day, Rule, Target
from collector.verify.conclude import Conclusion, Period
from collector.verify.evidence import DayRecord
from collector.verify.results import TargetResult, UnitResult
from tests.collector.verify.golden import CLASSES, FIRST, HOTSPOTS, LAST, SITE, record, records, roster_of, rows

C1 = Device(f"{SITE}.c1", "classroom", "r1", "七(1)班")


def conclude(target: Target, rosters: list[tuple[date, Roster]], found: list[DayRecord]) -> TargetResult:
    """Return the verdict over records in September 2026."""
    conclusion = Conclusion([target], Period(FIRST, LAST, rosters))
    for one in found:
        conclusion.add(one)
    ((result, _),) = conclusion.finish()
    return result


@pytest.mark.parametrize(
    ("target", "row"),
    [(HOTSPOTS, row) for row in rows("Hotspots")] + [(CLASSES, row) for row in rows("Classes")],
    ids=lambda value: value[0] if isinstance(value, list) else str(value.id),
)
def test_a_unit_comes_to_what_was_computed_by_hand(target: Target, row: list[str]) -> None:
    """Rates and verdict of each row are those of the table."""
    _, days, low, high, verdict = row
    (unit,) = conclude(target, [(FIRST, roster_of(C1))], list(records(target, C1.id, days))).units
    assert unit.rate is not None
    assert (unit.verdict, *unit.rate) == (verdict, float(Fraction(low)), float(Fraction(high)))


def versions(text: str) -> list[tuple[date, Roster]]:
    """Return the versions of a roster of the table."""
    declared = 0
    found: list[tuple[date, list[Device]]] = []
    for part in text.split("; "):
        words = part.split()
        if words[0] == "declared":
            declared = int(words[1])
            continue
        since = FIRST
        if words[0] == "since":
            since, words = day(words[1].strip(":")), words[2:]
        if not found or since != FIRST:
            found.append((since, []))
        said = dict(zip(words[1::2], words[2::2], strict=True))
        dates = {name: day(said[word]) for word, name in _DATES.items() if word in said}
        device = Device(f"{SITE}.{words[0]}", "classroom", said.get("in", ""), f"since {since}", **dates)  # type: ignore[arg-type]
        found[-1][1].append(device)
    return [(since, roster_of(*devices, declared=declared or None)) for since, devices in found]


_DATES = {"from": "valid_from", "to": "valid_to", "built": "commissioned_on"}


def day(text: str) -> date:
    """Return a date of 2026, `09-03`."""
    return date.fromisoformat(f"2026-{text}")


def evidence(text: str) -> Iterator[DayRecord]:
    """Yield the records of the table: `c1 09-01..09-02 240w, c1 09-03 240s`."""
    for part in text.split(", "):
        device, days, minutes = part.split(" ", 2)
        first, _, last = days.partition("..")
        for number in range((day(first) - FIRST).days, (day(last or first) - FIRST).days + 1):
            yield record(CLASSES, f"{SITE}.{device}", number, minutes)


def told(unit: UnitResult) -> str:
    """Return a unit as the table tells it."""
    name = re.sub(f"^{SITE}[/.]", "", unit.id)
    if unit.why == "undelivered":
        return f"{name} unproven"
    return f"{name} {unit.figures['days_good']}/{unit.figures['days']} {unit.verdict}"


@pytest.mark.parametrize("row", rows("Rosters"), ids=lambda row: row[0])
def test_units_follow_the_roster_of_each_day(row: list[str]) -> None:
    """Which devices and days make a class is what the table says."""
    _, roster, found, units = row
    result = conclude(CLASSES, versions(roster), list(evidence(found)))
    assert ", ".join(map(told, result.units)) == units


def test_a_renamed_class_has_its_newest_name() -> None:
    """七(1)班 is called 八(1)班 since September 3: so is its history."""
    later = C1._replace(class_name="八(1)班")
    rosters = [(FIRST, roster_of(C1)), (date(2026, 9, 3), roster_of(later))]
    (unit,) = conclude(CLASSES, rosters, list(records(CLASSES, C1.id, "240w/240w/240w/240w"))).units
    assert unit.title == "示例小学 八(1)班"


@pytest.mark.parametrize("row", rows("Targets"), ids=lambda row: row[0])
def test_a_target_comes_to_what_was_computed_by_hand(row: list[str]) -> None:
    """Shares, numbers and deadlines give the verdict of the table, exactly at the threshold too."""
    _, proven, unproven, failing, share, at_least, is_over, verdict, why = row
    days = ["480w"] * int(proven) + ["480u"] * int(unproven) + ["480s"] * int(failing)
    devices = [Device(f"{SITE}.ap{number}", "access-point") for number in range(len(days))]
    target = HOTSPOTS._replace(
        share=float(share) if share else None,
        at_least=int(at_least) if at_least else None,
        deadline=Day(2016, 12, 31),
        after_deadline="fail" if is_over == "yes" else "not_proven",
    )
    found = [one for device, text in zip(devices, days, strict=True) for one in records(target, device.id, text)]
    result = conclude(target, [(FIRST, roster_of(*devices))], found)
    assert (result.verdict, result.why) == (verdict, why)
    assert result.rate is None or result.rate.low == int(proven) / len(days)


def test_the_deadline_itself_is_in_time() -> None:
    """A period that ends on the day of the deadline is not after it."""
    target = HOTSPOTS._replace(deadline=Day(2026, 9, 30), after_deadline="fail")
    found = list(records(target, C1.id, "480u"))
    assert conclude(target, [(FIRST, roster_of(C1))], found).verdict == "not_proven"
    late = target._replace(deadline=Day(2026, 9, 29))
    result = conclude(late, [(FIRST, roster_of(C1))], found)
    assert (result.verdict, result.units[0].why) == ("fail", "after_deadline")


def test_nothing_is_owed_in_a_holiday() -> None:
    """A scope that has devices, and a period without any hours that count: not proven, and that is why."""
    assert conclude(CLASSES, [(FIRST, roster_of(C1))], []).why == "no_hours"


def test_a_school_without_any_device_is_unproven() -> None:
    """A target that counts schools has those without a device in its denominator."""
    target = HOTSPOTS._replace(unit="site")
    one, other = roster_of(C1), roster_of(site="441802-2")
    roster = Roster({**one.sites, **other.sites}, one.devices)
    result = conclude(target, [(FIRST, roster)], list(records(target, C1.id, "480w")))
    assert [(unit.id, unit.verdict, unit.why) for unit in result.units] == [
        ("441802-1", "pass", "availability_pass"), ("441802-2", "not_proven", "no_device"),
    ]  # fmt: skip


def test_a_school_that_reports_has_a_device_of_the_roster_that_does() -> None:
    """Devices that the roster does not have, or that the target is not about, do not put a school online."""
    target = HOTSPOTS._replace(unit="site", rule=Rule(reporting=True))
    for seen, verdict in ((C1.id, "pass"), (f"{SITE}.c7", "not_proven")):
        conclusion = Conclusion([target], Period(FIRST, LAST, [(FIRST, roster_of(C1))]))
        conclusion.seen(seen)
        ((result, _),) = conclusion.finish()
        assert result.verdict == verdict


def test_a_class_reports_by_any_device_of_its_room() -> None:
    """A class is its room also where it is only asked whether it reports."""
    target = CLASSES._replace(rule=Rule(reporting=True))
    conclusion = Conclusion([target], Period(FIRST, LAST, [(FIRST, roster_of(C1, declared=2))]))
    conclusion.seen(C1.id)
    ((result, _),) = conclusion.finish()
    assert [(unit.id, unit.why) for unit in result.units] == [(f"{SITE}/+2", "undelivered"), (f"{SITE}/r1", "reports")]


def test_declared_figures_are_compared_as_they_are_written() -> None:
    """A declared share that is what was promised keeps the promise; one that nobody declared proves nothing."""
    target = HOTSPOTS._replace(evidence="declared", share=0.75)
    for value, said in ((0.75, ("pass", "declared_pass")), (0.74, ("fail", "declared_fail"))):
        declared = target._replace(declared=target.declared._replace(value=value))
        result = conclude(declared, [(FIRST, roster_of())], [])
        assert (result.verdict, result.why) == said
    result = conclude(target, [(FIRST, roster_of())], [])
    assert (result.verdict, result.why) == ("not_proven", "not_declared")
