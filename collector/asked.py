"""
What a period asks: for each device the days that count, and the criteria that each is judged by.

    targets in scope ─▶ criteria of a device        roster of the day ─▶ does it count?        calendar ─▶ its hours

A device-day that nothing asks about is never read.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.roster.schema import Device, Site, SiteKind
from collector.targets.schema import Condition, Criterion, Target
from collector.verify.conclude import Period
from collector.verify.conditions import asked as proofs_for
from collector.verify.scope import in_scope

# Goes up with every change of the rules that gives another record for the same evidence: all days are judged again.
RULES = 2

ScheduleOf = Callable[[Site, date], DaySchedule]
Doubts = Mapping[str, Sequence[tuple[int, int]]]


class Promise(NamedTuple):
    """
    What was promised for a period: the rosters in force, what a day is at a site, and the targets.

    `start_ns` and `end_ns` are the instants that the period begins and ends at.
    """

    period: Period
    schedule_of: ScheduleOf
    targets: tuple[Target, ...]
    start_ns: int
    end_ns: int


class Asked(NamedTuple):
    """
    One device-day and the criterion that it is judged by.

    `inputs` is a short hash of all that goes into the judgement besides the evidence and the criterion: the rules, the
    hours, who speaks for the device, its profile, the periods in doubt. A stored day with other inputs is judged again.
    """

    device: Device
    schedule: DaySchedule
    criterion: Criterion
    inputs: str
    doubted: tuple[tuple[int, int], ...] = ()


class Needed(NamedTuple):
    """A condition on readings of the device itself: its place in the criterion, and a text that says what it reads."""

    place: tuple[int, int]
    condition: Condition
    key: str


_NEEDED: dict[tuple[str, str, bool], tuple[Needed, ...]] = {}


def own_conditions(one: Asked) -> tuple[Needed, ...]:
    """Return the conditions that are about readings of the device itself."""
    is_observed = one.device.speaker != one.device.id
    key = (one.criterion.id, one.device.profile, is_observed)
    if key not in _NEEDED:
        proofs = proofs_for(one.criterion, one.device.profile, is_observed=is_observed)
        _NEEDED[key] = tuple(
            Needed((proof.number, number), condition, f"{condition.reading} {dict(condition.where)} {condition.every}")
            for proof in proofs
            for number, condition in enumerate(proof.proof.all)
            if number in proof.readings
        )
    return _NEEDED[key]


def is_by_minutes(target: Target) -> bool:
    """Tell whether a target is decided by minutes."""
    return target.evidence == "measured" and target.rule.throughput_mbps is None and not target.rule.reporting


def days_of(period: Period) -> Iterator[date]:
    """Yield the days of a period."""
    return days_between(period.first, period.last)


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield days, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def is_without_school_days(promise: Promise) -> bool:
    """Tell whether there are schools, and no day of the period is a school day at any; ConfigError as `schedule_of`."""
    has_schools = False
    for day in days_of(promise.period):
        for site in promise.period.roster_on(day).sites.values():
            if site.kind is SiteKind.SCHOOL:
                has_schools = True
                schedule = promise.schedule_of(site, day)
                if schedule.kind is DayKind.WORKDAY and schedule.lessons:
                    return False
    return has_schools


class Questions:
    """The questions of a promise over a period, device by device."""

    def __init__(self, promise: Promise, doubts: Doubts | None = None) -> None:
        self.promise = promise
        self._doubts = doubts or {}
        self._days = [(day, promise.period.roster_on(day)) for day in days_of(promise.period)]
        self._targets = [(target.scope, target.criterion) for target in promise.targets if is_by_minutes(target)]
        self._criteria: dict[tuple[str, ...], tuple[Criterion, ...]] = {}
        self._hours: dict[tuple[tuple[Window, ...], tuple[Window, ...]], str] = {}
        self._site: Site | None = None
        self._schedules: dict[date, DaySchedule] = {}

    def devices(self) -> list[str]:
        """Return the ids of all devices of the period, sorted; the roster may have changed within it."""
        return sorted(set().union(*(roster.devices for roster in self.promise.period.in_force)))

    def of(self, device_id: str) -> Iterator[Asked]:
        """Yield what is asked about a device, day by day."""
        for day, roster in self._days:
            device = roster.devices.get(device_id)
            if device is None or not device.counts_on(day):
                continue
            site = roster.sites[device.site]
            criteria = self._criteria_of(device, site)
            if not criteria:
                continue
            schedule = self._schedule(site, day)
            doubted = self._doubted(device, schedule)
            for criterion in criteria:
                if schedule.windows(criterion.hours):
                    inputs = self._inputs(device, schedule, criterion, doubted)
                    yield Asked(device, schedule, criterion, inputs, doubted)

    def _schedule(self, site: Site, day: date) -> DaySchedule:
        """Return what a day is at a site; devices come by site, so that those of one are enough to remember."""
        if self._site is not site:
            self._site, self._schedules = site, {}
        if day not in self._schedules:
            self._schedules[day] = self.promise.schedule_of(site, day)
        return self._schedules[day]

    def _criteria_of(self, device: Device, site: Site) -> tuple[Criterion, ...]:
        """Return the distinct criteria of the targets that a device is in scope of."""
        key = (device.role, device.profile, site.id, site.kind, site.area or "")
        if key not in self._criteria:
            found = {one.id: one for scope, one in self._targets if in_scope(scope, device, site)}
            self._criteria[key] = tuple(found[name] for name in sorted(found))
        return self._criteria[key]

    def _doubted(self, device: Device, schedule: DaySchedule) -> tuple[tuple[int, int], ...]:
        """Return the periods of a day in which the evidence of a device or of its speaker is in doubt."""
        if not self._doubts:
            return ()
        names = {device.id, device.speaker}
        found = {period for name in names for period in self._doubts.get(name, ())}
        touching = ((a, b) for a, b in found if a < schedule.end_ns and b > schedule.start_ns)
        return tuple(sorted((max(a, schedule.start_ns), min(b, schedule.end_ns)) for a, b in touching))

    def _inputs(
        self, device: Device, schedule: DaySchedule, criterion: Criterion, doubted: tuple[tuple[int, int], ...]
    ) -> str:
        key = (schedule.windows(criterion.hours), schedule.excluded)
        if key not in self._hours:
            self._hours[key] = str([[tuple(window) for window in windows] for windows in key])
        text = f"{RULES};{self._hours[key]};{device.speaker};{device.profile};{doubted}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
