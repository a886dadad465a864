"""
What disputes and closures do to the figures: joins their records with the roster and the findings.

    approved, excludes ─────────────▶ minutes excluded ─────────────╮
    approved, evidence does not count ▶ minutes unknown ────────────┼─▶ the figure with disputes
    approved, evidence counts ──────▶ doubts of findings lifted ────╯
    the doubts as they were found ──────────────────────────────────▶ the figure without

A day is judged and stored with nothing but those doubts that nobody has lifted; either figure is made of it, minute by
minute (`collector.verify.applied`). So what is stored does not depend on which figure is asked for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule
from collector.disputes.schema import Dispute, Reason, Scope
from collector.targets.schema import Target
from collector.verify.applied import Times, applied
from collector.verify.causes import Cause, Run
from collector.verify.conclude import Conclusion
from collector.verify.evidence import DayRecord
from collector.verify.integrity import Cleared, Concern, Finding, doubted
from collector.verify.period import Period, day_of
from collector.verify.results import TargetFigures, TargetResult
from collector.verify.throughput import Test
from contract.names import county_of, site_of

Doubts = Mapping[str, tuple[tuple[int, int], ...]]
_Windows = Mapping[str, Sequence[tuple[int, int]]]


class Taken(NamedTuple):
    """The disputes and closures of a programme; with `is_counted` the figure with them is asked for, and compared."""

    disputes: tuple[Dispute, ...] = ()
    is_counted: bool = True


class View:
    """
    Days and tests as they are with some times of scopes excluded or in doubt.

    Both are by the id of a scope (county, site, room, device); a doubt may be about the agent that speaks for a device.
    Throughput tests within either are left out where `drops_tests`.
    """

    def __init__(self, period: Period, excluded: _Windows, unknown: _Windows, *, drops_tests: bool = True) -> None:
        self._period = period
        self._excluded, self._unknown = excluded, unknown
        self._drops_tests = drops_tests
        self._counties = {county_of(name) for some in (excluded, unknown) for name in some}

    def record(self, record: DayRecord) -> DayRecord:
        """Return a device-day."""
        if county_of(record.device) not in self._counties or not record.runs:
            return record
        names, speaker = self._names(record.device, day_of(record.day_start_ns))
        start_ns, end_ns = record.runs[0].start_ns, record.runs[-1].end_ns
        return applied(
            record,
            _touching(self._excluded, names, start_ns, end_ns),
            _touching(self._unknown, [*names, speaker], start_ns, end_ns),
        )

    def takes(self, test: Test) -> bool:
        """Tell whether a throughput test counts."""
        if not self._drops_tests or county_of(test.device) not in self._counties:
            return True
        names, speaker = self._names(test.device, day_of(test.time_ns - _NOON_NS))
        at = test.time_ns, test.time_ns + 1
        return not (_touching(self._excluded, names, *at) or _touching(self._unknown, [*names, speaker], *at))

    def is_quiet(self, record: DayRecord) -> bool:
        """Tell whether a day has no minute left that counts only by what was agreed."""
        found = self.record(record)
        return found is not record and all(run.cause is Cause.EXCLUDED for run in found.runs)

    def is_closed(self, device: str, schedule: DaySchedule) -> bool:
        """Tell whether a device owes no minute of a day of service any more, by what was agreed."""
        if county_of(device) not in self._counties:
            return False
        runs = (Run(window.start_ns, window.minutes, Cause.UNKNOWN) for window in schedule.service)
        return self.is_quiet(applied(DayRecord(device, schedule.start_ns, "", tuple(runs)), schedule.excluded))

    def _names(self, device: str, number: int) -> tuple[list[str], str]:
        """Return all that a device belongs to on a day, and who speaks for it, by the roster of the day."""
        names = list(dict.fromkeys((county_of(device), site_of(device), device)))
        known = self._period.roster_on(date.fromordinal(number)).devices.get(device)
        if known is None:
            return names, device
        return [*names, known.room] if known.room != device else names, known.speaker


_NOON_NS = 43_200_000_000_000


def _touching(windows: _Windows, names: Iterable[str], start_ns: int, end_ns: int) -> Times:
    some = (window for name in dict.fromkeys(names) for window in windows.get(name, ()))
    return sorted({(a, b) for a, b in some if a < end_ns and b > start_ns})


class Figures:
    """
    What a period comes to in each of its views, from evidence that is read once.

    Further rates are those of the `first` view. What is read for them alone is handed to it as it is.
    """

    def __init__(self, targets: Sequence[Target], period: Period, views: Iterable[View]) -> None:
        self._all = [(view, Conclusion(targets, period)) for view in views]
        self.first = self._all[0][1]

    def add(self, record: DayRecord) -> None:
        """Take a device-day; those of one device and criterion come together, sorted by day."""
        for view, conclusion in self._all:
            conclusion.add(view.record(record))

    def test(self, test: Test) -> None:
        """Take a throughput test; those of one device together."""
        for view, conclusion in self._all:
            if view.takes(test):
                conclusion.test(test)

    def seen(self, device: str) -> None:
        """Note that a device, or its agent, said anything at all in the period."""
        for _, conclusion in self._all:
            conclusion.seen(device)

    def finish(self) -> list[list[tuple[TargetResult, TargetFigures]]]:
        """Return the verdicts of each view, in the programme's order, each with its figures."""
        return [conclusion.finish() for _, conclusion in self._all]


class Disputed:
    """What the records of disputes make of one period: its doubts, and its figures with and without them."""

    def __init__(self, taken: Taken, period: Period, window: tuple[int, int], found: Sequence[Finding] = ()) -> None:
        self._period, self._found = period, found
        self._start_ns, self._end_ns = window
        self.is_counted = taken.is_counted
        self._touching = [one for one in taken.disputes if self._touches(one)]
        self.approved = tuple(one for one in self._touching if one.changes_verdicts)

    @property
    def has_two_figures(self) -> bool:
        """Tell whether there is anything that could make the figures differ, and both are asked for."""
        return self.is_counted and bool(self.approved)

    @property
    def views(self) -> list[View]:
        """The views of the figures that are asked for; the first one is the figure."""
        return [self.with_them, self.without_them] if self.has_two_figures else [self.without_them]

    @cached_property
    def doubts(self) -> Doubts:
        """The periods of each agent in which its evidence is in doubt and nobody has decided that it counts."""
        return doubted(self._found, self._cleared)

    @cached_property
    def with_them(self) -> View:
        """The view with all that was approved."""
        excluded = (one for one in self.approved if one.excludes)
        refused = (one for one in self.approved if one.claim.reason is Reason.EVIDENCE_DOES_NOT_COUNT)
        return View(self._period, _by_scope(excluded), _by_scope(refused))

    @cached_property
    def without_them(self) -> View:
        """The view without: what was lifted is in doubt again."""
        return View(self._period, {}, doubted(self._found) if self._cleared else {}, drops_tests=False)

    @cached_property
    def quiet(self) -> View:
        """The view of alerts: closures stop them from their record on, disputes once they are approved."""
        some = (one for one in self._touching if self.is_counted and one.stops_alerts)
        return View(self._period, _by_scope(some), {})

    def is_decided(self, finding: Finding) -> bool:
        """Tell whether a finding doubts nothing of the period any more: it was decided that the evidence counts."""
        left = doubted([finding], self._cleared).values()
        return (
            self.is_counted
            and bool(finding.doubted)
            and not any(a < self._end_ns and b > self._start_ns for some in left for a, b in some)
        )

    @cached_property
    def _cleared(self) -> list[Cleared]:
        """What was decided: the agents in doubt that the scope of a decision covers."""
        return [
            Cleared(finding.kind, device, *one.claim.window)
            for one in self.approved
            if one.claim.reason is Reason.EVIDENCE_COUNTS
            for finding in self._found
            if finding.kind is Concern(one.claim.finding)
            for device in finding.doubted
            if covers(one.claim.scope, device, self._rooms(device))
        ]

    def _rooms(self, device: str) -> Iterator[str]:
        """Yield the rooms that a device was in on any day of the period."""
        for roster in self._period.in_force:
            if known := roster.devices.get(device):
                yield known.room

    def _touches(self, dispute: Dispute) -> bool:
        """Tell whether a dispute is about the period, and about anything of its rosters or its findings."""
        since_ns, until_ns = dispute.claim.window
        if since_ns >= self._end_ns or until_ns <= self._start_ns:
            return False
        return dispute.claim.scope.id in self._names

    @cached_property
    def _names(self) -> set[str]:
        """The ids of all that a dispute about the period can be about."""
        devices = {name for finding in self._found for name in finding.doubted}
        rooms: set[str] = set()
        for roster in self._period.in_force:
            devices.update(roster.devices)
            rooms.update(device.room for device in roster.devices.values())
        sites = {site_of(name) for name in devices}
        return devices | rooms | sites | {county_of(site) for site in sites}


def covers(scope: Scope, device: str, rooms: Iterable[str]) -> bool:
    """Tell whether a device is in a scope; `rooms` are those that it is or was in."""
    return scope.id in (device, site_of(device), county_of(device)) or scope.id in rooms


def _by_scope(disputes: Iterable[Dispute]) -> _Windows:
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in disputes:
        found[one.claim.scope.id].append(one.claim.window)
    return found
