"""
Does a file of calendars make sense? The rules beyond the types: each mistake says what to do.

    check(given, whole) ──▶ zone, names ──▶ years, overrides ──▶ each calendar ──▶ closures

`whole` are the calendars with what they inherit; none where that is wrong already.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from collector.calendars.calendar import made_up_weekday, missing_answer
from collector.calendars.holidays import PublicDays, Special, Unpublished, overridden
from collector.calendars.schema import (
    FIRST_YEAR,
    LAST_YEAR,
    WEEKDAYS,
    Calendar,
    CalendarFile,
    Closure,
    Days,
    MakeUp,
    Off,
    Override,
    Period,
    Term,
    Year,
)
from contract.errors import Problem
from contract.meant import did_you_mean
from contract.names import is_device
from firmware_profiles.schema import Slug, Title

_LONGEST_BREAK = timedelta(days=120)


def check(given: CalendarFile, whole: Mapping[str, Calendar]) -> list[Problem]:
    """Return every mistake of a file."""
    found = [
        *_zone(given.zone),
        *_names(given),
        *_years(given.years),
        *_overrides(given.overrides, "overrides"),
    ]
    for name, calendar in given.calendars.items():
        found += [Problem(f"calendars.{name}.{path}".rstrip("."), message) for path, message in _calendar(calendar)]
    for number, closure in enumerate(given.closures):
        found += [Problem(f"closures[{number}].{path}", message) for path, message in _closure(given, closure)]
    if not found:  # what follows builds upon all that
        for name, calendar in whole.items():
            is_used = not any(other.extends == name for other in given.calendars.values())
            problems = [*_whole(calendar, is_used=is_used), *_makeup(given, calendar, given.calendars[name])]
            found += [Problem(f"calendars.{name}.{path}".rstrip("."), message) for path, message in problems]
    return found


def _zone(name: str) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones(), " such as Asia/Shanghai")
        yield Problem("zone", f"{name!r} is not a time zone{hint}")


def _names(given: CalendarFile) -> Iterator[Problem]:
    known = given.calendars
    if not known:
        yield Problem("calendars", "is empty: there must be one at least")
        return
    for name in known:
        try:
            Slug.parse(name)
        except ValueError as error:
            yield Problem(f"calendars.{name}", str(error))
    uses = {"default": given.default} | {f"counties.{county}": name for county, name in given.counties.items()}
    for path, name in uses.items():
        if name not in known:
            hint = did_you_mean(name, known, f"; there are {', '.join(known)}")
            yield Problem(path, f"there is no calendar {name!r}{hint}")
    for county in given.counties:
        if not re.fullmatch("[a-z0-9]+", county):
            yield Problem(f"counties.{county}", "is not a county's code, such as 441802")


def _title(title: Title, path: str = "title") -> Iterator[Problem]:
    for language, text in title._asdict().items():
        if not text.strip():
            yield Problem(f"{path}.{language}", "is empty")


def _years(years: Mapping[str, Year]) -> Iterator[Problem]:
    for name, year in years.items():
        at = f"years.{name}"
        if not name.isdecimal() or not FIRST_YEAR <= int(name) <= LAST_YEAR:
            yield Problem(at, f"is not a year from {FIRST_YEAR} to {LAST_YEAR}")
            continue
        yield from (Problem(f"{at}.{path}", message) for path, message in _days_of_year(year, int(name)))


def _days_of_year(year: Year, number: int) -> Iterator[Problem]:
    taken: dict[date, str] = {}
    if not year.holidays:
        yield Problem("holidays", "is empty: a year without any is no published one")
    for n, off in enumerate(year.holidays):
        yield from _off(off, number, f"holidays[{n}]", taken)
    for n, day in enumerate(year.workdays):
        yield from _made_up(day, number, f"workdays[{n}]", taken)


def _off(off: Off, year: int, at: str, taken: dict[date, str]) -> Iterator[Problem]:
    yield from _title(off.title, f"{at}.title")
    if problem := _turned(off.from_, off.to):
        yield Problem(f"{at}.to", problem)
    for key, end in (("from", off.from_), ("to", off.to)):
        if end.year != year:
            yield Problem(f"{at}.{key}", f"{end} is not of {year}: what is of another year stands there")
    days = [off.from_ + timedelta(days=n) for n in range(min((off.to - off.from_).days + 1, 366))]
    if twice := [day for day in days if day in taken]:
        yield Problem(at, f"has {twice[0]} as {taken[twice[0]]} has it")
    taken.update({day: at for day in days if day not in taken})


def _made_up(day: MakeUp, year: int, at: str, taken: dict[date, str]) -> Iterator[Problem]:
    yield from _title(day.title, f"{at}.title")
    if day.on.year != year:
        yield Problem(f"{at}.on", f"{day.on} is not of {year}")
    elif day.on in taken:
        yield Problem(f"{at}.on", f"{day.on} is in {taken[day.on]}, too")
    elif day.on.weekday() < 5:
        yield Problem(f"{at}.on", f"{day.on} is a {WEEKDAYS[day.on.weekday()]}, a workday anyway")
    taken.setdefault(day.on, at)
    yield from _instead(day.instead_of, at)


def _instead(day: date | None, at: str) -> Iterator[Problem]:
    if day and day.weekday() > 4:
        yield Problem(f"{at}.instead_of", f"{day} is a {WEEKDAYS[day.weekday()]}: nothing was taken that day")


def _turned(first: date, last: date) -> str:
    return f"{last} is before {first}" if last < first else ""


def _overrides(given: Mapping[str, Override], path: str) -> Iterator[Problem]:
    for day, one in given.items():
        at = f"{path}.{day}"
        yield from _title(one.title, f"{at}.title")
        if not _is_date(day):
            yield Problem(at, f"{day!r} is not a date such as 2026-09-03")
        if one.instead_of and one.kind == "holiday":
            yield Problem(f"{at}.instead_of", "is for a workday")
        yield from _instead(one.instead_of, at)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _calendar(calendar: Calendar) -> Iterator[Problem]:
    """Yield what is wrong with what a calendar gives itself."""
    yield from _title(calendar.title)
    yield from _terms(calendar.terms)
    yield from _lessons(calendar.lessons)
    yield from _service(calendar)
    yield from _overrides(calendar.overrides, "overrides")
    for day in calendar.makeup:
        if not _is_date(day):
            yield Problem(f"makeup.{day}", f"{day!r} is not a date such as 2026-02-14")


def _terms(terms: tuple[Term, ...]) -> Iterator[Problem]:
    for number, term in enumerate(terms):
        yield from _title(term.title, f"terms[{number}].title")
        if problem := _turned(term.from_, term.to):
            yield Problem(f"terms[{number}].to", problem)
    order = sorted(range(len(terms)), key=lambda number: terms[number].from_)
    for earlier, later in pairwise(order):
        before, after = terms[earlier], terms[later]
        if after.from_ <= before.to:
            yield Problem(f"terms[{later}].from", f"{after.from_} is within terms[{earlier}], which ends {before.to}")
        elif after.from_ - before.to > _LONGEST_BREAK:
            days = (after.from_ - before.to).days - 1
            yield Problem(f"terms[{later}].from", f"{days} days after terms[{earlier}]: is there a term between them?")


def _lessons(lessons: Mapping[str, tuple[Period, ...]]) -> Iterator[Problem]:
    owner: dict[str, str] = {}
    for name, periods in lessons.items():
        at = f"lessons.{name}"
        try:
            days = Days.parse(name).weekdays
        except ValueError as error:
            yield Problem(at, f"{error}{did_you_mean(name, WEEKDAYS)}")
            continue
        for day in days:
            if day in owner:
                yield Problem(at, f"has {day} as lessons.{owner[day]} has it")
            owner.setdefault(day, name)
        yield from _overlapping(periods, at)


def _overlapping(periods: Iterable[Period], at: str) -> Iterator[Problem]:
    order = sorted((period, number) for number, period in enumerate(periods))
    for (before, _), (after, number) in pairwise(order):
        if after.start < before.end:
            yield Problem(f"{at}[{number}]", f"{after} overlaps {before}")


def _service(calendar: Calendar) -> Iterator[Problem]:
    words = [one for one in calendar.service if one in ("always", "lessons")]
    if words and len(calendar.service) > 1:
        yield Problem("service", f"{words[0]} stands alone")
    elif not words:
        yield from _overlapping((Period.parse(one) for one in calendar.service), "service")


def _whole(calendar: Calendar, *, is_used: bool) -> Iterator[Problem]:
    """Yield what is wrong with a calendar and what it inherits together; `is_used`: no other one extends it."""
    has_hours = calendar.service not in ((), ("lessons",))
    if not any(calendar.lessons.values()) and not has_hours and (is_used or calendar.service):
        yield Problem("service", "has no hours: write hours of service, always, or lessons")
    if calendar.every_day and not has_hours:
        yield Problem("every_day", "needs hours of service: there are no lessons on days off")
    if not calendar.terms:
        for key in ("terms_from", "terms_to"):
            if getattr(calendar, key):
                yield Problem(key, "there are no terms")
    elif calendar.terms_from and calendar.terms_from > (first := min(term.from_ for term in calendar.terms)):
        yield Problem("terms_from", f"{calendar.terms_from} is after the first term's begin, {first}")
    elif calendar.terms_to and calendar.terms_to < (last := max(term.to for term in calendar.terms)):
        yield Problem("terms_to", f"{calendar.terms_to} is before the last term's end, {last}")


def _makeup(given: CalendarFile, calendar: Calendar, own: Calendar) -> Iterator[Problem]:
    """Yield answers to what was not asked, and make-up workdays within terms that have no answer."""
    days = _made_up_days(given, calendar)
    for text in own.makeup:
        day = date.fromisoformat(text)
        if days is not None and _may_know(given, day) and day not in days:
            known = [f"{one}" for one in days if one.year == day.year]
            hint = f"; those of {day.year} are {', '.join(known)}" if known else ""
            yield Problem(f"makeup.{text}", f"is not a make-up workday{hint}")
    for term in calendar.terms:
        for day, special in (days or {}).items():
            if term.from_ <= day <= term.to and made_up_weekday(calendar, day, special) is None:
                yield Problem("makeup", missing_answer(day, special))


def _may_know(given: CalendarFile, day: date) -> bool:
    try:
        PublicDays(given).year(day.year)
    except Unpublished:
        return False
    return True


def _made_up_days(given: CalendarFile, calendar: Calendar) -> dict[date, Special]:
    """Return the make-up workdays of a calendar in the years that it is about, as far as they are known."""
    public = PublicDays(given)
    found: dict[date, Special] = {}
    if calendar.follows_holidays:
        years = {day.year for term in calendar.terms for day in (term.from_, term.to)}
        for year in sorted(years | {int(text[:4]) for text in calendar.makeup}):
            if _may_know(given, date(year, 1, 1)):
                found |= public.year(year)
        found |= overridden(given.overrides)
    found |= overridden(calendar.overrides)
    return {day: special for day, special in sorted(found.items()) if special.kind == "workday"}


def _closure(given: CalendarFile, one: Closure) -> Iterator[Problem]:
    yield from _title(one.title)
    if not one.where:
        yield Problem("where", "is empty: write all, counties or sites")
    for number, place in enumerate(one.where):
        if "-" in place and not is_device(f"{place}.x"):
            yield Problem(f"where[{number}]", f"{place!r} is not a site's id, such as 441802-3144001234")
        elif "-" not in place and place != "all" and place not in given.counties:
            hint = did_you_mean(place, [*given.counties, "all"], ": write all, a county, or a site's id")
            yield Problem(f"where[{number}]", f"{place!r} is not among counties{hint}")
    if one.kind == "closure" and not one.from_.minute is one.to.minute is None:
        yield Problem(
            "from" if one.from_.minute is not None else "to", "a closure is of whole days: leave the time out"
        )
    start = (one.from_.day, one.from_.minute or 0)
    end = (one.to.day, 1440 if one.to.minute is None else one.to.minute)
    if start >= end:
        yield Problem("to", f"{one.to} is not after {one.from_}")
