"""`santong roster`: check, import, compare, list and show the roster 台账."""

import json
import re
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from collector.commands.common import (
    DEFAULT_DATA,
    DEFAULT_ZONE,
    AsJson,
    CalendarsOption,
    Data,
    Lang,
    Zone,
    calendars_of,
    language_of,
    zone_of,
)
from collector.roster import canonical
from collector.roster.columns import COUNTIES, day
from collector.roster.diff import Difference, as_text, compare
from collector.roster.findings import Finding, Known
from collector.roster.read import Reading, read
from collector.roster.schema import Roster
from collector.roster.versions import Span, Version, Versions
from collector.titles import FOLDER
from collector.whoami import operator
from collector.words import Language, word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from collector.calendars.calendar import Calendars

app = typer.Typer(no_args_is_help=True, help="The roster 台账: the sites and devices that should exist.")

Files = Annotated[
    list[Path], typer.Argument(help="CSV or XLSX: sites and devices, or both in one.", show_default=False)
]
Folder = Annotated[Path, typer.Option("--folder", help="Folder of your own profiles.")]
County = Annotated[list[str] | None, typer.Option("--county", help="Code of a county there is; else Qingyuan's.")]
_PREVIEW_LINES = 20


@app.command()
def check(
    files: Files,
    data: Data = DEFAULT_DATA,
    folder: Folder = FOLDER,
    county: County = None,
    calendars: CalendarsOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Check files and say everything that is wrong at once, with row and column. Exit code 1: there are mistakes."""
    language = language_of(lang)
    with one_line_errors():
        reading = read(files, _known(folder, county, calendars_of(calendars, data)))
    if as_json:
        counts = {"sites": len(reading.roster.sites), "devices": len(reading.roster.devices)}
        findings = [finding.as_json() for finding in reading.findings]
        typer.echo(_json(counts | {"findings": findings}))
    else:
        for finding in reading.findings:
            typer.echo(str(finding))
        typer.echo(_summary(reading, language))
    raise typer.Exit(1 if reading.errors else 0)


@app.command("import")
def import_files(
    files: Files,
    effective: Annotated[str | None, typer.Option("--from", help="First day it is in force, else today.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    data: Data = DEFAULT_DATA,
    folder: Folder = FOLDER,
    county: County = None,
    calendars: CalendarsOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Show what files change in the roster, ask, and make them its new version.

    The same roster again is no new version. Exit code 1: there are mistakes, or the answer was no.
    """
    language, today = language_of(lang), _today(zone_of(zone))
    begin = _day(effective, "--from") if effective else today
    with one_line_errors():
        reading = read(files, _known(folder, county, calendars_of(calendars, data)))
        _report(reading.findings)
        if reading.errors:
            fail(_summary(reading, language), 1)
        versions = Versions(data)
        current = versions.in_force(begin)
        before = versions.roster(current) if current else Roster({}, {})
        difference = compare(before, reading.roster)
        span = versions.span(begin)
        past = span.past(today) if current else None
        is_same = current is not None and difference.is_empty
        if not as_json:
            typer.echo(_preview(difference, current, span, past, language))
        version = None
        if not is_same and not dry_run:
            if not yes and not typer.confirm(word("import_it", language), err=True):
                raise typer.Exit(1)
            version = versions.add(reading, begin, operator())
    if as_json:
        shown = {
            "version": version.as_json() if version else None,
            "same_as": current.number if current and is_same else None,
            "in_force": _span_json(span),
            "changes_past_days": _span_json(past) if past and not is_same else None,
            "difference": difference.as_json(),
        }
        typer.echo(_json(shown))
    elif version:
        typer.echo(f"{word('imported_as', language)} {_version_line(version)}")


@app.command()
def diff(
    what: Annotated[
        list[str] | None, typer.Argument(help="FILE… or VERSION, and VERSION to compare with.", show_default=False)
    ] = None,
    data: Data = DEFAULT_DATA,
    folder: Folder = FOLDER,
    calendars: CalendarsOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Compare files or a version with the roster in force today, or with another version. Exit code 1: they differ.

    Without arguments the version in force today is compared with the one that was imported before it.
    """
    language, today = language_of(lang), _today(zone_of(zone))
    words = what or []
    numbers = [int(text) for text in words if _is_version(text)]
    files = [Path(text) for text in words if not _is_version(text)]
    if len(numbers) > (1 if files else 2):
        fail("diff: two versions, or files and one version, or one of both")
    with one_line_errors():
        versions = Versions(data)
        if files:
            reading = read(files, _known(folder, None, calendars_of(calendars, data)))
            _report(reading.errors)
            if reading.errors:
                raise typer.Exit(2)
            old, new = _old(versions, numbers, today), reading.roster
        else:
            older, newer = _pair(versions, numbers, today)
            old, new = versions.roster(older), versions.roster(newer)
        difference = compare(old, new)
    typer.echo(_json(difference.as_json()) if as_json else as_text(difference, language))
    raise typer.Exit(0 if difference.is_empty else 1)


@app.command("list")
def list_versions(
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """List every version: from when, how many sites and devices, who imported it; * is the one in force today."""
    language, place = language_of(lang), zone_of(zone)
    with one_line_errors():
        versions = Versions(data)
        found, current = versions.every(), versions.in_force(_today(place))
    if as_json:
        rows = [version.as_json() | {"is_in_force": version == current} for version in found]
        typer.echo(_json(rows))
    elif not found:
        typer.echo(word("no_roster", language))
    else:
        from collector.screen import console, roster_table  # noqa: PLC0415

        console().print(roster_table(found, current, language, place))


@app.command()
def show(
    on: Annotated[str | None, typer.Option("--day", help="The roster of this day, else of today.")] = None,
    number: Annotated[int | None, typer.Option("--version", help="The version with this number.")] = None,
    data: Data = DEFAULT_DATA,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Print a roster as one CSV table, which `check` and `import` read again as the same roster."""
    if on and number is not None:
        fail("--day and --version: give one of them")
    with one_line_errors():
        versions = Versions(data)
        wanted = _day(on, "--day") if on else _today(zone_of(zone))
        roster = versions.on(wanted) if number is None else versions.roster(versions.get(number))
        typer.echo(canonical.table(roster).decode(), nl=False)


# ---- what the commands share


def _known(folder: Path, counties: list[str] | None, calendars: "Calendars") -> Known:
    """Return what a roster may name: profiles, calendars, counties."""
    from firmware_profiles.library import Library  # noqa: PLC0415  loads YAML

    profiles = frozenset(Library([folder] if folder != FOLDER or folder.is_dir() else []).ids())
    return Known(profiles, frozenset(calendars.given.calendars), frozenset(counties or COUNTIES))


def _report(findings: list[Finding] | tuple[Finding, ...]) -> None:
    for finding in findings:
        typer.echo(str(finding), err=True)


def _summary(reading: Reading, language: Language) -> str:
    counts = {
        "sites": len(reading.roster.sites),
        "devices": len(reading.roster.devices),
        "mistakes": len(reading.errors),
        "warnings": len(reading.warnings),
    }
    return ", ".join(f"{word(key, language)} {number:,}" for key, number in counts.items())


def _preview(difference: Difference, current: Version | None, span: Span, past: Span | None, language: Language) -> str:
    """Say what an import changes, and for which days; days that are past stand first."""
    if current and difference.is_empty:
        return f"{word('same_roster', language)}: {_version_line(current)}"
    lines = [f"{word('in_force', language)}: {_span_text(span, language)}"]
    if past:
        lines.append(f"! {word('changes_the_past', language)}: {_span_text(past, language)}")
    return "\n".join([*lines, "", as_text(difference, language, _PREVIEW_LINES), ""])


def _version_line(version: Version) -> str:
    return f"{version.number}, {version.effective}, {version.sha256[:12]}"


def _span_text(span: Span, language: Language) -> str:
    return f"{span.first or word('the_beginning', language)} – {span.last or word('no_end', language)}"


def _span_json(span: Span) -> dict[str, str | None]:
    return {name: day.isoformat() if day else None for name, day in span._asdict().items()}


def _is_version(text: str) -> bool:
    return re.fullmatch(r"\d{1,6}", text) is not None and not Path(text).exists()


def _old(versions: Versions, numbers: list[int], today: date) -> Roster:
    """Return the roster that files are compared with; nothing at all before the first import."""
    if numbers:
        return versions.roster(versions.get(numbers[0]))
    current = versions.in_force(today)
    return versions.roster(current) if current else Roster({}, {})


def _pair(versions: Versions, numbers: list[int], today: date) -> tuple[Version, Version]:
    """Return the two that are compared: both given, one given and the one in force, or that one and its forerunner."""
    if len(numbers) == 2:
        return versions.get(numbers[0]), versions.get(numbers[1])
    current = versions.in_force(today)
    if current is None:
        fail(f"{versions.folder}: there is no roster yet: import one with `santong roster import`")
    if numbers:
        return versions.get(numbers[0]), current
    earlier = [version for version in versions.every() if version.number < current.number]
    if not earlier:
        fail(f"version {current.number} is the first: there is nothing to compare it with")
    return earlier[-1], current


def _day(text: str, option: str) -> date:
    try:
        return day(text)
    except ValueError as error:
        fail(f"{option}: {error}")


def _today(zone: ZoneInfo) -> date:
    return datetime.now(zone).date()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
