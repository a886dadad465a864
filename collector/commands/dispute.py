"""`santong dispute`: propose, decide, list and check disputes and closures."""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import typer

from collector import agreements
from collector.commands import dispute_words
from collector.commands.common import DEFAULT_DATA, AsJson, Data, Lang, language_of
from collector.disputes.chain import Examined
from collector.disputes.ledger import Added, Ledger
from collector.disputes.schema import FINDINGS, Attachment, Claim, Dispute, Entry, Happened, Kind, Reason, Scope
from collector.roster.schema import Roster
from collector.screen import console
from collector.whoami import operator
from collector.words import Language, word
from contract.command_line import fail, one_line_errors
from contract.names import county_of, site_of

app = typer.Typer(no_args_is_help=True, help="Disputes 异议 and closures 停用: what was agreed about which minutes.")

Number = Annotated[int, typer.Argument(help="The number of the dispute or closure.", show_default=False)]
By = Annotated[str, typer.Option("--by", help="Your name; else that of your login.")]
CalendarsFile = Annotated[
    Path | None, typer.Option("--calendars", help="File of calendars, which names the zone; else DATA's.")
]
Why = Annotated[str, typer.Option("--text", help="Why.")]
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]([01]\d|2[0-3]):([0-5]\d))?")


@app.command()
def propose(
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(Reason)}.", show_default=False)],
    text: Annotated[str, typer.Option(help="What happened, in a sentence.", show_default=False)],
    first: Annotated[
        str, typer.Option("--from", help="First day, or 2026-03-02T08:00: the first minute.", show_default=False)
    ],
    last: Annotated[str, typer.Option("--to", help="Last day, or the instant at which it ends; else --from.")] = "",
    county: Annotated[str, typer.Option(help="About all of a county, by its code.")] = "",
    site: Annotated[str, typer.Option(help="About a site, by its id.")] = "",
    room: Annotated[str, typer.Option(help="About a room, by its id; with --site its room id or class will do.")] = "",
    device: Annotated[str, typer.Option(help="About a device, by its id.")] = "",
    closure: Annotated[bool, typer.Option("--closure", help="A closure: it stops alerts at once.")] = False,
    finding: Annotated[str, typer.Option(help=f"Of an adjudication: {', '.join(FINDINGS)}.")] = "",
    attach: Annotated[
        list[Path] | None, typer.Option(help="A file, whose name and SHA-256 are recorded; can be repeated.")
    ] = None,
    by: By = "",
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Record a dispute or a closure of a scope and a period. Verdicts change when another person approves it.

    The files stay where they are: keep them.
    """
    language = language_of(lang)
    with one_line_errors():
        zone = _zone(data, calendars)
        since, until = _period(first, last, zone)
        scope = _scope(data, {"county": county, "site": site, "room": room, "device": device}, since.date())
        attached = tuple(_attachment(file) for file in attach or [])
        kind = Kind.CLOSURE if closure else Kind.DISPUTE
        claim = Claim(kind, scope, since, until, _reason(reason), finding, attached)
        added = Ledger(data).add(lambda known: _entry(Happened.PROPOSED, len(known) + 1, by, text, claim))
    _say(added, zone, language, as_json=as_json)


@app.command()
def approve(
    number: Number,
    text: Why = "",
    by: By = "",
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Approve a dispute or closure that another person proposed: from now on verdicts take it."""
    _decide(Happened.APPROVED, number, text, by, data, calendars, as_json=as_json, lang=lang)


@app.command()
def reject(
    number: Number,
    text: Why = "",
    by: By = "",
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Reject a dispute or closure that another person proposed, with --text: why."""
    _decide(Happened.REJECTED, number, text, by, data, calendars, as_json=as_json, lang=lang)


@app.command()
def withdraw(
    number: Number,
    text: Why = "",
    by: By = "",
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Take back what you proposed, or (with --text: why) what you approved."""
    _decide(Happened.WITHDRAWN, number, text, by, data, calendars, as_json=as_json, lang=lang)


@app.command("list")
def list_disputes(
    state: Annotated[str, typer.Option(help=f"Only those that are {', '.join(Happened)}.")] = "",
    kind: Annotated[str, typer.Option(help=f"Only of one kind: {', '.join(Kind)}.")] = "",
    site: Annotated[str, typer.Option(help="Only those about this site, anything in it, or its county.")] = "",
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """List disputes and closures with their state, the newest last."""
    language = language_of(lang)
    _one_of("--state", state, Happened)
    _one_of("--kind", kind, Kind)
    with one_line_errors():
        zone = _zone(data, calendars)
        known = _read(data, language).disputes.values()
    found = [one for one in known if state in ("", one.state) and kind in ("", one.claim.kind) and _is_at(one, site)]
    if as_json:
        typer.echo(_json([agreements.as_json(one, zone) for one in found]))
    elif found:
        console().print(dispute_words.table_of(found, language, zone))
    else:
        typer.echo(word("no_disputes", language))


@app.command()
def show(
    number: Number,
    data: Data = DEFAULT_DATA,
    calendars: CalendarsFile = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Show all that happened to a dispute or closure: who, when, under which login, and why."""
    language = language_of(lang)
    with one_line_errors():
        zone = _zone(data, calendars)
        known = _read(data, language).disputes
    if number not in known:
        fail(f"there is no dispute {number}; `santong dispute list` names them")
    if as_json:
        typer.echo(_json(agreements.as_json(known[number], zone)))
    else:
        for line in dispute_words.detail(known[number], language, zone):
            console().print(line)


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files: were these attached, and to what?", show_default=False)
    ] = None,
    head: Annotated[str, typer.Option(help="A hash that was noted elsewhere: is that record still there?")] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Say whether any record was changed, removed or moved since it was written, and name it.

    Exit code 1: one was, the hash is none of theirs, or a file was never attached.
    """
    language = language_of(lang)
    with one_line_errors():
        found = Ledger(data).examine()
        problems = [*found.problems, *_missing_head(found, head)]
        attached = [(file, _attached_to(file, found)) for file in files or []]
    problems += [f"{file}: attached to no dispute as it is now" for file, numbers in attached if not numbers]
    if as_json:
        tree = {
            "records": len(found.hashes),
            "disputes": len(found.disputes),
            "head": found.head.sha256,
            "unfinished_bytes": len(found.torn),
            "problems": problems,
            "files": [{"file": str(file), "disputes": numbers} for file, numbers in attached],
        }
        typer.echo(_json(tree))
        raise typer.Exit(1 if problems else 0)
    for problem in problems:
        typer.echo(problem)
    for file, numbers in attached:
        if numbers:
            typer.echo(f"{file}: {word('attached_to', language)} {', '.join(map(str, numbers))}")
    if not found.problems:
        typer.echo(f"{word('records_whole', language)}: {len(found.hashes):,}   {word('newest_hash', language)}: "
                   f"{found.head.sha256}")  # fmt: skip
    if found.torn:
        typer.echo(word("unfinished_record", language))
    if problems:
        typer.echo(word("records_wrong", language))
    raise typer.Exit(1 if problems else 0)


# ---- what the commands share


def _decide(
    happened: Happened,
    number: int,
    text: str,
    by: str,
    data: Path,
    calendars: Path | None,
    *,
    as_json: bool,
    lang: str | None,
) -> None:
    language = language_of(lang)
    with one_line_errors():
        zone = _zone(data, calendars)
        if not Ledger(data).folder.is_dir():
            fail(f"{Ledger(data).folder}: there are no disputes yet (--data names the folder above it)")
        added = Ledger(data).add(lambda _known: _entry(happened, number, by, text))
    _say(added, zone, language, as_json=as_json)


def _entry(happened: Happened, number: int, by: str, text: str, claim: Claim | None = None) -> Entry:
    login = operator()
    now = datetime.now(UTC)
    return Entry(happened, number, " ".join(by.split()) or login, login, now, text.strip(), claim)


def _say(added: Added, zone: ZoneInfo, language: Language, *, as_json: bool) -> None:
    if added.note:
        typer.echo(added.note, err=True)
    if as_json:
        typer.echo(_json(agreements.as_json(added.dispute, zone) | {"head": added.head.sha256}))
        return
    state = dispute_words.state_text(added.dispute, language)
    typer.echo(f"{dispute_words.summary(added.dispute, language, zone)}: {state}")


def _read(data: Path, language: Language) -> Examined:
    found = Ledger(data).read()
    if found.torn:
        typer.echo(word("unfinished_record", language), err=True)
    return found


def _zone(data: Path, calendars: Path | None) -> ZoneInfo:
    """Return the programme's zone."""
    from collector.calendars.load import file_in, load  # noqa: PLC0415  YAML and holidays take their time

    return load(calendars or file_in(data)).zone


def _period(first: str, last: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the period of --from and --to: days are whole and both included, an instant is where it ends."""
    if ":" in first and not last:
        fail("--to: give the instant at which it ends")
    return _instant("--from", first, zone, is_end=False), _instant("--to", last or first, zone, is_end=True)


def _instant(option: str, text: str, zone: ZoneInfo, *, is_end: bool) -> datetime:
    """Return an instant of the programme's zone; a day begins at its first and ends with its last minute."""
    from collector.calendars.zone import instant_ns  # noqa: PLC0415

    match = _INSTANT.fullmatch(text.strip())
    try:
        day = date.fromisoformat(match[1] if match else "")
        minute = 1440 if is_end else 0
        if match and match[2]:
            minute = 60 * int(match[2]) + int(match[3])
        return datetime.fromtimestamp(instant_ns(day, minute, zone) // 10**9, zone)
    except (ValueError, OverflowError):
        fail(f"{option}: {text!r} is neither a day such as 2026-03-02 nor an instant such as 2026-03-02T08:00")


def _reason(text: str) -> Reason:
    _one_of("--reason", text, Reason)
    return Reason(text)


def _one_of(option: str, text: str, known: Iterable[str]) -> None:
    names = [str(name) for name in known]
    if text and text not in names:
        _unknown(option, text, names)
    if not text and option == "--reason":
        fail(f"{option}: one of {', '.join(names)}")


def _unknown(option: str, name: str, known: list[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}" if near else f"there are {', '.join(known[:12])}{' …' if len(known) > 12 else ''}"
    fail(f"{option}: {name!r} is not known; {hint}")


def _scope(data: Path, given: Mapping[str, str], day: date) -> Scope:
    """Return what one of the options names; with --room --site may say where."""
    named = {level: name for level, name in given.items() if name}
    where = named.pop("site", "") if "room" in named else ""
    if len(named) != 1:
        fail("name whom it is about with one of --county, --site, --room and --device")
    ((level, name),) = named.items()
    roster = _roster(data, day)
    if level == "room" and (where or "/" in name):
        return Scope(level, _room(roster, where, name))
    if roster is not None:
        known = _ids(roster, level)
        if name not in known:
            _unknown(f"--{level}", name, sorted(known))
    return Scope(level, name)


def _roster(data: Path, day: date) -> Roster | None:
    """Return the roster in force on a day; None where DATA has none, and names are taken as they are."""
    from collector.roster.versions import Versions  # noqa: PLC0415

    versions = Versions(data)
    version = versions.in_force(day)
    return versions.roster(version) if version else None


def _ids(roster: Roster, level: str) -> set[str]:
    if level == "county":
        return {site.county for site in roster.sites.values()}
    if level == "room":
        return {device.room for device in roster.devices.values()}
    return set(roster.sites if level == "site" else roster.devices)


def _room(roster: Roster | None, site: str, name: str) -> str:
    """Return the id of a room, by that, or by its room id or its class's name at a site."""
    if roster is None:
        return name if "/" in name or "." in name else f"{site}/{name}"
    devices = [device for device in roster.devices.values() if site in ("", device.site)]
    if not devices:
        _unknown("--site", site, sorted(roster.sites))
    found = {device.room for device in devices if name in (device.room, device.room_id, device.class_name)}
    if len(found) > 1:
        fail(f"--room: {name!r} is the name of several: {', '.join(sorted(found))}")
    if not found:
        names = {text for device in devices for text in (device.room, device.room_id, device.class_name) if text}
        _unknown("--room", name, sorted(names))
    return found.pop()


def _attachment(file: Path) -> Attachment:
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        return Attachment(file.name, sha256, opened.tell())


def _is_at(dispute: Dispute, site: str) -> bool:
    scope = dispute.claim.scope
    if not site:
        return True
    return scope.id == county_of(site) if scope.level == "county" else site_of(scope.id).partition("/")[0] == site


def _missing_head(found: Examined, head: str) -> list[str]:
    wanted = head.strip().lower()
    if not wanted or (len(wanted) >= 12 and any(one.startswith(wanted) for one in found.hashes)):
        return []
    return [f"--head: no record has the hash {head!r} (12 digits of it at least): records were changed or removed"]


def _attached_to(file: Path, found: Examined) -> list[int]:
    sha256 = _attachment(file).sha256
    return [one.number for one in found.disputes.values() if sha256 in {each.sha256 for each in one.claim.attachments}]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
