"""
From what verification found to the report.

    verdicts, records, tests, findings, rates ──▶ pages ──▶ minimal sets ──▶ visits
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.report.basis import Basis
from collector.report.minimal import minimal_set, needed
from collector.report.model import DayFigure, Fix, Group, Head, MinimalSet, Page, Report, Strip, Visit, counts_of
from collector.report.reasons import READ, Around, fix_of
from collector.roster.schema import Site
from collector.targets.schema import Target
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Finding
from collector.verify.period import Period, Places, day_of
from collector.verify.results import Rates, TargetFigures, TargetResult, UnitResult, Verdict
from collector.verify.targets import Membership, Scoped
from collector.verify.throughput import Test
from collector.verify.units import Day, Meanings, minutes_of
from contract.names import county_of

_NOON_NS = 43_200_000_000_000


class Found(NamedTuple):
    """What verification found, and the records and tests that it rests on; those of one device together, by day."""

    period: Period
    targets: Sequence[tuple[TargetResult, TargetFigures]]
    records: Iterable[DayRecord]
    tests: Iterable[Test] = ()
    findings: Sequence[Finding] = ()
    rates: Rates = Rates()
    left_out: Sequence[str] = ()
    counties: Mapping[str, str] = {}
    basis: Basis = Basis()


def build(found: Found, head: Head) -> Report:
    """Return the report."""
    sites = _sites(found.period)
    records = list(found.records)
    tests = sorted(found.tests)
    around = Around(_doubted(found.findings), _heard(records))
    inside = [(result, figures) for result, figures in found.targets if _is_measured(result) and result.units]
    joiner = _Joiner(found.period, records, tests, sites, around)
    pages = tuple(joiner.page(result, figures) for result, figures in inside)
    return Report(
        head,
        pages,
        tuple(result for result, _ in found.targets if not _is_measured(result)),
        tuple(result for result, _ in found.targets if _is_measured(result) and not result.units),
        visits_of(pages, sites),
        found.findings,
        found.rates,
        found.left_out,
        sites,
        found.counties,
        found.basis,
    )


def _is_measured(result: TargetResult) -> bool:
    return result.target.evidence == "measured"


def _sites(period: Period) -> dict[str, Site]:
    """Return every site of the period, as the newest roster has it."""
    return {name: site for roster in period.in_force for name, site in roster.sites.items()}


def _doubted(findings: Iterable[Finding]) -> frozenset[str]:
    return frozenset(device for finding in findings for device in finding.doubted)


def _heard(records: Iterable[DayRecord]) -> frozenset[str]:
    """Return the devices of which anything was read, by whatever criterion."""
    return frozenset(record.device for record in records if any(run.cause in READ for run in record.runs))


class _Joiner:
    """Makes pages; it knows the evidence of all of them."""

    def __init__(
        self,
        period: Period,
        records: Sequence[DayRecord],
        tests: Sequence[Test],
        sites: Mapping[str, Site],
        around: Around,
    ) -> None:
        self._period, self._places = period, Places(period)
        self._records: dict[str, list[DayRecord]] = defaultdict(list)
        for record in records:
            self._records[record.criterion].append(record)
        self._tests, self._sites, self._around = tests, sites, around

    def page(self, result: TargetResult, figures: TargetFigures) -> Page:
        target = result.target
        scoped = Scoped(target, self._period, self._places)
        is_by_tests = target.rule.throughput_mbps is not None
        is_by_minutes = not is_by_tests and not target.rule.reporting
        strips, days = self._strips(target, scoped) if is_by_minutes else ({}, ())
        wanted = needed(target, len(result.units))
        return Page(
            result,
            wanted,
            _groups(result.units, county_of),
            _groups(result.units, str),
            figures.minutes,
            figures.reliability,
            figures.outages,
            days,
            strips,
            self._tests_of(target, scoped) if is_by_tests else {},
            self._minimal(result, wanted, strips),
        )

    def _strips(self, target: Target, scoped: Scoped) -> tuple[dict[str, tuple[Strip, ...]], tuple[DayFigure, ...]]:
        meanings = Meanings(target)
        strips: dict[str, list[Strip]] = defaultdict(list)
        days: dict[int, dict[str, Day]] = defaultdict(dict)
        memberships = _Memberships(scoped)
        for record in self._records.get(target.criterion.id, ()):
            number = day_of(record.day_start_ns)
            unit = memberships.unit(record.device, number)
            if unit is None or not record.runs:
                continue
            day = meanings.day(minutes_of(record.runs))
            known = days[number].get(unit)
            days[number][unit] = day if known is None else known.beside(day)
            strips[unit].append(_strip(record, number, day))
        ordered = {unit: tuple(sorted(some, key=_by_day)) for unit, some in strips.items()}
        return ordered, tuple(_day_figure(number, days[number].values()) for number in sorted(days))

    def _tests_of(self, target: Target, scoped: Scoped) -> dict[str, tuple[Test, ...]]:
        found: dict[str, list[Test]] = defaultdict(list)
        memberships = _Memberships(scoped)
        for test in self._tests:
            unit = memberships.unit(test.device, day_of(test.time_ns - _NOON_NS))
            if unit is not None and test.direction == target.rule.direction:
                found[unit].append(test)
        return {unit: tuple(sorted(some, key=lambda test: test.time_ns)) for unit, some in found.items()}

    def _minimal(self, result: TargetResult, wanted: int, strips: Mapping[str, tuple[Strip, ...]]) -> MinimalSet:
        lacking = wanted - result.count(Verdict.PASS)
        if lacking <= 0:
            return MinimalSet()
        rest = [unit for unit in result.units if unit.verdict is not Verdict.PASS]
        fixes = (
            fix_of(unit, result.target, self._site(unit.site), strips.get(unit.id, ()), self._around) for unit in rest
        )
        return minimal_set(lacking, fixes)

    def _site(self, name: str) -> Site:
        return self._sites.get(name) or Site(name)


class _Memberships:
    """Which unit a device belongs to on a day; devices come together."""

    def __init__(self, scoped: Scoped) -> None:
        self._scoped = scoped
        self._known: tuple[str, tuple[Membership, ...]] = ("", ())

    def unit(self, device: str, number: int) -> str | None:
        if self._known[0] != device:
            self._known = device, self._scoped.of(device)
        return next((one.unit for one in self._known[1] if one.first <= number <= one.last), None)


def _strip(record: DayRecord, number: int, day: Day) -> Strip:
    sums = day.sums
    counted = (sums.good, sums.bad, sums.unknown, sums.excluded + sums.agreed)
    return Strip(record.device, date.fromordinal(number), record, *counted, day.kind)


def _by_day(strip: Strip) -> tuple[date, str]:
    return (strip.day, strip.device)


def _day_figure(number: int, days: Iterable[Day]) -> DayFigure:
    good = bad = unknown = excluded = 0
    units: dict[str, int] = defaultdict(int)
    for day in days:
        good, bad, unknown = good + day.sums.good, bad + day.sums.bad, unknown + day.sums.unknown
        excluded += day.sums.excluded + day.sums.agreed
        units[day.kind] += 1
    return DayFigure(date.fromordinal(number), good, bad, unknown, excluded, dict(sorted(units.items())))


def _groups(units: Sequence[UnitResult], name: Callable[[str], str]) -> tuple[Group, ...]:
    found: dict[str, list[UnitResult]] = defaultdict(list)
    for unit in units:
        found[name(unit.site)].append(unit)
    return tuple(Group(one, counts_of(found[one])) for one in sorted(found))


def visits_of(pages: Iterable[Page], sites: Mapping[str, Site]) -> tuple[Visit, ...]:
    """Return the visit list: all that any target needs, site by site, those with most units first."""
    by_site: dict[str, list[Fix]] = defaultdict(list)
    for page in pages:
        for fix in page.minimal.fixes:
            by_site[fix.site].append(fix)
    visits = [Visit(sites.get(name) or Site(name), tuple(fixes)) for name, fixes in by_site.items()]
    return tuple(sorted(visits, key=lambda visit: (-len(visit.fixes), visit.site.id)))
