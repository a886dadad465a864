"""
A file of calendars: when service is owed and lessons are, by name; which county has which; what interrupts them.

NamedTuples that `contract.settings` checks; `load.py` makes them of YAML, `check.py` looks whether they make sense,
`calendar.py` says what they mean for a day. `docs/calendar.md` explains them with examples. In YAML `from_` is `from`.
"""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal, NamedTuple, Self

from collector.dates import Day
from firmware_profiles.schema import Slug, Title

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY_MINUTES = 1440
FIRST_YEAR, LAST_YEAR = 1973, 2200  # before it zones were not of whole minutes everywhere
_TIME = r"(\d{1,2}):(\d{2})"


def _minute(hour: str, minute: str, text: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > DAY_MINUTES:
        raise ValueError(f"{text!r}: {hour}:{minute} is not a time of day")
    return found


def clock(minute: int) -> str:
    """Return a minute of the day as `08:20`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


class Period(NamedTuple):
    """Some of a day, `08:20-09:00`: minutes of the local day, from `start` to before `end`."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the period; ValueError says how one is written."""
        match = re.fullmatch(rf"{_TIME} ?[-–] ?{_TIME}", text)
        if not match:
            raise ValueError(f"{text!r} is not a period such as 08:20-09:00")
        start, end = _minute(match[1], match[2], text), _minute(match[3], match[4], text)
        if start >= end:
            hint = f": a night is two of them, {clock(start)}-24:00 and 00:00-{clock(end)}" if 0 < end < start else ""
            raise ValueError(f"{text!r} ends before it has begun{hint}")
        return cls(start, end)

    def __str__(self) -> str:
        return f"{clock(self.start)}-{clock(self.end)}"


class Service(str):
    """Hours of service: a period, `always`, or `lessons`, which are those of the lessons."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the hours; ValueError says how they are written."""
        if text not in ("always", "lessons"):
            try:
                Period.parse(text)
            except ValueError as error:
                raise ValueError(str(error).replace("09:00", "09:00, always or lessons")) from None
        return cls(text)


class Days(str):
    """A weekday or several in a row, `mon` or `mon-fri`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the days; ValueError says how they are written."""
        first, _, last = text.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f"{text!r} is not a weekday such as mon, or several such as mon-fri")
        if WEEKDAYS.index(first) > WEEKDAYS.index(last or first):
            raise ValueError(f"{text!r} ends before it has begun: the week goes from mon to sun")
        return cls(text)

    @property
    def weekdays(self) -> tuple[str, ...]:
        """Each of them."""
        first, _, last = self.partition("-")
        return WEEKDAYS[WEEKDAYS.index(first) : WEEKDAYS.index(last or first) + 1]


class Moment(NamedTuple):
    """A day, or with a time (minute of the local day) an instant: `2026-03-02`, `2026-03-02 22:30`."""

    day: date
    minute: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the moment; ValueError says how one is written."""
        match = re.fullmatch(rf"(\S+?)(?:[T ]{_TIME})?", text)
        try:
            day = date.fromisoformat(match[1] if match else text)
        except ValueError:
            raise ValueError(f"{text!r} is not a date such as 2026-03-02, or a time such as 2026-03-02 22:30") from None
        return cls(day, _minute(match[2], match[3], text) if match and match[2] else None)

    def __str__(self) -> str:
        return f"{self.day}" if self.minute is None else f"{self.day} {clock(self.minute)}"


class Term(NamedTuple):
    """A term 学期, both days included."""

    from_: Day
    to: Day
    title: Title


class Off(NamedTuple):
    """Days of a public holiday, both included."""

    from_: Day
    to: Day
    title: Title


class MakeUp(NamedTuple):
    """A make-up workday 调休; `instead_of` is the day off that it gives back."""

    on: Day
    title: Title
    instead_of: Day | None = None


class Year(NamedTuple):
    """The public holidays of a year, and its make-up workdays: all of them."""

    holidays: tuple[Off, ...]
    workdays: tuple[MakeUp, ...] = ()


class Override(NamedTuple):
    """What a single day is, whatever else is known; a workday may say `instead_of` which day it is."""

    kind: Literal["holiday", "workday"]
    title: Title
    instead_of: Day | None = None


class Calendar(NamedTuple):
    """
    One calendar; what it does not give it has from the one that it extends.

    `lessons` by weekdays, `service` the hours that service is owed. Both hold on workdays within terms (without terms:
    on all workdays); with `every_day` service is owed on days off too. Without `follows_holidays` Monday to Friday are
    workdays, whatever is a holiday. `terms_from` and `terms_to`: the days that `terms` say something about, else the
    school years, from 1 September to 31 August, that they lie in.

    A make-up workday has the lessons of the weekday that `makeup` names, else of the one that `makeup_rule` finds:
    `in-lieu`, that of the day off which it gives back; a weekday; or none, `ask`, which is a mistake where the lessons
    of workdays differ.
    """

    title: Title
    extends: str = ""
    terms: tuple[Term, ...] = ()
    terms_from: Day | None = None
    terms_to: Day | None = None
    lessons: Mapping[str, tuple[Period, ...]] = {}
    service: tuple[Service, ...] = ()
    every_day: bool = False
    follows_holidays: bool = True
    makeup: Mapping[str, Weekday] = {}
    makeup_rule: Literal["ask", "in-lieu", "mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "ask"
    overrides: Mapping[str, Override] = {}

    def periods(self, weekday: int) -> tuple[Period, ...]:
        """Return the lessons of a weekday, Monday being 0, in order."""
        found = (periods for days, periods in self.lessons.items() if WEEKDAYS[weekday] in Days(days).weekdays)
        return tuple(sorted(period for periods in found for period in periods))


class Closure(NamedTuple):
    """
    A closure of whole days, or maintenance 维护: agreed interruptions, which count neither for nor against.

    `where` are `all`, counties and sites. A day at its end is included, an instant is not.
    """

    where: tuple[str, ...]
    from_: Moment
    to: Moment
    title: Title
    kind: Literal["closure", "maintenance"] = "closure"

    @property
    def first(self) -> date:
        """Its first day."""
        return self.from_.day

    @property
    def last(self) -> date:
        """Its last day; one that it ends at the midnight of is none of it."""
        return self.to.day if self.to.minute != 0 else self.to.day - timedelta(days=1)


class CalendarFile(NamedTuple):
    """All calendars of a programme. `years` stand above published holidays, `overrides` above both."""

    calendars: Mapping[str, Calendar]
    default: Slug
    zone: str = "Asia/Shanghai"
    holidays: Literal["china", "none"] = "china"
    years: Mapping[str, Year] = {}
    overrides: Mapping[str, Override] = {}
    counties: Mapping[str, Slug] = {}
    closures: tuple[Closure, ...] = ()
