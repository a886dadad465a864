"""
Units of a target: what a site, a class or a device comes to over a period.

    records of devices, in order ──▶ a day of a unit ──▶ sums, days ──▶ good by the target's rule?

A class is its room: devices may be renamed or replaced in it; of several at one time the best of each day counts. A
site is counted in the same way: what its best device could do, the site could do. A unit begins to count when its first
device is commissioned, and ends with its last.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from collector.targets.schema import Counted, Target
from collector.verify.causes import Cause, Run
from collector.verify.outages import Reliability, total
from collector.verify.results import Interval, UnitResult, Verdict

CAUSES = tuple(Cause)
_PLACES = {cause: number for number, cause in enumerate(CAUSES)}

Minutes = tuple[int, ...]  # of each cause, in the order of CAUSES


def minutes_of(runs: Sequence[Run]) -> Minutes:
    """Return the minutes of each cause."""
    found = [0] * len(CAUSES)
    for run in runs:
        found[_PLACES[run.cause]] += run.minutes
    return tuple(found)


class Sums(NamedTuple):
    """Minutes by what they count as; `excluded` by what the cause means here, `agreed` are the calendar's."""

    good: int = 0
    bad: int = 0
    unknown: int = 0
    excluded: int = 0
    agreed: int = 0

    @property
    def counted(self) -> int:
        """Service minutes less what is excluded."""
        return self.good + self.bad + self.unknown

    @property
    def rate(self) -> Interval:
        """Availability as an interval (ITU-T G.827)."""
        return Interval.of(self.good, self.unknown, self.counted)


class Day(NamedTuple):
    """
    A day of a unit: its sums, the kind of day where the rule is one of days, and the minutes of its best device.

    Days of several devices beside each other are one day. The best device is known only between bounds where minutes
    are unknown, so good is the most that any device has proven, good + unknown the most that any may have had, and
    minutes are excluded when they are for all. Unknown minutes that turn out to be good or bad narrow that, and never
    contradict it.
    """

    sums: Sums
    kind: str
    minutes: Minutes

    def beside(self, other: "Day") -> "Day":
        """Return the day of both."""
        best, second = sorted((self, other), key=_rank, reverse=True)
        one, two = best.sums, second.sums
        excluded = min(one.excluded, two.excluded)
        good, high = max(one.good, two.good), max(one.good + one.unknown, two.good + two.unknown)
        counted = max(one.counted + one.excluded - excluded, high)
        sums = Sums(good, counted - high, high - good, excluded, one.agreed)
        return Day(sums, best.kind, best.minutes)


_KINDS = ("none", "never_on", "bad", "unknown", "good")


def _rank(day: Day) -> tuple[int, int, int, int]:
    """Return what makes a day better than another: its kind, then minutes."""
    return (_KINDS.index(day.kind), day.sums.good, day.sums.unknown, -day.sums.bad)


class Meanings:
    """What causes count as for one target, and what that makes of a day."""

    def __init__(self, target: Target) -> None:
        self._of: Mapping[Cause, Counted] = {cause: target.meaning(cause) for cause in Cause}
        self._owed = target.rule.minutes if target.rule.days is not None else None
        self._days: dict[Minutes, Day] = {}

    def __call__(self, cause: Cause) -> Counted:
        """Return what a cause counts as."""
        return self._of[cause]

    def sums(self, minutes: Minutes) -> Sums:
        """Return minutes by what they count as."""
        found = {"good": 0, "bad": 0, "unknown": 0, "excluded": 0}
        for cause, number in zip(CAUSES, minutes, strict=True):
            if cause is not Cause.EXCLUDED:
                found[self._of[cause]] += number
        return Sums(**found, agreed=minutes[_PLACES[Cause.EXCLUDED]])

    def day(self, minutes: Minutes) -> Day:
        """Return the day of one device; equal days are one object, since most are alike."""
        day = self._days.get(minutes)
        if day is None:
            if len(self._days) > _MOST_SHARED:
                self._days.clear()
            sums = self.sums(minutes)
            kind = "none" if self._owed is None else day_kind(sums, self._owed)
            day = self._days[minutes] = Day(sums, kind, minutes)
        return day


_MOST_SHARED = 50_000


class Tally:
    """One unit of a target while its days come in; it keeps one reference a day."""

    def __init__(self, target: Target, unit: str, first: int, days: int) -> None:
        self._target, self._first = target, first
        self.id, self.title, self.site = unit, "", ""
        self._named_on = -1
        self._days: list[Day | None] = [None] * days
        self.minutes: dict[str, int] = {}
        self._reliability: list[Reliability] = []

    def name(self, title: str, site: str, on: int) -> None:
        """Take a name that was in use on a day; the newest is the unit's."""
        if on >= self._named_on:
            self.title, self.site, self._named_on = title, site, on

    def add(self, number: int, day: Day) -> None:
        """Take a day of a device, by the number of the day."""
        known = self._days[number - self._first]
        self._days[number - self._first] = day if known is None else known.beside(day)

    @property
    def has_days(self) -> bool:
        """Tell whether any day counts."""
        return any(day is not None for day in self._days)

    def failed(self, part: Reliability) -> None:
        """Take the failures of one of its devices."""
        self._reliability.append(part)

    def result(self) -> UnitResult:
        """Return what the unit comes to."""
        days = [day for day in self._days if day is not None]
        columns = [sum(column) for column in zip(*(day.minutes for day in days), strict=True)]
        self.minutes = {str(cause): number for cause, number in zip(CAUSES, columns, strict=True) if number}
        rule = self._target.rule
        if rule.days is not None:
            return self._of_days([day.kind for day in days], rule.days)
        sums = Sums(*(sum(column) for column in zip(*(day.sums for day in days), strict=True)))
        return self._of_minutes(sums, rule.availability or 0.0)

    def _of_minutes(self, sums: Sums, threshold: float) -> UnitResult:
        verdict = verdict_of(sums.good, sums.unknown, sums.counted, threshold)
        figures = {"good": sums.good, "counted": sums.counted, "unknown": sums.unknown}
        why = f"availability_{verdict}" if sums.counted else "no_minutes"
        return self._made(verdict, sums.rate, figures, why)

    def _of_days(self, kinds: Sequence[str], threshold: float) -> UnitResult:
        good, bad, unknown, never_on = map(kinds.count, ("good", "bad", "unknown", "never_on"))
        counted = good + bad + unknown
        verdict = verdict_of(good, unknown, counted, threshold)
        figures = {"days": counted, "days_good": good, "days_bad": bad, "days_unknown": unknown, "never_on": never_on}
        why = f"days_{verdict}" if counted else "never_on" if never_on else "no_days"
        return self._made(verdict, Interval.of(good, unknown, counted), figures, why)

    def _made(self, verdict: Verdict, rate: Interval, figures: Mapping[str, float], why: str) -> UnitResult:
        found = {**figures, **_figures(total(self._reliability))}
        return UnitResult(self.id, self.title, self.site, verdict, rate, self.minutes, found, why)


def _figures(part: Reliability) -> dict[str, float]:
    """Return failures as figures of a unit: minutes, those of all its devices together."""
    found: dict[str, float] = {"failures": part.failures, "longest_minutes": part.longest_minutes}
    if part.mtbf_minutes is not None and part.mttr_minutes is not None:
        found |= {"mtbf_minutes": part.mtbf_minutes, "mttr_minutes": part.mttr_minutes}
    return found


def day_kind(sums: Sums, minutes: int) -> str:
    """
    Return what a school day is for the rule of days: good, bad, unknown, never_on, or none (nothing was owed).

    Off is not broken: a day on which the platform was off in every lesson is told apart, and one on which it was used
    for less than `minutes` without any failure is not bad.
    """
    owed = min(minutes, sums.counted + sums.excluded)
    if not owed:
        return "none"
    if sums.good >= owed:
        return "good"
    if not sums.counted:
        return "never_on"
    return "unknown" if sums.good + sums.unknown >= owed or not sums.bad else "bad"


def verdict_of(good: int, unknown: int, total: int, threshold: float) -> Verdict:
    """Return the verdict on a share, compared exactly: reached is reached."""
    if not total:
        return Verdict.NOT_PROVEN
    wanted = _exact(threshold) * total
    if good >= wanted:
        return Verdict.PASS
    return Verdict.FAIL if good + unknown < wanted else Verdict.NOT_PROVEN


@cache
def _exact(threshold: float) -> Fraction:
    """Return a threshold as it is written: 0.9 is nine tenths."""
    return Fraction(str(threshold))
