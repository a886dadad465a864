"""`santong incident`: what is wrong now and was lately; acknowledge, note, close."""

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from collector.commands.common import DEFAULT_DATA, DEFAULT_ZONE, AsJson, Data, Lang, Zone, language_of, zone_of
from collector.screen import console
from collector.watch.journal import Journal
from collector.watch.texts import Names, Voice
from collector.watch.types import Incident
from collector.whoami import operator
from collector.words import Language, word
from contract.command_line import fail, one_line_errors

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, help="Incidents: what santong watch found; acknowledge, note, close.")

Name = Annotated[str, typer.Argument(metavar="ID", help="The incident's number, as messages have it.")]
By = Annotated[str, typer.Option("--by", help="Your name; else that of your login.")]
_DAY_NS = 86_400 * 10**9
_IDLE_NS = 300 * 10**9


@app.callback()
def incident_group() -> None:
    """Incidents: what santong watch found; acknowledge, note, close."""


@app.command("list")
def list_incidents(
    days: Annotated[float, typer.Option(help="Also those that ended within so many days.", min=0, max=2000)] = 0,
    data: Data = DEFAULT_DATA,
    as_json_: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """List the incidents that are open, the newest first. Exit code 1: there are some; 0: none."""
    language, place = language_of(lang), zone_of(zone)
    with one_line_errors():
        journal = Journal(data)
        found = journal.incidents(open_only=not days, since_ns=time.time_ns() - int(days * _DAY_NS))
        _say_trouble(journal, language, place)
    if as_json_:
        typer.echo(json.dumps([as_json(one, place) for one in found], ensure_ascii=False, indent=2))
    elif found:
        console().print(_table(found, Voice(language, _names(data), place)))
    else:
        typer.echo(word("no_incidents", language))
    raise typer.Exit(1 if any(one.closed_ns is None for one in found) else 0)


def _say_trouble(journal: Journal, language: Language, zone: ZoneInfo) -> None:
    """Say on stderr what of watch itself does not work: what is listed may then not be all."""
    if trouble := journal.trouble():
        typer.echo(f"{word('trouble', language)}: {trouble}", err=True)
    looked_ns = journal.looked_ns()
    if time.time_ns() - looked_ns > _IDLE_NS and looked_ns:
        typer.echo(word("watch_idle", language).format(since=_clock(looked_ns, zone)), err=True)


@app.command()
def show(
    name: Name, data: Data = DEFAULT_DATA, as_json_: AsJson = False, lang: Lang = None, zone: Zone = DEFAULT_ZONE
) -> None:
    """Show one incident with its devices and notes."""
    voice = Voice(language_of(lang), _names(data), zone_of(zone))
    with one_line_errors():
        found = Journal(data).incident(_plain(name))
    if as_json_:
        typer.echo(json.dumps(as_json(found, voice.zone), ensure_ascii=False, indent=2))
        return
    console().print(_table([found], voice))
    for device in found.devices:
        typer.echo(f"  {device}  {voice.names.devices.get(device, '')}".rstrip())
    for note in found.notes:
        typer.echo(f"  {_clock(note.at_ns, voice.zone)}  {note.by}: {note.text}")


@app.command()
def ack(name: Name, by: By = "", data: Data = DEFAULT_DATA, lang: Lang = None) -> None:
    """Say that you look after an incident: it is not escalated any more."""
    with one_line_errors():
        Journal(data).acknowledge(_plain(name), _who(by))
    typer.echo(word("acknowledged", language_of(lang)))


@app.command()
def note(
    name: Name,
    text: Annotated[str, typer.Option(help="What is to be noted.", show_default=False)],
    by: By = "",
    data: Data = DEFAULT_DATA,
    lang: Lang = None,
) -> None:
    """Write something to an incident."""
    with one_line_errors():
        Journal(data).note(_plain(name), _who(by), _said(text))
    typer.echo(word("incident_noted", language_of(lang)))


@app.command()
def close(
    name: Name,
    text: Annotated[str, typer.Option(help="Why it is over.", show_default=False)],
    by: By = "",
    data: Data = DEFAULT_DATA,
    lang: Lang = None,
) -> None:
    """Close an incident by hand; nothing more is said about it until it was good again."""
    with one_line_errors():
        Journal(data).close(_plain(name), _who(by), _said(text))
    typer.echo(word("incident_closing", language_of(lang)))


def as_json(one: Incident, zone: ZoneInfo) -> dict[str, Any]:
    """Return an incident as --json has it."""
    tree = one._asdict()
    return {
        "id": one.id,
        "kind": one.kind,
        "began": _clock(one.since_ns, zone, iso=True),
        "opened": _clock(one.opened_ns, zone, iso=True),
        "closed": None if one.closed_ns is None else _clock(one.closed_ns, zone, iso=True),
        **{name: tree[name] for name in ("county", "site", "operator", "why", "minutes", "acknowledged_by")},
        "devices": list(one.devices),
        "notes": [{"at": _clock(n.at_ns, zone, iso=True), "by": n.by, "text": n.text} for n in one.notes],
    }


def _table(found: list[Incident], voice: Voice) -> Table:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for key in ("incident", "kind", "unit_site", "device", "reason", "since", "minutes_lost", "acknowledged"):
        table.add_column(word(key, voice.language), overflow="fold")
    for one in found:
        devices = one.devices[0] if len(one.devices) == 1 else f"{len(one.devices):,}"
        where = f"{voice.names.sites.get(one.site, '')} {one.site}".strip()
        if one.kind in ("operator", "centre"):
            sites = {device.partition(".")[0] for device in one.devices}
            where = " ".join(filter(None, (one.operator, voice.word("told_sites", number=len(sites)) if sites else "")))
        why = voice.names.fault(one.devices[0], one.why, voice.language) if one.kind == "fault" else voice.why(one.why)
        until = "" if one.closed_ns is None else f" … {_clock(one.closed_ns, voice.zone)}"
        since = _clock(one.since_ns, voice.zone) + until
        table.add_row(one.id, voice.kind(one.kind), where, devices, why, since, f"{one.minutes:,}", one.acknowledged_by)
    return table


def _names(data: "Path") -> Names:
    """Return what the roster calls things; ids do where it cannot be read."""
    from collector.planned import Planned  # noqa: PLC0415

    planned = Planned(data, None, ())
    planned.refresh(time.time_ns())
    return planned.names()


def _plain(name: str) -> str:
    return name.strip().lstrip("#")


def _who(by: str) -> str:
    return by.strip() or operator()


def _said(text: str) -> str:
    if not text.strip():
        fail("--text: is empty")
    return text.strip()


def _clock(at_ns: int, zone: ZoneInfo, *, iso: bool = False) -> str:
    at = datetime.fromtimestamp(at_ns / 1e9, zone)
    return at.isoformat(timespec="seconds") if iso else f"{at:%Y-%m-%d %H:%M}"
