"""
What a calendar says of one day: the hours that count.

Instants are unix nanoseconds on whole minutes (UTC); a window is [start_ns, end_ns).
"""

from collections.abc import Iterable, Iterator
from datetime import date
from enum import StrEnum
from typing import NamedTuple

MINUTE_NS = 60_000_000_000


class Hours(StrEnum):
    """Which hours of a day a target counts."""

    SERVICE = "service"
    LESSONS = "lessons"


class DayKind(StrEnum):
    """What a day is."""

    WORKDAY = "workday"  # for a school: a school day, make-up workdays 调休 among them
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    BREAK = "break"  # outside every term
    CLOSED = "closed"  # a closure of the site or its county


class Window(NamedTuple):
    """A piece of time on whole minutes."""

    start_ns: int
    end_ns: int

    @property
    def minutes(self) -> int:
        """How many service minutes 服务分钟 it has."""
        return (self.end_ns - self.start_ns) // MINUTE_NS


class DaySchedule(NamedTuple):
    """
    One day of one calendar at one site.

    `title` says why it is what it is (the holiday's name, the closure's reason), `title_en` the same in English.
    `service` and `lessons` are sorted and do not overlap; on a day off both are empty unless the calendar owes service
    every day. `excluded` are agreed interruptions (maintenance 维护): their minutes count neither for nor against.
    """

    day: date
    kind: DayKind
    title: str
    start_ns: int
    end_ns: int
    service: tuple[Window, ...] = ()
    lessons: tuple[Window, ...] = ()
    excluded: tuple[Window, ...] = ()
    title_en: str = ""

    def windows(self, hours: Hours) -> tuple[Window, ...]:
        """Return the hours that count."""
        return self.lessons if hours is Hours.LESSONS else self.service


def minutes_of(windows: Iterable[Window]) -> Iterator[int]:
    """Yield the start of each minute of windows, ns."""
    for window in windows:
        yield from range(window.start_ns, window.end_ns, MINUTE_NS)
