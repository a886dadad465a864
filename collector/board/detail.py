"""What is read of one site when somebody looks at it: today minute by minute, the week, its throughput tests."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule, Window
from collector.verify.causes import Cause, Run

_NEITHER = frozenset((Cause.UNKNOWN, Cause.AGENT_DOWN))
# Off is not broken: where people switch machines off these minutes count neither way.
_NEUTRAL = frozenset((Cause.POWER_OFF, Cause.ASLEEP))


class Today(NamedTuple):
    """The hours of a device today, and what its minutes until now were due to."""

    windows: Sequence[Window] = ()
    runs: Sequence[Run] = ()


class DayShare(NamedTuple):
    """A day of a device: minutes that were good, that count, and of which nothing is known."""

    day: date
    good: int = 0
    counted: int = 0
    unknown: int = 0


class Test(NamedTuple):
    """A throughput test of a device of the site."""

    device: str
    time_ns: int
    direction: str
    mbps: float
    limited_by: str = ""


class SiteDetail(NamedTuple):
    """A site, read at `at_ns`. `flaw` says what could not be read."""

    site: str = ""
    at_ns: int = 0
    schedule: DaySchedule | None = None
    today: Mapping[str, Today] = {}
    week: Mapping[str, Sequence[DayShare]] = {}
    tests: Sequence[Test] = ()
    flaw: str = ""


NOTHING = SiteDetail()


def share_of(day: date, runs: Iterable[Run], *, is_neutral: bool) -> DayShare:
    """Return what the minutes of a day come to; with `is_neutral` those in which it was off count neither way."""
    good = counted = unknown = 0
    for run in runs:
        if run.cause is Cause.EXCLUDED or (is_neutral and run.cause in _NEUTRAL):
            continue
        counted += run.minutes
        good += run.minutes if run.cause is Cause.WORKING else 0
        unknown += run.minutes if run.cause in _NEITHER else 0
    return DayShare(day, good, counted, unknown)
