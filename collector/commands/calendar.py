"""`santong calendar`: what the days of a site or a calendar are, and whether a file of calendars is right."""

import difflib
import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from collector.calendars.schedule import DaySchedule, Window
from collector.calendars.schema import FIRST_YEAR, LAST_YEAR
from collector.commands.common import DEFAULT_DATA, AsJson, Data, Lang, fail, language_of, one_line_errors
from collector.roster.schema import Site
from collector.screen import console
from collector.words import Language, word
from contract.errors import ConfigError
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
CalendarsOption = Annotated[
    Path | None,
    typer.Option("--calendars", help="File of calendars; else calendars.yaml in DATA, else the shipped example."),
]


class Shown(NamedTuple):
    """A day with what its exclusions are called."""

    schedule: DaySchedule
    maintenance: "list[Maintenance]"


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="SITE|CALENDAR", help="A site's id, or the name of a calendar.")],
    week: Annotated[str, typer.Option(help="Any date of the week to show; else this week.", show_default=False)] = "",
    calendars: CalendarsOption = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Show a week: what each day is and why, hours of service, lessons, agreed interruptions."""
    language = language_of(lang)
    with one_line_errors():
        given = _loaded(calendars, data)
        site, calendar = _chosen(given, name)
        monday = _monday(week, given.zone)
        days = [_shown(given, site, calendar, monday + timedelta(days=number)) for number in range(7)]
    if as_json:
        whole = {"calendar": calendar, "site": site.id if site else None, "zone": given.given.zone}
        rows = [_as_json(day, given.zone) for day in days]
        typer.echo(json.dumps(whole | {"file": str(given.file), "days": rows}, ensure_ascii=False, indent=2))
        return
    title = given.given.calendars[calendar].title
    head = f"{f'{site.id}  ' if site else ''}{calendar}  {title.zh if language == 'zh' else title.en}"
    screen = console()
    screen.print(Text(f"{head}  ({given.given.zone}, {given.file})"))
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
        given = _loaded(file, data)
    except ConfigError as error:
        fail(error, 1)
    count = len(given.given.calendars)
    typer.echo(f"{given.file}: {count} {'calendar is' if count == 1 else 'calendars are'} fine")


def _loaded(file: Path | None, data: Path) -> "Calendars":
    from collector.calendars.load import file_in, load  # noqa: PLC0415

    return load(file or file_in(data))


def _chosen(given: "Calendars", name: str) -> tuple[Site | None, str]:
    """Return the site of a name, if it is one, and its calendar."""
    known = given.given.calendars
    if name in known:
        return None, name
    if not is_device(f"{name}.x"):
        near = difflib.get_close_matches(name, known, 1)
        hint = f", did you mean {near[0]}" if near else f"; calendars are {', '.join(known)}"
        fail(f"{name!r} is neither a calendar nor a site's id such as 441802-3144001234{hint}")
    site = Site(name)
    return site, given.name_of(site)


def _monday(text: str, zone: ZoneInfo) -> date:
    """Return the Monday of the week of a date, by default of today."""
    try:
        day = date.fromisoformat(text) if text else datetime.now(zone).date()
    except ValueError:
        fail(f"--week: {text!r} is not a date such as 2026-03-02")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        fail(f"--week: {day} is not from {FIRST_YEAR} to {LAST_YEAR}")
    return day - timedelta(days=day.weekday())


def _shown(given: "Calendars", site: Site | None, calendar: str, day: date) -> Shown:
    schedule = given.day(site, day) if site else given.day_of(calendar, day)
    return Shown(schedule, given.maintenance(site, day) if schedule.excluded else [])


def _table(days: Iterable[Shown], zone: ZoneInfo, language: Language) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("day", "weekday", "day_kind", "reason", "service_hours", "lessons", "exclusions"):
        table.add_column(word(column, language), no_wrap=column in ("day", "weekday", "day_kind"))
    for schedule, maintenance in days:
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
        "kind": str(schedule.kind),
        "title": {"zh": schedule.title, "en": schedule.title_en},
        "service": windows(schedule.service),
        "lessons": windows(schedule.lessons),
        "excluded": windows(schedule.excluded),
        "maintenance": [windows([one.window])[0] | {"title": one.title._asdict()} for one in day.maintenance],
    }


def _iso(time_ns: int, zone: ZoneInfo) -> str:
    return _local(time_ns, zone).isoformat()
