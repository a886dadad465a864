"""
Units of a target: what a site, a class or a device comes to over a period.

    records of devices, in order ──▶ a day of a unit ──▶ sums, days ──▶ good by the target's rule?

A class is its room: devices may be renamed or replaced in it; of several at one time the best of each day counts. It
begins to count when its first device is commissioned, and ends with its last.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from collector.targets.schema import Counted, Target
from collector.verify.causes import Cause
from collector.verify.evidence import DayRecord
from collector.verify.results import Interval, UnitResult, Verdict


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

    def plus(self, other: "Sums") -> "Sums":
        """Return both together."""
        return Sums(*(one + two for one, two in zip(self, other, strict=True)))


class Meanings:
    """What each cause counts as for one target."""

    def __init__(self, target: Target) -> None:
        self._of: Mapping[Cause, Counted] = {cause: target.meaning(cause) for cause in Cause}

    def __call__(self, cause: Cause) -> Counted:
        """Return what a cause counts as."""
        return self._of[cause]

    def sums(self, record: DayRecord) -> Sums:
        """Return the minutes of a device-day by what they count as."""
        found = {"good": 0, "bad": 0, "unknown": 0, "excluded": 0}
        agreed = 0
        for run in record.runs:
            if run.cause is Cause.EXCLUDED:
                agreed += run.minutes
            else:
                found[self._of[run.cause]] += run.minutes
        return Sums(**found, agreed=agreed)


class Tally:
    """One unit of a target while its records come in."""

    def __init__(self, target: Target, unit: str, title: str, site: str) -> None:
        self.target, self.id, self.title, self.site = target, unit, title, site
        self.minutes: dict[str, int] = {}
        self._days: dict[int, tuple[Sums, tuple[tuple[str, int], ...]]] = {}

    def add(self, record: DayRecord, sums: Sums) -> None:
        """Take a device-day; of several devices the best of the day counts."""
        known = self._days.get(record.day_start_ns)
        if known is None or _is_better(sums, known[0]):
            self._days[record.day_start_ns] = sums, _shared(tuple(sorted(record.minutes().items())))

    def result(self) -> UnitResult:
        """Return what the unit comes to."""
        total = Sums()
        for sums, minutes in self._days.values():
            total = total.plus(sums)
            for cause, number in minutes:
                self.minutes[cause] = self.minutes.get(cause, 0) + number
        rule = self.target.rule
        if rule.days is not None:
            return self._of_days(rule.days, rule.minutes)
        return self._of_minutes(total, rule.availability or 0.0)

    def _of_minutes(self, total: Sums, threshold: float) -> UnitResult:
        verdict = verdict_of(total.good, total.unknown, total.counted, threshold)
        figures = {"good": total.good, "counted": total.counted, "unknown": total.unknown}
        why = "no_minutes" if not total.counted else f"availability_{verdict}"
        return self._made(verdict, total.rate, figures, why)

    def _of_days(self, threshold: float, minutes: int) -> UnitResult:
        kinds = [day_kind(sums, minutes) for sums, _ in self._days.values()]
        good, bad, never_on = kinds.count("good"), kinds.count("bad"), kinds.count("never_on")
        unknown = kinds.count("unknown")
        counted = good + bad + unknown
        verdict = verdict_of(good, unknown, counted, threshold)
        figures = {"days": counted, "days_good": good, "days_bad": bad, "days_unknown": unknown, "never_on": never_on}
        why = f"days_{verdict}" if counted else "never_on" if never_on else "no_days"
        return self._made(verdict, Interval.of(good, unknown, counted), figures, why)

    def _made(self, verdict: Verdict, rate: Interval, figures: Mapping[str, float], why: str) -> UnitResult:
        return UnitResult(self.id, self.title, self.site, verdict, rate, self.minutes, figures, why)


def _is_better(one: Sums, other: Sums) -> bool:
    """Tell which of two devices of a room had the better day: it is the one with which lessons could be held."""
    return (one.good, one.unknown, -one.bad) > (other.good, other.unknown, -other.bad)


_known: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = {}


def _shared(minutes: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Return one object for equal days: most are alike."""
    if len(_known) > 100_000:
        _known.clear()
    return _known.setdefault(minutes, minutes)


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
    wanted = Fraction(str(threshold)) * total
    if good >= wanted:
        return Verdict.PASS
    return Verdict.FAIL if good + unknown < wanted else Verdict.NOT_PROVEN
