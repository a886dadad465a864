"""`santong calendar`: what the days of a site or a calendar are, and whether a file of calendars is right."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from collector.calendars.schedule import DaySchedule, Window
from collector.calendars.schema import FIRST_YEAR, LAST_YEAR
from collector.commands.common import DEFAULT_DATA, AsJson, CalendarsOption, Data, Lang, calendars_of, language_of
from collector.roster.schema import Site
from collector.roster.versions import Versions
from collector.screen import console
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError
from contract.meant import did_you_mean
from contract.names import is_device

if TYPE_CHECKING:
    from collector.calendars.calendar import Calendars, Maintenance

# YAML and the library of holidays are imported by the commands that need them.
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Calendars: when sites owe their service, and when lessons are.",
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_KINDS = {
    "workday": "day_workday",
    "weekend": "day_weekend",
    "holiday": "day_holiday",
    "break": "day_break",
    "closed": "day_closed",
}


class Shown(NamedTuple):
    """A day with its calendar and what its exclusions are called; `site` is that of the roster, if it is there."""

    schedule: DaySchedule
    maintenance: "list[Maintenance]"
    calendar: str
    site: Site | None = None


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="SITE|CALENDAR", help="A site's id, or the name of a calendar.")],
    week: Annotated[str, typer.Option(help="Any date of the week to show; else this week.", show_default=False)] = "",
    calendars: CalendarsOption = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Show a week: what each day is and why, hours of service, lessons, agreed interruptions.

    A site has the calendar that the roster of DATA gives it on each day; one that is not in it has its county's.
    """
    language = language_of(lang)
    with one_line_errors():
        given = calendars_of(calendars, data)
        is_site = _is_site(given, name)
        monday = _monday(week, given.zone)
        dates = [monday + timedelta(days=number) for number in range(7)]
        days = list(_of_site(given, name, dates, data) if is_site else _of_calendar(given, name, dates))
    if as_json:
        whole = {"calendar": days[0].calendar, "site": name if is_site else None, "zone": given.given.zone}
        rows = [_as_json(day, given.zone) | ({"in_roster": day.site is not None} if is_site else {}) for day in days]
        typer.echo(json.dumps(whole | {"file": str(given.file), "days": rows}, ensure_ascii=False, indent=2))
        return
    head = [*([_site_line(name, days, language)] if is_site else []), _calendar_line(given, days, language)]
    screen = console()
    screen.print(Text(f"{'  '.join(head)}  ({given.given.zone}, {given.file})"))
    screen.print(_table(days, given.zone, language))


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A file of calendars.", show_default=False)
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """
    Say everything that is wrong with a file of calendars, with line and path. Exit code 1: mistakes.

    Without FILE: calendars.yaml in DATA, else the shipped example.
    """
    if file and not file.is_file():
        fail(f"{file}: no such file")
    try:
        given = calendars_of(file, data)
    except ConfigError as error:
        fail(error, 1)
    count = len(given.given.calendars)
    typer.echo(f"{given.file}: {count} {'calendar is' if count == 1 else 'calendars are'} fine")


def _is_site(given: "Calendars", name: str) -> bool:
    """Tell whether a name is a site's id, rather than that of a calendar; what is neither is said."""
    known = given.given.calendars
    if name not in known and not is_device(f"{name}.x"):
        hint = did_you_mean(name, known, f"; calendars are {', '.join(known)}")
        fail(f"{name!r} is neither a calendar nor a site's id such as 441802-3144001234{hint}")
    return name not in known


def _monday(text: str, zone: ZoneInfo) -> date:
    """Return the Monday of the week of a date, by default of today."""
    try:
        day = date.fromisoformat(text) if text else datetime.now(zone).date()
    except ValueError:
        fail(f"--week: {text!r} is not a date such as 2026-03-02")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        fail(f"--week: {day} is not from {FIRST_YEAR} to {LAST_YEAR}")
    return day - timedelta(days=day.weekday())


def _of_calendar(given: "Calendars", name: str, dates: Iterable[date]) -> Iterator[Shown]:
    for day in dates:
        schedule = given.day_of(name, day)
        yield Shown(schedule, given.maintenance(None, day) if schedule.excluded else [], name)


def _of_site(given: "Calendars", name: str, dates: Iterable[date], data: Path) -> Iterator[Shown]:
    versions = Versions(data)
    for day in dates:
        version = versions.in_force(day)
        listed = versions.roster(version).sites.get(name) if version else None
        site = listed or Site(name)
        schedule = given.day(site, day)
        yield Shown(schedule, given.maintenance(site, day) if schedule.excluded else [], given.name_of(site), listed)


def _site_line(name: str, days: Iterable[Shown], language: Language) -> str:
    """Return a site's id and its name, or that the roster does not have it."""
    names = dict.fromkeys(day.site.name for day in days if day.site)
    return f"{name}  {' → '.join(names) or word('not_in_roster', language)}" if names != {"": None} else name


def _calendar_line(given: "Calendars", days: Iterable[Shown], language: Language) -> str:
    """Return the calendar of a week, or each where the roster changes it."""
    titles = {name: given.given.calendars[name].title for name in dict.fromkeys(day.calendar for day in days)}
    return " → ".join(f"{name}  {title.zh if language == 'zh' else title.en}" for name, title in titles.items())


def _table(days: Iterable[Shown], zone: ZoneInfo, language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("day", "weekday", "day_kind", "reason", "service_hours", "lessons", "exclusions"):
        table.add_column(word(column, language), no_wrap=column in ("day", "weekday", "day_kind"))
    for schedule, maintenance, *_ in days:
        why = schedule.title if language == "zh" else schedule.title_en
        excluded = (
            f"{_hours(schedule, [one.window], zone, language)} {one.title.zh if language == 'zh' else one.title.en}"
            for one in maintenance
        )
        table.add_row(
            schedule.day.isoformat(),
            word(_WEEKDAYS[schedule.day.weekday()], language),
            word(_KINDS[schedule.kind], language),
            Text(why),
            _hours(schedule, schedule.service, zone, language),
            _hours(schedule, schedule.lessons, zone, language),
            Text("\n".join(excluded)),
        )
    return table


def _hours(schedule: DaySchedule, windows: Iterable[Window], zone: ZoneInfo, language: Language) -> str:
    if list(windows) == [Window(schedule.start_ns, schedule.end_ns)]:
        return word("all_day", language)
    return " ".join(
        f"{_clock(one.start_ns, zone)}-{'24:00' if one.end_ns == schedule.end_ns else _clock(one.end_ns, zone)}"
        for one in windows
    )


def _clock(time_ns: int, zone: ZoneInfo) -> str:
    return f"{_local(time_ns, zone):%H:%M}"


def _local(time_ns: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_ns // 10**9, zone)


def _as_json(day: Shown, zone: ZoneInfo) -> dict[str, Any]:
    schedule = day.schedule

    def windows(given: Iterable[Window]) -> list[dict[str, Any]]:
        return [
            {"from": _iso(one.start_ns, zone), "to": _iso(one.end_ns, zone), "minutes": one.minutes} for one in given
        ]

    return {
        "day": schedule.day.isoformat(),
        "calendar": day.calendar,
        "kind": str(schedule.kind),
        "title": {"zh": schedule.title, "en": schedule.title_en},
        "service": windows(schedule.service),
        "lessons": windows(schedule.lessons),
        "excluded": windows(schedule.excluded),
        "maintenance": [windows([one.window])[0] | {"title": one.title._asdict()} for one in day.maintenance],
    }


def _iso(time_ns: int, zone: ZoneInfo) -> str:
    return _local(time_ns, zone).isoformat()
