"""`santong verify`: what was promised, against the evidence."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collector.commands.common import (
    DEFAULT_DATA,
    AsJson,
    CalendarsOption,
    Data,
    Lang,
    StoreOption,
    calendars_of,
    language_of,
    open_for_reading,
)
from collector.screen import console
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError
from contract.meant import did_you_mean
from contract.measurements import RETENTION_DAYS, Retention

if TYPE_CHECKING:
    from collector.asked import Promise
    from collector.calendars.calendar import Calendars
    from collector.roster.schema import Roster
    from collector.targets.schema import Target

_STEPS = {"identity": "step_identity", "judging": "step_judging", "summing": "step_summing", "rates": "step_rates"}

Show = Callable[[int, int, str], None]


def verify(
    first: Annotated[str | None, typer.Option("--from", help="First day; else that of this month.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; else yesterday.")] = None,
    county: Annotated[str, typer.Option(help="Only this county's sites, by its code.")] = "",
    site: Annotated[str, typer.Option(help="Only this site, by its id.")] = "",
    target: Annotated[str, typer.Option(help="Only this target.")] = "",
    roster: Annotated[
        list[Path] | None, typer.Option(help="CSV or XLSX, instead of the versions in DATA; can be repeated.")
    ] = None,
    calendars: CalendarsOption = None,
    targets: Annotated[Path | None, typer.Option(help="File of targets; else the shipped one.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Your own profiles, which targets may name.")] = None,
    recompute: Annotated[bool, typer.Option("--recompute", help="Judge every day again, from its minutes.")] = False,
    rates: Annotated[
        bool | None,
        typer.Option(
            "--rates/--no-rates",
            help="Also journeys, use by lesson and completeness, for which every point is looked at; "
            "by default up to 10,000 device-days.",
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Say for each target, from the evidence: PASS, FAIL or NOT PROVEN, and why.

    Exit code 0: no target fails (some may not be proven); 1: a target fails; 2: it could not be verified.
    """
    from collector import verification  # noqa: PLC0415  YAML and holidays take their time
    from collector.commands.verify_json import as_tree  # noqa: PLC0415
    from collector.commands.verify_words import screen_of  # noqa: PLC0415
    from collector.rates import AT_ONCE, device_days  # noqa: PLC0415

    language = language_of(lang)
    now_ns = time.time_ns()
    for file in (calendars, targets):
        if file and not file.exists():
            fail(f"{file}: no such file")
    with one_line_errors():
        days = calendars_of(calendars, data)
        zone = days.zone
        period = _days(first, last, verification.last_whole_day(now_ns, zone))
        promise = _promise(period, days, _rosters(data, roster or [], period), _targets(targets, folder, target))
        promise = _only(promise, county, site)
        all_points = device_days(promise) <= AT_ONCE if rates is None else rates
        opened = open_for_reading(data, store)
        try:
            with _progress(language) as show:
                found = verification.verify(opened, promise, now_ns, show, recompute=recompute, all_points=all_points)
        except KeyboardInterrupt:
            fail("interrupted: what was judged is kept, the next run goes on from there")
        finally:
            opened.close()
    for line in _advice(promise, days, data, language):
        typer.echo(line, err=True)
    if as_json:
        typer.echo(json.dumps(as_tree(found, zone, now_ns), ensure_ascii=False, indent=2))
    else:
        console().print(screen_of(found, language, zone, full_times=recompute))
    raise typer.Exit(1 if any(result.verdict == "fail" for result, _ in found.targets) else 0)


def _days(first: str | None, last: str | None, over: date) -> tuple[date, date]:
    """Return the days asked about: by default those of the month that are over; all of them must be over."""
    end = min(_date("--to", last), over) if last else over
    start = _date("--from", first) if first else end.replace(day=1)
    if start > end:
        fail(f"--from: {start} is not before --to, or not over yet: the last day that is over is {over}")
    kept = RETENTION_DAYS[Retention.EVIDENCE]
    oldest = over - timedelta(days=kept - 2)  # the first day whose midnight is still within that
    if start < oldest:
        fail(f"--from: {start} is too long ago: evidence is kept for {kept:,} days, all of a day from {oldest} on")
    return start, end


def _date(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option}: {text!r} is not a date such as 2026-03-02")


def _targets(file: Path | None, folder: Path | None, only: str) -> "tuple[Target, ...]":
    from collector.targets.load import SHIPPED, load  # noqa: PLC0415
    from collector.titles import FOLDER  # noqa: PLC0415

    own = folder or FOLDER
    found = load(file or SHIPPED, [own] if folder or own.is_dir() else []).targets
    if only and only not in [one.id for one in found]:
        _unknown("--target", only, [one.id for one in found])
    return tuple(one for one in found if only in ("", one.id))


def _rosters(data: Path, files: list[Path], period: tuple[date, date]) -> "list[tuple[date, Roster]]":
    """Return the rosters in force in a period, each with its first day."""
    from collector.asked import days_between  # noqa: PLC0415
    from collector.roster.read import read  # noqa: PLC0415
    from collector.roster.versions import Versions  # noqa: PLC0415

    if files:
        reading = read(files)
        if reading.errors:
            fail("\n".join(map(str, reading.errors)))
        return [(period[0], reading.roster)]
    versions = Versions(data)
    in_force = {day: versions.in_force(day) for day in days_between(*period)}
    if None in in_force.values():
        fail(
            f"{versions.folder}: there is no roster: import one with `santong roster import`, or name it with --roster"
        )
    return [(version.effective, versions.roster(version)) for version in dict.fromkeys(in_force.values()) if version]


def _promise(
    period: tuple[date, date], calendars: "Calendars", rosters: "list[tuple[date, Roster]]", targets: "Iterable[Target]"
) -> "Promise":
    from collector.verification import promise_of  # noqa: PLC0415
    from collector.verify.conclude import Period  # noqa: PLC0415

    return promise_of(Period(*period, rosters), calendars.zone, calendars.day, targets)


def _advice(promise: "Promise", calendars: "Calendars", data: Path, language: Language) -> Iterator[str]:
    """Yield what to do where the calendars are the example, and where they have no school day in the period."""
    from collector.asked import is_without_school_days  # noqa: PLC0415
    from collector.calendars.load import FILE, SHIPPED  # noqa: PLC0415

    if calendars.file == SHIPPED:
        yield word("advice_example", language).format(file=SHIPPED, own=data / FILE)
    try:
        is_without = is_without_school_days(promise)
    except ConfigError:  # of days that no target asks about
        return
    if is_without:
        period = promise.period
        yield word("advice_no_school_day", language).format(first=period.first, last=period.last, file=calendars.file)


def _only(promise: "Promise", county: str, site: str) -> "Promise":
    from collector.verification import only  # noqa: PLC0415

    known = {one.id: one.county for roster in promise.period.in_force for one in roster.sites.values()}
    if county and county not in known.values():
        _unknown("--county", county, sorted(set(known.values())))
    if site and site not in known:
        _unknown("--site", site, sorted(known))
    if county and site and known[site] != county:
        fail(f"--site: {site} is in the county {known[site]}, not in {county}")
    if not county and not site:
        return promise
    # A number that the whole programme owes is no promise of a part of it.
    targets = tuple(one._replace(at_least=None) for one in promise.targets if one.at_least is None or one.share)
    if not targets:
        names = ", ".join(one.id for one in promise.targets)
        fail(f"{names}: a number that the whole programme owes is no promise of a county or a site: leave these out")
    period = promise.period._replace(rosters=only(promise.period.rosters, county, site))
    return promise._replace(period=period, targets=targets)


def _unknown(option: str, name: str, known: list[str]) -> NoReturn:
    some = f"{', '.join(known[:10])}{' …' if len(known) > 10 else ''}"
    fail(f"{option}: {name!r} is not known{did_you_mean(name, known, f'; there are {some}')}")


@contextmanager
def _progress(language: Language) -> Iterator[Show]:
    """Show how far it is on stderr, where that is a terminal."""
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("…", total=None)
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=word(_STEPS[what], language)
        )
