"""
What calendars say of a day at a site.

    closure? ─▶ outside every term? ─▶ holiday, make-up workday, weekend ─▶ hours of the local day ─▶ instants

Everything is a function of the file alone: the same file gives the same days for ever.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.calendars.holidays import PublicDays, Special, Unpublished, overridden
from collector.calendars.schedule import DayKind, DaySchedule, Window
from collector.calendars.schema import DAY_MINUTES, WEEKDAYS, Calendar, CalendarFile, Closure, Period
from collector.calendars.zone import day_window, instant_ns
from collector.roster.schema import Site
from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean
from firmware_profiles.schema import Title

_NO_TITLE = Title("", "")
_WHOLE_DAY = (Period(0, DAY_MINUTES),)


class Maintenance(NamedTuple):
    """Maintenance within a day, and what it is called."""

    window: Window
    title: Title


class _Found(NamedTuple):
    """What a day is by its calendar alone, and the weekday whose lessons it has."""

    kind: DayKind
    title: Title
    weekday: int


class Calendars:
    """The calendars of a programme; `given.calendars` are whole, with what they inherit, and were checked."""

    def __init__(self, given: CalendarFile, file: Path) -> None:
        self.given = given
        self.file = file
        self.zone = ZoneInfo(given.zone)
        self._public = PublicDays(given)
        self._own = {name: overridden(one.overrides) for name, one in given.calendars.items()}
        self._of_place: dict[str, tuple[int, ...]] = {}
        self._days: dict[tuple[str, tuple[int, ...], date], DaySchedule] = {}

    def name_of(self, site: Site) -> str:
        """Return the name of a site's calendar: its own, its county's, or the default; ConfigError for one unknown."""
        name = site.calendar or self.given.counties.get(site.county, self.given.default)
        if name not in self.given.calendars:
            hint = did_you_mean(name, self.given.calendars, f"; there are {', '.join(self.given.calendars)}")
            raise ConfigError(str(self.file), [Problem(site.id, f"there is no calendar {name!r}{hint}")])
        return name

    def day(self, site: Site, day: date) -> DaySchedule:
        """Return what a day is at a site; ConfigError says which part of the file does not tell."""
        name = self.name_of(site)
        chosen = tuple(n for n in self._places(site) if self._closure(n).first <= day <= self._closure(n).last)
        key = (name, chosen, day)
        if key not in self._days:
            self._days[key] = self._made(name, [self._closure(number) for number in chosen], day)
        return self._days[key]

    def day_of(self, name: str, day: date) -> DaySchedule:
        """Return what a day is by a calendar alone, without closures of counties and sites."""
        closures = [one for one in self.given.closures if "all" in one.where and one.first <= day <= one.last]
        return self._made(name, closures, day)

    def maintenance(self, site: Site | None, day: date) -> list[Maintenance]:
        """Return what `excluded` of a day is made of, in the order of the file; without a site, that of all."""
        places = self._places(site) if site else (n for n, one in enumerate(self.given.closures) if "all" in one.where)
        closures = [self._closure(number) for number in places]
        return [Maintenance(window, one.title) for one in closures for window in self._excluded(one, day)]

    def problems(self, sites: Iterable[Site], first: date, last: date) -> list[Problem]:
        """Return what the file does not tell of a period, first and last day included, for all sites at once."""
        found: dict[Problem, None] = {}
        for name in {self.name_of(site) for site in sites}:
            for number in range((last - first).days + 1):
                try:
                    self._found(name, first + timedelta(days=number))
                except ConfigError as error:
                    found.update(dict.fromkeys(error.problems))
        return sorted(found)

    def _closure(self, number: int) -> Closure:
        return self.given.closures[number]

    def _places(self, site: Site) -> tuple[int, ...]:
        """Return the numbers of the closures that may touch a site."""
        if site.id not in self._of_place:
            names = {"all", site.county, site.id}
            touching = (n for n, one in enumerate(self.given.closures) if names & set(one.where))
            self._of_place[site.id] = tuple(touching)
        return self._of_place[site.id]

    def _made(self, name: str, closures: Iterable[Closure], day: date) -> DaySchedule:
        calendar, window = self.given.calendars[name], day_window(day, self.zone)
        closed = [one.title for one in closures if one.kind == "closure"]
        if closed:
            title = Title("、".join(one.zh for one in closed), ", ".join(one.en for one in closed))
            return DaySchedule(day, DayKind.CLOSED, title.zh, *window, title_en=title.en)
        found = self._found(name, day)
        lessons = calendar.periods(found.weekday) if found.kind is DayKind.WORKDAY else ()
        service = hours(calendar, lessons) if found.kind is DayKind.WORKDAY or calendar.every_day else ()
        return DaySchedule(
            day,
            found.kind,
            found.title.zh,
            *window,
            service=self._windows(day, service),
            lessons=self._windows(day, lessons),
            excluded=merged(window for one in closures for window in self._excluded(one, day)),
            title_en=found.title.en,
        )

    def _windows(self, day: date, periods: Iterable[Period]) -> tuple[Window, ...]:
        ends = ([instant_ns(day, minute, self.zone) for minute in period] for period in periods)
        return merged(Window(start, end) for start, end in ends)

    def _excluded(self, one: Closure, day: date) -> Iterator[Window]:
        """Yield what maintenance takes of a day."""
        if one.kind == "maintenance" and one.first <= day <= one.last:
            start = one.from_.minute if one.from_.day == day else None
            end = one.to.minute if one.to.day == day else None
            period = Period(start or 0, DAY_MINUTES if end is None else end)
            yield from self._windows(day, [period])

    def _found(self, name: str, day: date) -> _Found:
        """Return what a day is; ConfigError where the file does not tell."""
        calendar = self.given.calendars[name]
        term = self._term(name, day)
        if calendar.terms and term is None:
            return _Found(DayKind.BREAK, _NO_TITLE, day.weekday())
        special = self._special(name, day)
        if special and special.kind == "holiday":
            return _Found(DayKind.HOLIDAY, special.title, day.weekday())
        if special:
            return _Found(DayKind.WORKDAY, special.title, self._weekday(name, day, special))
        is_workday = day.weekday() < 5 or bool(calendar.periods(day.weekday()))
        kind = DayKind.WORKDAY if is_workday else DayKind.WEEKEND
        return _Found(kind, term if term and is_workday else _NO_TITLE, day.weekday())

    def _term(self, name: str, day: date) -> Title | None:
        """Return the title of the term that a day lies in, None between two; ConfigError where no term tells."""
        calendar = self.given.calendars[name]
        if not calendar.terms:
            return None
        first = calendar.terms_from or min(term.from_ for term in calendar.terms)
        last = calendar.terms_to or max(term.to for term in calendar.terms)
        if not first <= day <= last:
            said = f"say nothing of {day}: write the term of that day"
            hint = f", or terms_from: {day}" if day < first else f", or terms_to: {day}"
            raise self._error(f"calendars.{name}.terms", f"{said}{hint} where it is a break")
        return next((term.title for term in calendar.terms if term.from_ <= day <= term.to), None)

    def _special(self, name: str, day: date) -> Special | None:
        if day in self._own[name]:
            return self._own[name][day]
        if not self.given.calendars[name].follows_holidays:
            return None
        try:
            return self._public.special(day)
        except Unpublished as error:
            raise self._error(f"years.{error.year}", f"{error}: {HOW_TO_WRITE_A_YEAR}") from None

    def _weekday(self, name: str, day: date, special: Special) -> int:
        """Return the weekday whose lessons a workday has that is none by its weekday; ConfigError when none is told."""
        weekday = made_up_weekday(self.given.calendars[name], day, special)
        if weekday is None:
            raise self._error(f"calendars.{name}.makeup", missing_answer(day, special))
        return weekday

    def _error(self, path: str, message: str) -> ConfigError:
        return ConfigError(str(self.file), [Problem(path, message)])


HOW_TO_WRITE_A_YEAR = (
    "write {holidays: [{from: …, to: …, title: …}], workdays: [{on: …, title: …, instead_of: …}]} "
    "as the State Council publishes them"
)


def missing_answer(day: date, special: Special) -> str:
    """Return what to say where nobody tells whose lessons a make-up workday has."""
    weekday = WEEKDAYS[special.instead_of.weekday()] if special.instead_of else "fri"
    back = f", gives back {special.instead_of}" if special.instead_of else ""
    answer = f"write {{{day}: {weekday}}} or the like"
    rule = ", or makeup_rule: in-lieu" if special.instead_of else ""
    return f"does not say whose lessons {day} has ({WEEKDAYS[day.weekday()]}, {special.title.en}{back}): {answer}{rule}"


def made_up_weekday(calendar: Calendar, day: date, special: Special) -> int | None:
    """
    Return the weekday whose lessons a make-up workday has, None when nobody tells.

    Nobody needs to where all workdays have the same.
    """
    told: str | None = calendar.makeup.get(day.isoformat())
    if told is None and calendar.makeup_rule not in ("ask", "in-lieu"):
        told = calendar.makeup_rule
    if told is not None:
        return WEEKDAYS.index(told)
    if special.instead_of and calendar.makeup_rule == "in-lieu":
        return special.instead_of.weekday()
    if day.weekday() < 5:
        return day.weekday()
    choices = {calendar.periods(weekday) for weekday in range(5)}
    if own := calendar.periods(day.weekday()):
        choices.add(own)
    return 0 if len(choices) == 1 else None


def hours(calendar: Calendar, lessons: tuple[Period, ...]) -> tuple[Period, ...]:
    """Return the hours that service is owed on a day with these lessons; by default these."""
    if "always" in calendar.service:
        return _WHOLE_DAY
    if not calendar.service:
        return lessons
    found = [lessons if one == "lessons" else (Period.parse(one),) for one in calendar.service]
    return tuple(sorted(period for periods in found for period in periods))


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return windows sorted, without empty ones, those that touch made one."""
    found: list[Window] = []
    for window in sorted(windows):
        if window.start_ns >= window.end_ns:
            continue
        if found and window.start_ns <= found[-1].end_ns:
            found[-1] = Window(found[-1].start_ns, max(found[-1].end_ns, window.end_ns))
        else:
            found.append(window)
    return tuple(found)
