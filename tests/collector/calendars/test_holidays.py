"""China's public holidays and make-up workdays, as published."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from collector.calendars.holidays import Unpublished, known_years, published
from contract.errors import ConfigError
from tests.collector.calendars.calendars import SITE, calendars, day, schedule_of

YEARS = range(2004, 2027)
SIMPLE = "default: a\ncalendars: {a: {title: A, lessons: {mon-fri: ['08:20-09:00']}}}\n"


def test_the_make_up_workdays_of_2026_are_the_published_ones() -> None:
    """State Council, 2026: six days, each by the holiday that it belongs to."""
    found = {f"{day:%m-%d}": one.title.zh for day, one in published(2026).items() if one.kind == "workday"}
    assert found == {
        "01-04": "元旦调休",
        "02-14": "春节调休",
        "02-28": "春节调休",
        "05-09": "劳动节调休",
        "09-20": "国庆节调休",
        "10-10": "国庆节调休",
    }


def test_the_holidays_of_2026_have_names_in_both_languages() -> None:
    """A holiday is called by its name, not by a number."""
    assert published(2026)[date(2026, 2, 17)].title == ("春节", "Spring Festival")
    assert published(2026)[date(2026, 4, 5)].title == ("清明节", "Tomb-sweeping Day")
    assert published(2026)[date(2026, 9, 25)].title == ("中秋节", "Mid-autumn Festival")


@pytest.mark.parametrize("year", YEARS)
def test_every_published_year_is_consistent(year: int) -> None:
    """
    Days are of their year; a make-up workday is a Saturday or Sunday, near the holiday that it belongs to.

    What it gives back is a weekday off of the same holiday.
    """
    days = published(year)
    assert all(day.year == year and all(one.title) for day, one in days.items())
    assert sum(one.kind == "holiday" for one in days.values()) >= 10
    for day_, one in days.items():
        if one.kind == "workday":
            assert day_.weekday() >= 5
            name = one.title.zh.removesuffix("调休")
            near = {published(year).get(day_ + timedelta(days=n)) for n in range(-25, 26)}
            after = published(year + 1).get(date(year + 1, 1, 1)) if year + 1 in YEARS else None
            assert any(off and off.kind == "holiday" and off.title.zh == name for off in (*near, after))
        if one.instead_of:
            assert one.instead_of.weekday() < 5
            assert published(one.instead_of.year)[one.instead_of].kind == "holiday"


def test_every_make_up_workday_gives_back_another_day_but_those_of_2018() -> None:
    """The Spring Festival of 2018 has two of them for three days: nobody can tell which."""
    days = {day: one for year in YEARS for day, one in published(year).items() if one.kind == "workday"}
    assert [day for day, one in days.items() if not one.instead_of] == [date(2018, 2, 11), date(2018, 2, 24)]
    back = [one.instead_of for one in days.values() if one.instead_of]
    assert len(set(back)) == len(back)


def test_a_year_that_is_not_published_is_no_guess(tmp_path: Path) -> None:
    """Who asks for it is told which part of which file to write, on workdays and on weekends alike."""
    given = calendars(tmp_path, SIMPLE)
    unknown = known_years()[1] + 1
    with pytest.raises(Unpublished):
        published(unknown)
    for text in (f"{unknown}-03-03", f"{unknown}-03-06"):
        with pytest.raises(ConfigError) as error:
            schedule_of(given, text)
        assert str(error.value).startswith(
            f"{tmp_path}/calendars.yaml: years.{unknown}: "
            f"the public holidays of {unknown} are not known (chinesecalendar "
        )
        assert "write {holidays: [{from: …, to: …, title: …}]" in str(error.value)


def test_all_that_a_period_lacks_is_said_at_once(tmp_path: Path) -> None:
    """A verification of months is not refused day by day: one line a year that is not known."""
    given = calendars(tmp_path, SIMPLE)
    unknown = known_years()[1] + 1
    found = given.problems([SITE, SITE], date(unknown - 1, 12, 1), date(unknown + 1, 1, 31))
    assert [problem.path for problem in found] == [f"years.{unknown}", f"years.{unknown + 1}"]
    assert not given.problems([SITE], date(2026, 1, 1), date(2026, 12, 31))


def test_a_year_can_be_written_by_hand(tmp_path: Path) -> None:
    """Holidays and make-up workdays in the file make a year known, and stand above published ones."""
    written = """
years:
  2030:
    holidays: [{from: 2030-01-01, to: 2030-01-03, title: {zh: 元旦, en: New Year}}]
    workdays: [{on: 2030-01-05, title: 元旦调休}]
  2026:
    holidays: [{from: 2026-01-02, to: 2026-01-02, title: 校庆}]
"""
    given = calendars(tmp_path, SIMPLE + written)
    assert day(given, "2030-01-02") == ("holiday", "元旦", "")
    assert schedule_of(given, "2030-01-02").title_en == "New Year"
    assert day(given, "2030-01-05") == ("workday", "元旦调休", "08:20-09:00")
    assert day(given, "2030-01-06") == ("weekend", "", "")
    assert day(given, "2026-01-01") == ("workday", "", "08:20-09:00")
    assert day(given, "2026-01-02") == ("holiday", "校庆", "")


def test_a_single_day_stands_above_everything(tmp_path: Path) -> None:
    """A day off by order of the government, a Saturday with lessons; no year needs to be known for them."""
    written = """
overrides:
  2026-09-03: {kind: holiday, title: 纪念日}
  2026-10-01: {kind: workday, title: 补课}
  2031-05-10: {kind: workday, title: 补课}
"""
    given = calendars(tmp_path, SIMPLE + written)
    assert day(given, "2026-09-03") == ("holiday", "纪念日", "")
    assert day(given, "2026-10-01") == ("workday", "补课", "08:20-09:00")
    assert day(given, "2031-05-10") == ("workday", "补课", "08:20-09:00")


def test_without_holidays_weekdays_are_workdays(tmp_path: Path) -> None:
    """`holidays: none`, or a calendar that does not follow them, knows every year."""
    for text in ("holidays: none\n" + SIMPLE, SIMPLE.replace("title: A", "title: A, follows_holidays: false")):
        given = calendars(tmp_path, text)
        assert day(given, "2026-10-01") == ("workday", "", "08:20-09:00")
        assert day(given, "2026-10-10") == ("weekend", "", "")
        assert day(given, "2099-10-01") == ("workday", "", "08:20-09:00")
