"""
From device-days to the verdicts of a programme.

    Conclusion(programme, roster versions, …)
        .add(record)      every device-day, sorted by device and day ──▶ tallies of units
        .test(test)       every throughput test                       ──▶ bounds of medians
        .seen(device)     every device with any evidence              ──▶ reporting
        .finish()         ──▶ TargetResult of each target

Linear in records. What is kept is a few numbers a unit and day.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.roster.schema import Device, Roster, Site
from collector.targets.schema import Target
from collector.verify.evidence import DayRecord
from collector.verify.outages import Outage, Reliability, Tracker, total
from collector.verify.results import Interval, TargetResult, UnitResult, Verdict
from collector.verify.scope import in_scope, is_site_in_scope, sites_of, unit_of
from collector.verify.throughput import Bounds, Test, bounds
from collector.verify.units import Meanings, Tally, verdict_of


class Period(NamedTuple):
    """The days asked about, both included, and the roster in force on each of them: the same object while it is."""

    first: date
    last: date
    rosters: Sequence[tuple[date, Roster]]  # (first day in force, roster), sorted; one at least

    def roster_on(self, day: date) -> Roster:
        """Return the version in force on a day; before the first one, that."""
        found = self.rosters[0][1]
        for since, roster in self.rosters:
            if since <= day:
                found = roster
        return found

    @property
    def in_force(self) -> list[Roster]:
        """The versions that were in force on any day of the period, the newest last."""
        first = self.roster_on(self.first)
        later = [roster for since, roster in self.rosters if self.first < since <= self.last]
        return [first, *later]


class TargetFigures(NamedTuple):
    """Beside a target's verdict: how reliable its devices were, their outages, and lost minutes by cause."""

    reliability: Reliability
    outages: tuple[Outage, ...]
    minutes: Mapping[str, int]


class Conclusion:
    """Takes what the period has; `finish` once."""

    def __init__(self, targets: Iterable[Target], period: Period, *, most_outages: int = 1000) -> None:
        self._period = period
        self._most_outages = most_outages
        self._targets = [_open(target, period) for target in targets]
        self._seen: set[str] = set()
        self._newest = {device.id: device for roster in period.in_force for device in roster.devices.values()}
        self._sites = {site.id: site for roster in period.in_force for site in roster.sites.values()}

    def add(self, record: DayRecord) -> None:
        """Take a device-day; those of one device come together, sorted by day."""
        device = self._newest.get(record.device)
        site = self._sites.get(device.site) if device else None
        if device and site:
            for target in self._targets:
                if target.criterion == record.criterion:
                    target.add(record, device, site)

    def test(self, test: Test) -> None:
        """Take a throughput test."""
        for target in self._targets:
            target.test(test)

    def seen(self, device: str) -> None:
        """Note that a device, or its agent, said anything at all in the period."""
        self._seen.add(device)

    def finish(self) -> list[tuple[TargetResult, TargetFigures]]:
        """Return the verdicts, in the programme's order, each with its figures."""
        return [(target.finish(self._seen), target.figures(self._most_outages)) for target in self._targets]


def _open(target: Target, period: Period) -> "_Open":
    if target.evidence == "declared":
        return _Declared(target, period)
    if target.rule.throughput_mbps is not None:
        return _Throughput(target, period)
    if target.rule.reporting:
        return _Reporting(target, period)
    return _Minutes(target, period)


class _Open:
    """A target whose evidence is coming in."""

    criterion = ""

    def __init__(self, target: Target, period: Period) -> None:
        self.target, self.period = target, period

    def add(self, record: DayRecord, device: Device, site: Site) -> None:
        """Take a device-day of its criterion."""

    def test(self, test: Test) -> None:
        """Take a throughput test of any device."""

    def finish(self, seen: set[str]) -> TargetResult:
        """Return the verdict."""
        raise NotImplementedError

    def figures(self, most_outages: int) -> TargetFigures:  # noqa: ARG002  those without minutes have none
        """Return the figures beside it."""
        return TargetFigures(Reliability(0, 0, 0, 0), (), {})


class _Declared(_Open):
    """A figure that somebody declared."""

    def finish(self, seen: set[str]) -> TargetResult:  # noqa: ARG002  nothing is measured
        value, share = self.target.declared.value, self.target.share
        if value is None or share is None:
            return TargetResult(self.target, Verdict.NOT_PROVEN, None, (), "not_declared")
        verdict = Verdict.PASS if value >= share else Verdict.FAIL
        return TargetResult(self.target, verdict, Interval(value, value), (), f"declared_{verdict}")


class _Minutes(_Open):
    """A target judged by minutes."""

    def __init__(self, target: Target, period: Period) -> None:
        super().__init__(target, period)
        self.criterion = target.criterion.id
        self._meanings = Meanings(target)
        self._tallies: dict[str, Tally] = {}
        self._tracker: Tracker | None = None
        self._followed = ""
        self._parts: list[Reliability] = []
        self._outages: list[Outage] = []

    def add(self, record: DayRecord, device: Device, site: Site) -> None:
        if not in_scope(self.target.scope, device, site):
            return
        unit = unit_of(self.target, device)
        if unit not in self._tallies:
            self._tallies[unit] = Tally(self.target, unit, _title(self.target, device, site), device.site)
        self._tallies[unit].add(record, self._meanings.sums(record))
        self._follow(record)

    def _follow(self, record: DayRecord) -> None:
        if self._tracker is None or self._followed != record.device:
            self._end_device()
            self._tracker, self._followed = Tracker(record.device, self._meanings), record.device
        self._tracker.add(record.runs)

    def _end_device(self) -> None:
        if self._tracker is not None:
            self._parts.append(self._tracker.finish())
            self._outages += self._tracker.outages
            self._tracker = None

    def finish(self, seen: set[str]) -> TargetResult:  # noqa: ARG002  minutes say it
        self._end_device()
        units = [tally.result() for tally in self._tallies.values()]
        return _verdict(self.target, self.period, [*units, *_undelivered(self.target, self.period, units)])

    def figures(self, most_outages: int) -> TargetFigures:
        minutes: dict[str, int] = defaultdict(int)
        for tally in self._tallies.values():
            for cause, number in tally.minutes.items():
                minutes[cause] += number
        longest = sorted(self._outages, key=lambda outage: (-outage.minutes, outage.start_ns, outage.device))
        return TargetFigures(total(self._parts), tuple(longest[:most_outages]), dict(minutes))


class _Throughput(_Open):
    """A target on the throughput of sites (or of devices)."""

    def __init__(self, target: Target, period: Period) -> None:
        super().__init__(target, period)
        self._goodputs: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._inconclusive: dict[str, int] = defaultdict(int)

    def test(self, test: Test) -> None:
        if test.direction != self.target.rule.direction:
            return
        unit = test.device if self.target.unit == "device" else test.device.partition(".")[0]
        if test.is_conclusive:
            self._goodputs[unit].append(test.goodput_mbps)
        else:
            self._inconclusive[unit] += 1

    def finish(self, seen: set[str]) -> TargetResult:  # noqa: ARG002  tests say it
        threshold = self.target.rule.throughput_mbps or 0.0
        units = []
        for unit, title, site in _units_of(self.target, self.period):
            found = bounds(self._goodputs.get(unit, ()))
            inconclusive = self._inconclusive.get(unit, 0)
            verdict = found.verdict(threshold) if found else Verdict.NOT_PROVEN
            why = f"throughput_{verdict}" if found else "only_inconclusive" if inconclusive else "no_tests"
            if found and found.lower is None:
                why = "too_few_tests"
            units.append(UnitResult(unit, title, site, verdict, None, {}, _figures_of(found, inconclusive), why))
        return _verdict(self.target, self.period, units)


def _figures_of(found: Bounds | None, inconclusive: int) -> dict[str, float]:
    figures: dict[str, float] = {"inconclusive": inconclusive, "tests": found.tests if found else 0}
    if found:
        figures["median_mbps"] = found.median
        figures |= {
            name: value
            for name, value in (("lower_mbps", found.lower), ("upper_mbps", found.upper))
            if value is not None
        }
    return figures


class _Reporting(_Open):
    """A target that asks for any evidence of a unit."""

    def finish(self, seen: set[str]) -> TargetResult:
        sites = {device.partition(".")[0] for device in seen}
        units = []
        for unit, title, site in _units_of(self.target, self.period):
            is_seen = unit in (sites if self.target.unit == "site" else seen)
            verdict = Verdict.PASS if is_seen else Verdict.NOT_PROVEN
            units.append(UnitResult(unit, title, site, verdict, why="reports" if is_seen else "never_reported"))
        return _verdict(self.target, self.period, units)


def _units_of(target: Target, period: Period) -> list[tuple[str, str, str]]:
    """Return (id, title, site) of the units of a target that has no records: those of the newest roster in force."""
    roster = period.in_force[-1]
    if target.unit == "site":
        return [(site.id, site.name or site.id, site.id) for site in sites_of(target, roster)]
    found = {}
    for device in roster.devices.values():
        site = roster.sites.get(device.site)
        if site and device.counts_on(period.last) and in_scope(target.scope, device, site):
            found[unit_of(target, device)] = (unit_of(target, device), _title(target, device, site), device.site)
    return list(found.values())


def _title(target: Target, device: Device, site: Site) -> str:
    """Return a unit's name in people's language."""
    name = site.name or site.id
    if target.unit == "site":
        return name
    return f"{name} {device.class_name or device.room_id or device.id.partition('.')[2]}"


def _undelivered(target: Target, period: Period, units: Sequence[UnitResult]) -> list[UnitResult]:
    """Return the classes that a school declared and the roster has no room for: unproven units."""
    if target.unit != "class":
        return []
    delivered: dict[str, int] = defaultdict(int)
    for unit in units:
        delivered[unit.site] += 1
    found = []
    for site in period.in_force[-1].sites.values():
        if site.declared_classes and is_site_in_scope(target.scope, site):
            for number in range(delivered[site.id] + 1, site.declared_classes + 1):
                title = f"{site.name or site.id} #{number}"
                found.append(UnitResult(f"{site.id}/+{number}", title, site.id, Verdict.NOT_PROVEN, why="undelivered"))
    return found


def _verdict(target: Target, period: Period, units: Sequence[UnitResult]) -> TargetResult:
    """Return the verdict over units: their share, and their number where one was promised."""
    if target.after_deadline == "fail" and target.deadline and period.last > target.deadline:
        units = [_failed(unit) if unit.verdict is Verdict.NOT_PROVEN else unit for unit in units]
    ordered = tuple(sorted(units, key=lambda unit: unit.id))
    good = sum(unit.verdict is Verdict.PASS for unit in ordered)
    unknown = sum(unit.verdict is Verdict.NOT_PROVEN for unit in ordered)
    rate = Interval.of(good, unknown, len(ordered))
    if not ordered:
        return TargetResult(target, Verdict.NOT_PROVEN, None, (), "empty_scope")
    verdicts = []
    if target.share is not None:
        verdicts.append(verdict_of(good, unknown, len(ordered), target.share))
    if target.at_least is not None:
        verdicts.append(_number(good, unknown, target.at_least))
    verdict = _worst(verdicts)
    return TargetResult(target, verdict, rate, ordered, f"units_{verdict}")


def _number(good: int, unknown: int, at_least: int) -> Verdict:
    if good >= at_least:
        return Verdict.PASS
    return Verdict.FAIL if good + unknown < at_least else Verdict.NOT_PROVEN


def _failed(unit: UnitResult) -> UnitResult:
    return unit._replace(verdict=Verdict.FAIL, why="after_deadline")


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in (Verdict.FAIL, Verdict.NOT_PROVEN):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS
