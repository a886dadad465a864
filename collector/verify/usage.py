"""
Use in lessons: whether the platform was used, lesson by lesson.

From `usage`: whether a display is on and a session active, never who or what. A lesson counts as used when one reading
in it or more says so: by the session where that is told, else by the display. A lesson in which the machine was off or
asleep all the time was not used; one without any word of it is unknown, and widens the interval.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from collector.calendars.schedule import DaySchedule, Window
from collector.verify.causes import Cause, Run
from collector.verify.results import LessonRate, Usage

_OFF = frozenset({Cause.POWER_OFF, Cause.ASLEEP})


class Used(NamedTuple):
    """A reading of `usage`; None where that field is not told."""

    time_ns: int
    display_on: int | None = None
    session_active: int | None = None


class Said(NamedTuple):
    """What the readings within a lesson come to; see `Lesson`."""

    displays: int = 0
    on: int = 0
    sessions: int = 0
    active: int = 0


class Lesson(NamedTuple):
    """
    One lesson of one device, counted from 1 in its day, with how many readings there were, and how many said so.

    `displays` and `sessions` are the readings that tell of each, `on` and `active` those that say yes.
    """

    device: str
    day_start_ns: int
    number: int
    displays: int = 0
    on: int = 0
    sessions: int = 0
    active: int = 0
    is_off: bool = False

    @property
    def is_used(self) -> bool | None:
        """Tell whether the platform was used; None: nobody knows."""
        if self.sessions:
            return self.active > 0
        if self.displays:
            return self.on > 0
        return False if self.is_off else None


def lessons_of(device: str, schedule: DaySchedule, readings: Sequence[Used], runs: Iterable[Run]) -> Iterator[Lesson]:
    """Yield the lessons of a device-day from its readings, sorted by time, and the runs of a record of it."""
    times = [reading.time_ns for reading in readings]

    def said(window: Window) -> Said:
        within = readings[bisect_left(times, window.start_ns) : bisect_left(times, window.end_ns)]
        displays = [reading.display_on for reading in within if reading.display_on is not None]
        sessions = [reading.session_active for reading in within if reading.session_active is not None]
        return Said(len(displays), sum(map(bool, displays)), len(sessions), sum(map(bool, sessions)))

    return lessons_by(device, schedule, said, runs)


def lessons_by(
    device: str, schedule: DaySchedule, said: Callable[[Window], Said], runs: Iterable[Run]
) -> Iterator[Lesson]:
    """
    Yield the lessons of a device-day from what `said` tells of each, and the runs of a record of it.

    A lesson that an agreed interruption takes away altogether is left out, and keeps its number.
    """
    known = list(runs)
    for number, window in enumerate(schedule.lessons, 1):
        if any(free.start_ns <= window.start_ns and window.end_ns <= free.end_ns for free in schedule.excluded):
            continue
        yield Lesson(device, schedule.start_ns, number, *said(window), is_off=_is_off(window, known))


def _is_off(window: Window, runs: Iterable[Run]) -> bool:
    """Tell whether a machine was off or asleep in all of a lesson."""
    spans = [min(run.end_ns, window.end_ns) - max(run.start_ns, window.start_ns) for run in runs if run.cause in _OFF]
    return sum(max(0, span) for span in spans) == window.end_ns - window.start_ns


class Users:
    """Takes lessons, in any order."""

    def __init__(self) -> None:
        self._lessons: dict[int, _Sum] = defaultdict(_Sum)
        self._sites: dict[str, _Sum] = defaultdict(_Sum)

    def add(self, lesson: Lesson) -> None:
        """Take a lesson."""
        self._lessons[lesson.number].add(lesson)
        self._sites[lesson.device.partition(".")[0]].add(lesson)

    def finish(self) -> Usage:
        """Return use by lesson of the day, and by site."""
        lessons = tuple(self._lessons[number].rate(number) for number in sorted(self._lessons))
        return Usage(lessons, {site: self._sites[site].rate(0) for site in sorted(self._sites)})


class _Sum:
    def __init__(self) -> None:
        self._lessons: dict[bool | None, int] = {True: 0, False: 0, None: 0}
        self._displays = self._on = self._sessions = self._active = 0

    def add(self, lesson: Lesson) -> None:
        self._lessons[lesson.is_used] += 1
        self._displays += lesson.displays
        self._on += lesson.on
        self._sessions += lesson.sessions
        self._active += lesson.active

    def rate(self, number: int) -> LessonRate:
        on = self._on / self._displays if self._displays else None
        active = self._active / self._sessions if self._sessions else None
        return LessonRate(number, self._lessons[True], self._lessons[False], self._lessons[None], on, active)
