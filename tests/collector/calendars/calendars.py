"""Calendars for tests, and their days in words that anybody can check."""

from datetime import date, datetime
from pathlib import Path

from collector.calendars.calendar import Calendars
from collector.calendars.load import load
from collector.calendars.schedule import DaySchedule, Window
from collector.roster.schema import Site

SITE = Site("441802-3144001234")


def calendars(folder: Path, text: str) -> Calendars:
    """Return the calendars of a text."""
    file = folder / "calendars.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def said(given: Calendars, windows: tuple[Window, ...]) -> str:
    """Return windows as `08:20-09:00 09:10-09:50`, local times."""
    times = ([datetime.fromtimestamp(time / 1e9, given.zone) for time in window] for window in windows)
    return " ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in times)


def day(given: Calendars, text: str, site: Site = SITE) -> tuple[str, str, str]:
    """Return kind, title and lessons of a date at a site."""
    schedule = schedule_of(given, text, site)
    return schedule.kind, schedule.title, said(given, schedule.lessons)


def schedule_of(given: Calendars, text: str, site: Site = SITE) -> DaySchedule:
    """Return a date at a site."""
    return given.day(site, date.fromisoformat(text))
