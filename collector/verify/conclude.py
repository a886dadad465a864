"""
From device-days to the verdicts of a programme, and further rates.

    Conclusion(targets, period)
        .add(record)        every device-day, those of one device together ──▶ days of units, outages
        .test(test)         every throughput test      ──▶ bounds of medians, contracts, journeys
        .seen(device)       every device with any evidence in the period ──▶ reporting
        .heard(heard)       the newest of every device ──▶ equipment, firmware, silence
        .walk .walks .lesson .arrival .whole           ──▶ journeys, use, completeness of delivery
        .finish()           ──▶ TargetResult of each target
        .rates(…)           ──▶ Rates

Linear in what comes in; nothing of it is kept but a reference a unit and day. `conclude` does all of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule
from collector.roster.schema import Device, Site, SiteKind
from collector.targets.schema import Target
from collector.verify.causes import Run
from collector.verify.delivery import Arrival, Deliveries
from collector.verify.equipment import Heard, equipment
from collector.verify.evidence import DayRecord
from collector.verify.firmware import firmware
from collector.verify.journey import Tracer, Walk, Walks
from collector.verify.operators import Contracts
from collector.verify.period import Period, Places, day_of
from collector.verify.reporting import Expected, IsClosed, reporting
from collector.verify.results import Rates, Reporting, Result, TargetFigures, TargetResult
from collector.verify.rules import OpenTarget, open_target
from collector.verify.throughput import Test
from collector.verify.units import Minutes, minutes_of
from collector.verify.usage import Lesson, Users
from contract.errors import ConfigError

__all__ = ["Conclusion", "Observed", "Period", "ScheduleOf", "TargetFigures", "conclude"]

ScheduleOf = Callable[[Site, date], DaySchedule]


class Observed(NamedTuple):
    """
    What a period has beside device-days; each is passed through once, in any order but where it is said.

    `tests`: throughput of the period. `seen`: devices with any evidence in it. `heard`: one row a device, the newest
    that is known up to the horizon, however old (the store's reach). `walks`: probes of kind wifi_join, portal and http
    of the period. `lessons`: see `usage.lessons_of`. `arrivals`: delivery of the period; those of one agent, for
    whichever device, sorted by time.
    """

    tests: Iterable[Test] = ()
    seen: Iterable[str] = ()
    heard: Iterable[Heard] = ()
    walks: Iterable[Walk] = ()
    lessons: Iterable[Lesson] = ()
    arrivals: Iterable[Arrival] = ()


def conclude(
    targets: Iterable[Target],
    period: Period,
    records: Iterable[DayRecord],
    observed: Observed | None = None,
    *,
    horizon_ns: int,
    schedule_of: ScheduleOf | None = None,
) -> Result:
    """
    Return what a period comes to.

    `records` are those of all devices, criteria and days that count; those of one device and criterion together and
    sorted by day. Days that are not over at `horizon_ns`, up to which there is evidence, are no part of the period.
    Without `schedule_of` nobody is said to be silent.
    """
    conclusion = Conclusion(targets, period)
    observed = observed or Observed()
    for record in records:
        conclusion.add(record)
    for test in observed.tests:
        conclusion.test(test)
    for device in observed.seen:
        conclusion.seen(device)
    for heard in observed.heard:
        conclusion.heard(heard)
    for walk in observed.walks:
        conclusion.walk(walk)
    for lesson in observed.lessons:
        conclusion.lesson(lesson)
    for arrival in observed.arrivals:
        conclusion.arrival(arrival)
    found = tuple(conclusion.finish())
    return Result(period.first, period.last, horizon_ns, found, conclusion.rates(horizon_ns, schedule_of))


class Conclusion:
    """
    Takes what the period has; `finish` once, `rates` once. `most_outages` of each target are kept, the longest.

    `hotspots` are the devices whose probes of kind portal and http are part of a journey.
    """

    def __init__(self, targets: Iterable[Target], period: Period, *, most_outages: int = 1000) -> None:
        self._period = period
        self._places = Places(period)
        self._targets = [open_target(target, period, self._places, most_outages) for target in targets]
        self._by_criterion: dict[str, list[OpenTarget]] = {}
        for target in self._targets:
            if target.criterion:
                self._by_criterion.setdefault(target.criterion, []).append(target)
        self._minutes = _Minutes()
        self._seen: set[str] = set()
        self._heard: dict[str, Heard] = {}
        self._tracer, self._users = Tracer(), Users()
        self._deliveries, self._contracts = Deliveries(), Contracts()
        self.hotspots = _hotspots(period)

    def add(self, record: DayRecord) -> None:
        """Take a device-day; those of one device and criterion come together, sorted by day."""
        targets = self._by_criterion.get(record.criterion)
        if targets and record.runs:
            minutes, number = self._minutes.of(record.runs), day_of(record.day_start_ns)
            for target in targets:
                target.add(record, minutes, number)

    def test(self, test: Test) -> None:
        """Take a throughput test; those of one device together."""
        for target in self._targets:
            target.test(test)
        if test.device in self._places.devices:
            self._contracts.add(test)
        if test.device in self.hotspots and test.is_conclusive and test.direction == "download":
            self._tracer.throughput(test.device, test.time_ns, test.goodput_mbps)

    def seen(self, device: str) -> None:
        """Note that a device, or its agent, said anything at all in the period."""
        self._seen.add(device)
        for target in self._targets:
            target.seen(device)

    def heard(self, heard: Heard) -> None:
        """Take the newest that is known of a device."""
        if heard.device in self._places.devices:
            self._heard[heard.device] = heard

    def walk(self, walk: Walk) -> None:
        """Take an outcome of a probe; journeys of any device of the roster, portal and http of hotspots alone."""
        if self._is_asked(walk.device, walk.kind):
            self._tracer.walk(walk)

    def walks(self, walks: Walks) -> None:
        """Take outcomes of a probe that are alike."""
        if self._is_asked(walks.device, walks.kind):
            self._tracer.walks(walks)

    def _is_asked(self, device: str, kind: str) -> bool:
        return device in self.hotspots or (kind == "wifi_join" and device in self._places.devices)

    def lesson(self, lesson: Lesson) -> None:
        """Take a lesson of a device of the roster."""
        if lesson.device in self._places.devices:
            self._users.add(lesson)

    def arrival(self, arrival: Arrival) -> None:
        """Take a batch that came, of any agent."""
        self._deliveries.add(arrival)

    def whole(self, agent: str, batches: int) -> None:
        """Take all batches of an agent at once, of which none is missing."""
        self._deliveries.whole(agent, batches)

    def finish(self) -> list[tuple[TargetResult, TargetFigures]]:
        """Return the verdicts, in the programme's order, each with its figures."""
        return [(target.finish(), target.figures()) for target in self._targets]

    def rates(self, horizon_ns: int, schedule_of: ScheduleOf | None = None, is_closed: IsClosed | None = None) -> Rates:
        """Return the further rates; what had no evidence handed in is empty. `is_closed`: see `reporting`."""
        expected = list(self._expected())
        devices = [one.device for one in expected]
        if schedule_of:
            days_of = _Days(self._period, horizon_ns, schedule_of)
            reports = reporting(expected, self._heard, self._seen, days_of, is_closed)
        else:
            reports = _reports(devices, self._seen)
        return Rates(
            self._contracts.finish(self._period.in_force[-1].sites.values()),
            self._tracer.finish(),
            equipment(devices, self._heard),
            firmware(devices, self._heard),
            self._users.finish(),
            reports,
            self._deliveries.finish(),
        )

    def _expected(self) -> Iterator[Expected]:
        """Yield the devices that count on the last day of the period, each with the first day on which it did."""
        for name in self._places.devices:
            stints = self._places.of(name)
            if stints and stints[-1].last == self._places.last:
                yield Expected(stints[-1].device, stints[-1].site, _since(stints[-1].device))


def _since(device: Device) -> int:
    return max((day.toordinal() for day in (device.valid_from, device.commissioned_on) if day), default=0)


def _reports(devices: Sequence[Device], seen: set[str]) -> Reporting:
    return Reporting(len(devices), sum(device.id in seen for device in devices))


def _hotspots(period: Period) -> set[str]:
    """Return the devices that people reach public WiFi by: all of public places, and access points elsewhere."""
    return {
        device.id
        for roster in period.in_force
        for device in roster.devices.values()
        if device.role == "access-point" or _kind(roster.sites.get(device.site)) is SiteKind.PUBLIC
    }


def _kind(site: Site | None) -> SiteKind | None:
    return site.kind if site else None


class _Days:
    """The days of a site that are over, each asked for once; without those of which its calendar does not tell."""

    def __init__(self, period: Period, horizon_ns: int, schedule_of: ScheduleOf) -> None:
        self._days = [date.fromordinal(period.first.toordinal() + number) for number in range(period.days)]
        self._horizon_ns, self._schedule_of = horizon_ns, schedule_of
        self._known: dict[str, list[DaySchedule]] = {}

    def __call__(self, site: Site) -> Sequence[DaySchedule]:
        if site.id not in self._known:
            self._known[site.id] = list(self._over(site))
        return self._known[site.id]

    def _over(self, site: Site) -> Iterator[DaySchedule]:
        """Yield days; where verdicts ask for a day that no calendar tells of, these have said so before."""
        for day in self._days:
            with suppress(ConfigError):
                schedule = self._schedule_of(site, day)
                if schedule.end_ns <= self._horizon_ns:
                    yield schedule


class _Minutes:
    """Minutes by cause of runs; those of many days are one object, which is looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Run, ...], Minutes]] = {}
        self._same: dict[Minutes, Minutes] = {}

    def of(self, runs: tuple[Run, ...]) -> Minutes:
        found = self._known.get(id(runs))
        if found is not None and found[0] is runs:
            return found[1]
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if len(self._same) >= _MOST_KNOWN:
            self._same.clear()
        minutes = minutes_of(runs)
        minutes = self._same.setdefault(minutes, minutes)
        self._known[id(runs)] = runs, minutes
        return minutes


_MOST_KNOWN = 20_000
