"""Local minutes as instants, in every zone that the world has had."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.calendars.calendar import Calendars
from collector.calendars.schedule import MINUTE_NS, minutes_of
from collector.calendars.schema import Calendar, CalendarFile, Period, Service
from collector.calendars.zone import day_window, instant_ns
from collector.roster.schema import Site
from firmware_profiles.schema import Slug, Title

ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
CHANGING = st.sampled_from(
    ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut", "Africa/Cairo",
     "Pacific/Apia", "America/Havana", "Asia/Tehran", "Atlantic/Azores"]
)  # fmt: skip
DAYS = st.dates(date(1973, 1, 1), date(2040, 12, 31))
SITE = Site("441802-1")


def utc(text: str) -> int:
    """Return an instant of UTC in nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def test_a_day_of_shanghai() -> None:
    """08:20 in Shanghai is 00:20 UTC, every day of the year."""
    assert instant_ns(date(2026, 3, 2), 500, ZoneInfo("Asia/Shanghai")) == utc("2026-03-02T00:20")
    assert day_window(date(2026, 3, 2), ZoneInfo("Asia/Shanghai")) == (utc("2026-03-01T16:00"), utc("2026-03-02T16:00"))


def test_days_on_which_clocks_change() -> None:
    """23 hours in March, 25 in October; what does not exist is the change, what comes twice its first."""
    berlin = ZoneInfo("Europe/Berlin")
    assert day_window(date(2026, 3, 29), berlin).minutes == 23 * 60
    assert day_window(date(2026, 10, 25), berlin).minutes == 25 * 60
    assert instant_ns(date(2026, 3, 29), 150, berlin) == utc("2026-03-29T01:00")
    assert instant_ns(date(2026, 3, 29), 180, berlin) == utc("2026-03-29T01:00")
    assert instant_ns(date(2026, 10, 25), 150, berlin) == utc("2026-10-25T00:30")
    assert instant_ns(date(2026, 10, 25), 180, berlin) == utc("2026-10-25T02:00")


def test_a_day_that_a_zone_left_out_has_no_minutes() -> None:
    """Samoa had no 30 December 2011."""
    assert day_window(date(2011, 12, 30), ZoneInfo("Pacific/Apia")).minutes == 0


@settings(max_examples=300, deadline=None)
@given(zone=ZONES | CHANGING, day=DAYS)
def test_days_follow_each_other_on_whole_minutes(zone: str, day: date) -> None:
    """No minute is in two days or in none, whatever a zone does with its clocks."""
    place = ZoneInfo(zone)
    today, tomorrow = day_window(day, place), day_window(day + timedelta(days=1), place)
    assert today.end_ns == tomorrow.start_ns
    assert today.start_ns % MINUTE_NS == 0
    assert 0 <= today.minutes <= 50 * 60
    instants = [instant_ns(day, minute, place) for minute in range(0, 1441, 15)]
    assert instants == sorted(instants)


@st.composite
def periods(draw: st.DrawFn) -> tuple[Period, ...]:
    """Return periods of a day that do not overlap."""
    ends = sorted(draw(st.sets(st.integers(0, 1440), min_size=2, max_size=12)))
    return tuple(Period(start, end) for start, end in zip(ends[::2], ends[1::2], strict=False))


@settings(max_examples=300, deadline=None)
@given(zone=ZONES | CHANGING, day=DAYS, lessons=periods(), service=periods())
def test_windows_are_sorted_whole_and_within_their_day(
    zone: str, day: date, lessons: tuple[Period, ...], service: tuple[Period, ...]
) -> None:
    """Windows are in order, do not touch, lie within the day, and no minute is counted twice, in every zone."""
    hours = tuple(Service(one) for one in service)
    calendar = Calendar(Title("A", "A"), service=hours, lessons={"mon-sun": lessons}, follows_holidays=False)
    calendars = Calendars(CalendarFile({"a": calendar}, Slug("a"), zone), Path("calendars.yaml"))
    schedule = calendars.day(SITE, day)
    for windows in (schedule.service, schedule.lessons):
        edges = [edge for window in windows for edge in window]
        assert edges == sorted(set(edges))
        assert all(edge % MINUTE_NS == 0 and schedule.start_ns <= edge <= schedule.end_ns for edge in edges)
        assert len(list(minutes_of(windows))) == sum(window.minutes for window in windows)
    if (schedule.end_ns - schedule.start_ns) // MINUTE_NS == 1440 and zone in ("Asia/Shanghai", "UTC"):
        assert sum(window.minutes for window in schedule.lessons) == sum(one.end - one.start for one in lessons)
