"""
Days that are not what their weekday says.

China's public holidays and make-up workdays 调休, as the State Council publishes them each year,
come from the library `chinesecalendar`; what the file of calendars says of a year, or of a day, stands above it. A year
that is not known is `Unpublished`, never a guess.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from typing import Literal, NamedTuple

from chinese_calendar.constants import Holiday, holidays, in_lieu_days, workdays

from collector.calendars.schema import CalendarFile, Override, Year
from firmware_profiles.schema import Title

_EVES = "New Year's Day"  # its days may lie in the December before
_FULL = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节"}


class Special(NamedTuple):
    """A day that is not what its weekday says; `instead_of` is the day off that a make-up workday gives back."""

    kind: Literal["holiday", "workday"]
    title: Title
    instead_of: date | None = None


class Unpublished(LookupError):
    """A year without published holidays."""

    def __init__(self, year: int, message: str) -> None:
        super().__init__(message)
        self.year = year


class PublicDays:
    """The holidays and make-up workdays of a file of calendars."""

    def __init__(self, given: CalendarFile) -> None:
        self._given = given
        self._overrides = overridden(given.overrides)
        self._years: dict[int, Mapping[date, Special]] = {}

    def special(self, day: date) -> Special | None:
        """Return what a day is that is not what its weekday says; Unpublished when nobody knows."""
        return self._overrides.get(day) or self.year(day.year).get(day)

    def year(self, year: int) -> Mapping[date, Special]:
        """Return a year's holidays and make-up workdays, without overrides; Unpublished when they are not known."""
        if year not in self._years:
            given = self._given.years.get(str(year))
            if given is not None:
                self._years[year] = _given_year(given)
            else:
                self._years[year] = {} if self._given.holidays == "none" else published(year)
        return self._years[year]


def overridden(given: Mapping[str, Override]) -> dict[date, Special]:
    """Return overrides by their date."""
    return {date.fromisoformat(day): Special(one.kind, one.title, one.instead_of) for day, one in given.items()}


def _given_year(given: Year) -> dict[date, Special]:
    found: dict[date, Special] = {}
    for off in given.holidays:
        for number in range((off.to - off.from_).days + 1):
            found[off.from_ + timedelta(days=number)] = Special("holiday", off.title)
    for day in given.workdays:
        found[day.on] = Special("workday", day.title, day.instead_of)
    return found


def known_years() -> tuple[int, int]:
    """Return the first and the last year that there is."""
    return min(holidays).year, max(holidays).year


@cache
def published(year: int) -> dict[date, Special]:
    """Return the holidays and make-up workdays of a year; Unpublished when there is nothing of it."""
    first, last = known_years()
    if not first <= year <= last:
        known = f"chinesecalendar {version('chinesecalendar')} knows {first}–{last}"
        raise Unpublished(year, f"the public holidays of {year} are not known ({known})")
    back = given_back()
    found = {day: Special("holiday", title_of(name)) for day, name in holidays.items() if day.year == year}
    for day, name in workdays.items():
        if day.year == year:
            found[day] = Special("workday", make_up_title(title_of(name)), back.get(day))
    return found


@cache
def given_back() -> dict[date, date]:
    """
    Return which day off each make-up workday gives back.

    The library has both lists, of each holiday; in order they belong together. Where they are not of one length
    (Spring Festival 2018) nobody can tell, and the days are left out.
    """
    pairs: dict[date, date] = {}
    made_up, taken = _by_festival(workdays), _by_festival(in_lieu_days)
    for festival, days in made_up.items():
        if len(days) == len(taken[festival]):
            pairs.update(zip(days, taken[festival], strict=True))
    return pairs


def _by_festival(days: dict[date, str]) -> dict[tuple[int, str], list[date]]:
    found: dict[tuple[int, str], list[date]] = defaultdict(list)
    for day, name in sorted(days.items()):
        found[day.year + (name == _EVES and day.month == 12), name].append(day)
    return found


def title_of(name: str) -> Title:
    """Return the name of a holiday in both languages."""
    holiday = Holiday(name)
    chinese = str(holiday.chinese)
    return Title(_FULL.get(chinese, chinese), name)


def make_up_title(holiday: Title) -> Title:
    """Return what a make-up workday of a holiday is called."""
    return Title(f"{holiday.zh}调休", f"make-up day of {holiday.en}")
