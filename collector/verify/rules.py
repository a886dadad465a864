"""A target whose evidence is coming in: by minutes, by throughput tests, by anything said, or declared."""

from array import array
from collections import defaultdict
from heapq import heappush, heappushpop

from collector.targets.schema import Target
from collector.verify.evidence import DayRecord
from collector.verify.outages import Outage, Reliability, Tracker, total
from collector.verify.period import Period, Places, day_of
from collector.verify.results import TargetFigures, TargetResult, UnitResult, Verdict
from collector.verify.targets import Membership, Scoped, declared, over_units
from collector.verify.throughput import Test, unit_result
from collector.verify.units import CAUSES, Meanings, Minutes, Tally


class OpenTarget:
    """Takes what concerns a target; `finish` once. The base is that of a declared one, which takes nothing."""

    criterion = ""

    def __init__(self, target: Target, period: Period, places: Places, most_outages: int) -> None:
        self.target, self.period, self.most_outages = target, period, most_outages
        self._scoped = Scoped(target, period, places)

    def add(self, record: DayRecord, minutes: Minutes, number: int) -> None:
        """Take a device-day of its criterion, with its minutes by cause and the number of the day."""

    def test(self, test: Test) -> None:
        """Take a throughput test of any device."""

    def seen(self, device: str) -> None:
        """Take note of a device with any evidence in the period."""

    def finish(self) -> TargetResult:
        """Return the verdict."""
        return declared(self.target)

    def figures(self) -> TargetFigures:
        """Return the figures beside it, after `finish`."""
        return TargetFigures()


def open_target(target: Target, period: Period, places: Places, most_outages: int) -> OpenTarget:
    """Return what takes the evidence of a target."""
    kind: type[OpenTarget] = _ByMinutes
    if target.evidence == "declared":
        kind = OpenTarget
    elif target.rule.throughput_mbps is not None:
        kind = _ByTests
    elif target.rule.reporting:
        kind = _ByReports
    return kind(target, period, places, most_outages)


class _ByMinutes(OpenTarget):
    def __init__(self, target: Target, period: Period, places: Places, most_outages: int) -> None:
        super().__init__(target, period, places, most_outages)
        self.criterion = target.criterion.id
        self._meanings = Meanings(target)
        self._tallies: dict[str, Tally] = {}
        self._device = ""
        self._memberships: list[tuple[Membership, Tally]] = []
        self._tracker: tuple[Tally, Tracker] | None = None
        self._parts: list[Reliability] = []
        self._longest: list[tuple[int, int, str, Outage]] = []  # a heap, the shortest of them first

    def add(self, record: DayRecord, minutes: Minutes, number: int) -> None:
        if record.device != self._device:
            self._next(record.device)
        for one, tally in self._memberships:
            if one.first <= number <= one.last:
                day = self._meanings.day(minutes)
                tally.add(number, day)
                self._follow(record, tally, is_bad=day.sums.bad > 0, good=day.sums.good, unknown=day.sums.unknown)
                return

    def _next(self, device: str) -> None:
        self._end_device()
        self._device = device
        self._memberships = [(one, self._tally(one)) for one in self._scoped.of(device)]

    def _tally(self, one: Membership) -> Tally:
        if one.unit not in self._tallies:
            self._tallies[one.unit] = Tally(self.target, one.unit, self.period.first.toordinal(), self.period.days)
        self._tallies[one.unit].name(one.title, one.site, one.last)
        return self._tallies[one.unit]

    def _follow(self, record: DayRecord, tally: Tally, *, is_bad: bool, good: int, unknown: int) -> None:
        if self._tracker is None or self._tracker[0] is not tally:
            self._end_device()
            self._tracker = (tally, Tracker(record.device, self._meanings))
        tracker = self._tracker[1]
        if is_bad:
            tracker.add(record.runs)
        elif good or unknown:
            tracker.quiet(good)

    def _end_device(self) -> None:
        if self._tracker is None:
            return
        (tally, tracker), self._tracker = self._tracker, None
        part = tracker.finish()
        tally.failed(part)
        self._parts.append(part)
        for outage in tracker.outages:
            entry = (outage.minutes, -outage.start_ns, outage.device, outage)
            if len(self._longest) < self.most_outages:
                heappush(self._longest, entry)
            elif self._longest and entry > self._longest[0]:
                heappushpop(self._longest, entry)

    def finish(self) -> TargetResult:
        self._end_device()
        return over_units(self._scoped, [tally.result() for tally in self._tallies.values() if tally.has_days])

    def figures(self) -> TargetFigures:
        minutes: dict[str, int] = defaultdict(int)
        for tally in self._tallies.values():
            for cause, number in tally.minutes.items():
                minutes[cause] += number
        ordered = sorted(self._longest, key=lambda entry: (-entry[0], -entry[1], entry[2]))
        known = {str(cause): minutes[cause] for cause in CAUSES if minutes.get(cause)}
        return TargetFigures(total(self._parts), tuple(entry[3] for entry in ordered), known)


class _ByTests(OpenTarget):
    def __init__(self, target: Target, period: Period, places: Places, most_outages: int) -> None:
        super().__init__(target, period, places, most_outages)
        self._goodputs: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._inconclusive: dict[str, int] = defaultdict(int)
        self._memberships: tuple[str, tuple[Membership, ...]] = ("", ())

    def test(self, test: Test) -> None:
        if test.direction != self.target.rule.direction:
            return
        if self._memberships[0] != test.device:
            self._memberships = test.device, self._scoped.of(test.device)
        number = day_of(test.time_ns - _NOON_NS)
        for one in self._memberships[1]:
            if one.first <= number <= one.last:
                if test.is_conclusive:
                    self._goodputs[one.unit].append(test.goodput_mbps)
                else:
                    self._inconclusive[one.unit] += 1

    def finish(self) -> TargetResult:
        threshold = self.target.rule.throughput_mbps or 0.0
        units = [
            unit_result(
                (name, one.title, one.site), self._goodputs.get(name, ()), self._inconclusive.get(name, 0), threshold
            )
            for name, one in self._scoped.units().items()
        ]
        return over_units(self._scoped, units)


# Tests are taken by day (12:00 to 19:00 in China): the day of Greenwich is that of the roster.
_NOON_NS = 43_200_000_000_000


class _ByReports(OpenTarget):
    def __init__(self, target: Target, period: Period, places: Places, most_outages: int) -> None:
        super().__init__(target, period, places, most_outages)
        self._seen: set[str] = set()

    def seen(self, device: str) -> None:
        self._seen.update(one.unit for one in self._scoped.of(device))

    def finish(self) -> TargetResult:
        units = []
        for name, one in self._scoped.units().items():
            has_reported = name in self._seen
            verdict = Verdict.PASS if has_reported else Verdict.NOT_PROVEN
            why = "reports" if has_reported else "never_reported"
            units.append(UnitResult(name, one.title, one.site, verdict, why=why))
        return over_units(self._scoped, units)
