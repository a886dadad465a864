"""What calendars say of days: golden tables that can be checked by hand."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from collector.calendars.calendar import Calendars
from collector.calendars.load import SHIPPED, file_in, load
from collector.calendars.schedule import Hours
from collector.roster.schema import Site
from contract.errors import ConfigError
from tests.collector.calendars.calendars import calendars, day, said, schedule_of

SCHOOL = """
default: school
counties: {441802: school, 441803: hotspot}
calendars:
  school:
    title: {zh: 小学, en: Primary school}
    terms:
      - {from: 2026-03-02, to: 2026-07-11, title: {zh: 第二学期, en: second term}}
      - {from: 2025-09-01, to: 2026-01-31, title: {zh: 第一学期, en: first term}}
    terms_to: 2026-08-31
    service: 07:30-17:30
    lessons:
      mon-thu: [09:10-09:50, 08:20-09:00]
      fri: [08:20-09:00]
    makeup: {2026-05-09: tue, 2026-01-04: fri, 2025-09-28: mon, 2025-10-11: fri}
  with-self-study: {title: 寄宿, extends: school, service: [07:30-17:30, 19:00-21:00]}
  saturdays:
    title: 高三
    extends: school
    lessons: {mon-sat: [08:00-08:45]}
    service: lessons
  hotspot: {title: 热点, service: 06:00-24:00, every_day: true, follows_holidays: false}
  station: {title: 车站, extends: hotspot, service: always}
  hall: {title: 办事大厅, service: 09:00-17:00}
closures:
  - {where: all, from: 2026-06-19, to: 2026-06-19, title: {zh: 中考考场, en: examinations}}
  - {where: [441802, 441803-9], from: 2026-05-20, to: 2026-05-21, title: {zh: 暴雨停课, en: heavy rain}}
  - {where: 441802-3144001234, from: 2026-05-21, to: 2026-05-22, title: {zh: 停电, en: no power}}
  - {where: all, from: 2026-04-11 22:00, to: 2026-04-12 02:30, title: {zh: 割接, en: fibre moved}, kind: maintenance}
  - {where: 441802, from: 2026-04-12 01:00, to: 2026-04-12 03:00, title: 维护, kind: maintenance}
  - {where: 441803, from: 2026-04-14, to: 2026-04-15, title: 迁移, kind: maintenance}
  - {where: 441803, from: 2026-04-17 12:00, to: 2026-04-18 00:00, title: 检修, kind: maintenance}
"""


@pytest.fixture
def given(tmp_path: Path) -> Calendars:
    """Return the calendars above."""
    return calendars(tmp_path, SCHOOL)


def named(calendar: str, site: str = "441802-1") -> Site:
    """Return a site that has a calendar of its own."""
    return Site(site, calendar=calendar)


@pytest.mark.parametrize(
    ("date_", "kind", "title", "lessons"),
    [
        ("2026-03-01", "break", "", ""),  # a Sunday, the day before the second term
        ("2026-03-02", "workday", "第二学期", "08:20-09:00 09:10-09:50"),  # its first day, a Monday
        ("2026-03-06", "workday", "第二学期", "08:20-09:00"),  # a Friday: one lesson
        ("2026-03-07", "weekend", "", ""),  # a Saturday
        ("2026-07-10", "workday", "第二学期", "08:20-09:00"),  # the term's last Friday
        ("2026-07-11", "weekend", "", ""),  # its last day, a Saturday
        ("2026-07-13", "break", "", ""),  # a Monday in summer
        ("2026-08-31", "break", "", ""),  # the last day that the file tells of
        ("2026-01-30", "workday", "第一学期", "08:20-09:00"),
        ("2026-02-14", "break", "", ""),  # a make-up workday for all others: no term, no school
        ("2026-02-17", "break", "", ""),  # Spring Festival, within the winter break
        ("2026-05-01", "holiday", "劳动节", ""),  # a Friday
        ("2026-05-09", "workday", "劳动节调休", "08:20-09:00 09:10-09:50"),  # a Saturday with Tuesday's lessons
        ("2026-01-04", "workday", "元旦调休", "08:20-09:00"),  # a Sunday with Friday's
        ("2026-06-19", "closed", "中考考场", ""),  # Dragon Boat Festival, and closed
        ("2026-05-20", "closed", "暴雨停课", ""),
        ("2026-05-21", "closed", "暴雨停课、停电", ""),  # closed for two reasons
        ("2026-05-22", "closed", "停电", ""),
        ("2026-05-25", "workday", "第二学期", "08:20-09:00 09:10-09:50"),
    ],
)
def test_days_of_a_school(given: Calendars, date_: str, kind: str, title: str, lessons: str) -> None:
    """Each day of a school is what the table says, and why."""
    assert day(given, date_) == (kind, title, lessons)


@pytest.mark.parametrize(
    ("calendar", "date_", "service"),
    [
        ("school", "2026-03-02", "07:30-17:30"),
        ("school", "2026-03-07", ""),  # nothing is owed on days off
        ("with-self-study", "2026-03-02", "07:30-17:30 19:00-21:00"),
        ("saturdays", "2026-03-07", "08:00-08:45"),  # the lessons, on a Saturday
        ("saturdays", "2026-03-08", ""),
        ("hotspot", "2026-03-07", "06:00-00:00"),  # every day
        ("hotspot", "2026-02-17", "06:00-00:00"),  # Spring Festival, too
        ("hotspot", "2026-06-19", ""),  # but not when it is closed
        ("station", "2026-03-07", "00:00-00:00"),  # all of it
        ("hall", "2026-03-06", "09:00-17:00"),
        ("hall", "2026-05-01", ""),  # a public holiday
        ("hall", "2026-05-09", "09:00-17:00"),  # a make-up workday: no lessons, so no question whose they are
    ],
)
def test_hours_of_service(given: Calendars, calendar: str, date_: str, service: str) -> None:
    """Service is owed in the hours that the table says, local time."""
    schedule = schedule_of(given, date_, named(calendar, "441803-1"))
    assert said(given, schedule.service) == service
    assert schedule.windows(Hours.SERVICE) == schedule.service


def test_every_reason_has_its_english(given: Calendars) -> None:
    """Titles are there in both languages."""
    assert schedule_of(given, "2026-05-21").title_en == "heavy rain, no power"
    assert schedule_of(given, "2026-05-09").title_en == "make-up day of Labour Day"
    assert schedule_of(given, "2026-03-02").title_en == "second term"


@pytest.mark.parametrize(
    ("site", "date_", "excluded"),
    [
        ("441802-1", "2026-04-11", "22:00-00:00"),
        ("441802-1", "2026-04-12", "00:00-03:00"),  # two that overlap are one
        ("441803-1", "2026-04-12", "00:00-02:30"),
        ("441803-1", "2026-04-13", ""),
        ("441803-1", "2026-04-14", "00:00-00:00"),  # from a date to a date: whole days
        ("441803-1", "2026-04-15", "00:00-00:00"),
        ("441803-1", "2026-04-16", ""),
        ("441803-1", "2026-04-17", "12:00-00:00"),  # to midnight: nothing of the next day
        ("441803-1", "2026-04-18", ""),
    ],
)
def test_agreed_interruptions(given: Calendars, site: str, date_: str, excluded: str) -> None:
    """Maintenance is excluded minute by minute at the sites that it is for, across midnight, too."""
    schedule = schedule_of(given, date_, named("station", site))
    assert said(given, schedule.excluded) == excluded
    assert said(given, schedule.service) == "00:00-00:00"


def test_interruptions_have_their_titles(given: Calendars) -> None:
    """What is excluded can be told: each interruption has its own hours and its title."""
    found = given.maintenance(Site("441802-1"), date(2026, 4, 12))
    assert [(said(given, (one.window,)), one.title.zh) for one in found] == [
        ("00:00-02:30", "割接"),
        ("01:00-03:00", "维护"),
    ]
    assert [one.title.en for one in given.maintenance(None, date(2026, 4, 12))] == ["fibre moved"]


def test_a_site_has_its_own_calendar_else_its_countys_else_the_default(given: Calendars) -> None:
    """County → site: the roster's calendar stands above the county's."""
    assert given.name_of(Site("441802-1")) == "school"
    assert given.name_of(Site("441803-1")) == "hotspot"
    assert given.name_of(Site("441881-1")) == "school"
    assert given.name_of(named("station")) == "station"
    with pytest.raises(ConfigError, match=r"441802-1: there is no calendar 'statoin', did you mean station"):
        given.name_of(named("statoin"))


def test_closures_are_of_their_places_alone(given: Calendars) -> None:
    """The county's closure is that of its schools and of the one named site of another county."""
    for site, kind in (("441802-1", "closed"), ("441803-9", "closed"), ("441803-1", "workday")):
        assert schedule_of(given, "2026-05-20", named("school", site)).kind == kind
    assert given.day_of("school", date(2026, 5, 20)).kind == "workday"
    assert given.day_of("school", date(2026, 6, 19)).kind == "closed"


def test_instants_are_utc(given: Calendars) -> None:
    """A lesson at 08:20 in Shanghai begins at 00:20 UTC; the day itself at 16:00 of the day before."""
    schedule = schedule_of(given, "2026-03-02")
    assert datetime.fromtimestamp(schedule.lessons[0].start_ns / 1e9, UTC).isoformat() == "2026-03-02T00:20:00+00:00"
    assert datetime.fromtimestamp(schedule.start_ns / 1e9, UTC).isoformat() == "2026-03-01T16:00:00+00:00"
    assert [window.minutes for window in schedule.lessons] == [40, 40]


def test_a_day_is_made_once(given: Calendars) -> None:
    """Schools of a county share their days: 22,000 devices cost as many days as there are calendars."""
    first = schedule_of(given, "2026-03-02", Site("441802-1"))
    assert schedule_of(given, "2026-03-02", Site("441802-2")) is first


@pytest.mark.parametrize(
    ("date_", "hint"),
    [
        ("2025-08-31", "write the term of that day, or terms_from: 2025-08-31 where it is a break"),
        ("2026-09-01", "write the term of that day, or terms_to: 2026-09-01 where it is a break"),
    ],
)
def test_days_that_no_term_tells_of_are_no_breaks(given: Calendars, date_: str, hint: str) -> None:
    """A term that nobody wrote yet is never taken for holidays."""
    with pytest.raises(ConfigError) as error:
        schedule_of(given, date_)
    assert str(error.value) == f"{given.file}: calendars.school.terms: say nothing of {date_}: {hint}"


def test_whose_lessons_a_make_up_workday_has_is_asked(tmp_path: Path) -> None:
    """Without terms it is asked when the day comes; where all workdays are the same there is nothing to ask."""
    text = "default: a\ncalendars: {a: {title: A, lessons: {mon-thu: [08:20-09:00], fri: [09:10-09:50]}}}\n"
    given = calendars(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        schedule_of(given, "2026-02-28")
    assert str(error.value) == (
        f"{tmp_path}/calendars.yaml: calendars.a.makeup: does not say whose lessons 2026-02-28 has (sat, make-up "
        "day of Spring Festival, gives back 2026-02-23): write {2026-02-28: mon} or the like, or makeup_rule: in-lieu"
    )
    same = calendars(tmp_path, text.replace("[09:10-09:50]", "[08:20-09:00]"))
    assert day(same, "2026-02-28") == ("workday", "春节调休", "08:20-09:00")


def test_rules_for_make_up_workdays(tmp_path: Path) -> None:
    """`in-lieu` takes the weekday that is given back, a weekday is always taken, a date stands above both."""
    lessons = "lessons: {mon: [08:00-08:40], tue-thu: [09:00-09:40], fri: [10:00-10:40]}"
    for rule, february, other in (("in-lieu", "10:00", "08:00"), ("tue", "09:00", "09:00")):
        given = calendars(
            tmp_path,
            f"default: a\ncalendars: {{a: {{title: A, makeup_rule: {rule}, makeup: {{2026-05-09: fri}}, {lessons}}}}}",
        )
        assert day(given, "2026-02-14")[2].startswith(february)  # gives back Friday 20 February
        assert day(given, "2026-02-28")[2].startswith(other)  # gives back Monday 23 February
        assert day(given, "2026-05-09")[2].startswith("10:00")


def test_the_rule_cannot_tell_where_nobody_can(tmp_path: Path) -> None:
    """Spring Festival 2018: which day is given back is not published, so it is asked in spite of the rule."""
    given = calendars(
        tmp_path,
        "default: a\ncalendars: {a: {title: A, makeup_rule: in-lieu, lessons: {mon: [08:00-08:40], tue: [9:00-9:40]}}}",
    )
    with pytest.raises(ConfigError, match="does not say whose lessons 2018-02-24 has"):
        schedule_of(given, "2018-02-24")


def test_answers_and_days_of_a_calendar_are_inherited(tmp_path: Path) -> None:
    """Who extends a calendar has its answers and its own days, and may change single ones."""
    given = calendars(
        tmp_path,
        """
default: b
calendars:
  a:
    title: A
    lessons: {mon-thu: [08:20-09:00], fri: [09:10-09:50]}
    makeup: {2026-02-14: fri, 2026-02-28: mon}
    overrides:
      2026-04-10: {kind: holiday, title: 校庆}
      2026-04-11: {kind: workday, title: 运动会补课, instead_of: 2026-04-10}
  b: {title: B, extends: a, makeup: {2026-02-28: fri, 2026-04-11: fri}}
""",
    )
    for name, lessons in (("a", "08:20-09:00"), ("b", "09:10-09:50")):
        assert day(given, "2026-02-14", named(name))[2] == "09:10-09:50"
        assert day(given, "2026-02-28", named(name))[2] == lessons
        assert day(given, "2026-04-10", named(name))[:2] == ("holiday", "校庆")
    assert day(given, "2026-04-11", named("b")) == ("workday", "运动会补课", "09:10-09:50")


def test_the_shipped_example_is_right() -> None:
    """It knows every day until the published public holidays end, and hotspots for ever."""
    given = load(SHIPPED)
    sites = [named(name) for name in ("primary", "junior")]
    assert not given.problems(sites, date(2025, 9, 1), date(2026, 12, 31))
    assert len(given.problems(sites, date(2025, 9, 1), date(2027, 1, 1))) == 2
    assert schedule_of(given, "2040-05-01", named("hotspot")).service[0].minutes == 17 * 60
    assert schedule_of(given, "2040-05-01", named("hotspot-always")).service[0].minutes == 1440
    minutes = [sum(one.minutes for one in schedule_of(given, "2026-03-02", site).lessons) for site in sites]
    assert minutes == [6 * 40, 7 * 45]


@pytest.mark.parametrize(
    ("date_", "kind", "title"),
    [
        ("2026-07-13", "break", ""),  # the summer
        ("2026-08-31", "break", ""),
        ("2026-09-01", "workday", "2026–27 学年第一学期（假定，待替换）"),
        ("2026-09-20", "workday", "国庆节调休"),  # a Sunday
        ("2026-09-25", "holiday", "中秋节"),
        ("2026-10-07", "holiday", "国庆节"),
        ("2026-10-08", "workday", "2026–27 学年第一学期（假定，待替换）"),
        ("2026-10-10", "workday", "国庆节调休"),  # a Saturday
        ("2026-12-31", "workday", "2026–27 学年第一学期（假定，待替换）"),
    ],
)
def test_the_shipped_example_in_the_autumn_of_2026(date_: str, kind: str, title: str) -> None:
    """Holidays and make-up days are those that were published; the term is assumed, and each of its days says so."""
    assert day(load(SHIPPED), date_, named("primary"))[:2] == (kind, title)


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    """What docs/calendar.md shows can be copied; with its year written by hand 2027 is known."""
    text = (Path(__file__).parents[3] / "docs/calendar.md").read_text(encoding="utf-8")
    given = calendars(tmp_path, "".join(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)))
    assert day(given, "2026-05-09", named("primary")) == ("workday", "劳动节调休", "08:20-09:00 09:10-09:50")
    assert schedule_of(given, "2027-02-20", named("hotspot")).service[1].minutes == 11 * 60


def test_a_data_folder_has_its_own_calendars(tmp_path: Path) -> None:
    """calendars.yaml in the data folder stands above the example."""
    assert file_in(tmp_path) == SHIPPED
    (tmp_path / "calendars.yaml").touch()
    assert file_in(tmp_path) == tmp_path / "calendars.yaml"
