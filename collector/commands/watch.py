"""`santong watch`: what is wrong now, and who is told of it."""

import json
import logging
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import typer

from collector.commands.common import (
    DEFAULT_DATA,
    AsJson,
    CalendarsOption,
    Lang,
    StoreOption,
    language_of,
    on_stop_signals,
)
from collector.commands.notify import Notify, addresses_of
from collector.foreign import Foreign
from collector.store.open import StoreUrl, open_store
from collector.up import store_url
from collector.watch.alone import Busy, alone
from collector.watch.texts import Voice
from collector.watch.types import State
from collector.words import Language, word
from contract.broker import BrokerSettings, BrokerUrl
from contract.command_line import one_line_errors
from contract.settings import load

if TYPE_CHECKING:
    from collector.channels.service import Address
    from collector.store.base import Store
    from collector.watch.journal import Journal
    from collector.watching import Watching

_CONNECT_S = 15.0
_NO_STORE = StoreUrl("")
_NO_BROKER = BrokerUrl("mqtt://none.invalid")


class Connections(NamedTuple):
    """Settings of `santong collect`, which is beside watch: the same file serves both."""

    broker: BrokerSettings = BrokerSettings(_NO_BROKER)
    store: StoreUrl = _NO_STORE
    data: Path = DEFAULT_DATA
    foreign: tuple[Foreign, ...] = ()


def watch(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML file of santong collect.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://, mqtts://, ws:// or wss://[user[:password]@]host")] = None,
    store: StoreOption = None,
    data: Annotated[Path | None, typer.Option(help="Folder of roster, watch.toml and journal.")] = None,
    broker_ca: Annotated[Path | None, typer.Option(help="CA certificate of the broker.")] = None,
    broker_certificate: Annotated[Path | None, typer.Option(help="Our certificate, for the broker.")] = None,
    broker_key: Annotated[Path | None, typer.Option(help="Key of our certificate.")] = None,
    broker_password_file: Annotated[Path | None, typer.Option(help="File with our password.")] = None,
    calendars: CalendarsOption = None,
    targets: Annotated[Path | None, typer.Option(help="File of targets; else the shipped programme.")] = None,
    notify: Notify = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, tell what is due, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print messages; send and keep nothing.")] = False,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """
    Watch all devices: alert what fails, one message for what goes together, and tell when it is over.

    Settings stand in DATA/watch.toml. Runs until stopped; with --once exit code 1 says that an incident is open.
    Beside a watch that runs --once says what that one saw last.
    """
    flags = {
        "broker.url": broker,
        "broker.ca": broker_ca,
        "broker.certificate": broker_certificate,
        "broker.key": broker_key,
        "broker.password_file": broker_password_file,
        "store": store,
        "data": data,
    }
    language = language_of(lang)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    stopping = on_stop_signals()
    with ExitStack() as parts, one_line_errors():
        settings = load(Connections, config, os.environ, flags)
        folder = _copied(settings.data, parts) if dry_run else settings.data
        try:
            parts.enter_context(alone(folder))
        except Busy as busy:
            if not once:
                raise
            voice, summary = _seen(folder, calendars, language, busy.process)
        else:
            watching, opened = _made(settings, folder, calendars, targets, notify)
            parts.callback(opened.close)
            if not once and not dry_run:
                watching.run(stopping.is_set)
                return
            _once(watching, stopping, dry_run=dry_run)
            summary = _summary(watching.journal, watching.planned.zone, watching.trouble)
            voice = watching.voice._replace(language=language)
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        _print(voice, summary, dry_run=dry_run)
    raise typer.Exit(1 if summary["incidents"] else 0)


def _made(
    settings: Connections, data: Path, calendars: Path | None, targets: Path | None, notify: list[str] | None
) -> "tuple[Watching, Store]":
    from collector.instructed import Instructions  # noqa: PLC0415
    from collector.targets.load import SHIPPED  # noqa: PLC0415  loads YAML
    from collector.targets.load import load as load_targets  # noqa: PLC0415
    from collector.titles import FOLDER  # noqa: PLC0415
    from collector.watching import Sources, Watching  # noqa: PLC0415

    def addresses() -> "list[Address]":
        found, mistakes = addresses_of(notify, settings.data)
        if mistakes:
            raise mistakes
        return found

    instructions = Instructions(settings.data, addresses)
    programme = load_targets(targets or SHIPPED, [FOLDER] if FOLDER.is_dir() else [])
    opened = open_store(settings.store or store_url(settings.data))
    broker = settings.broker if settings.broker.url is not _NO_BROKER else None
    if broker is None:
        logging.getLogger("santong.watch").warning("no broker: what agents say of themselves is not heard (--broker)")
    return Watching(data, Sources(opened, broker, programme.targets, calendars), instructions), opened


def _copied(data: Path, parts: ExitStack) -> Path:
    """Return a copy of what watch reads, with the journal as it is now: a rehearsal changes nothing."""
    from collector.watch.journal import FILE  # noqa: PLC0415

    folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="santong-watch-")))
    for name in ("roster", "disputes"):
        if (data / name).is_dir():
            shutil.copytree(data / name, folder / name)
    if (data / "calendars.yaml").is_file():
        shutil.copy2(data / "calendars.yaml", folder)
    if (data / FILE).is_file():
        with closing(sqlite3.connect(data / FILE)) as old, closing(sqlite3.connect(folder / FILE)) as new:
            old.backup(new)
    return folder


def _once(watching: "Watching", stopping: threading.Event, *, dry_run: bool) -> None:
    watching.start()
    deadline = time.monotonic() + _CONNECT_S
    while not watching.is_ready() and time.monotonic() < deadline and not stopping.is_set():
        time.sleep(0.05)
    watching.look(time.time_ns(), is_last=True)
    if dry_run:
        watching.outbox.compose(time.time_ns() + 86_400 * 10**9)
    else:
        watching.send()
    watching.stop()


def _seen(data: Path, calendars: Path | None, language: Language, process: str) -> tuple[Voice, dict[str, Any]]:
    """Return what the watch that runs saw last, and say that it is so; nothing is looked at, written or sent."""
    from collector.planned import Planned  # noqa: PLC0415  loads YAML
    from collector.watch.journal import Journal  # noqa: PLC0415

    planned, journal = Planned(data, calendars, ()), Journal(data)
    planned.refresh(time.time_ns())
    at = datetime.fromtimestamp(journal.looked_ns() / 1e9, planned.zone)
    said = word("watch_runs", language).format(process=process or "?", at=f"{at:%Y-%m-%d %H:%M:%S}")
    typer.echo(said, err=True)
    return Voice(language, zone=planned.zone), _summary(journal, planned.zone, journal.trouble())


def _summary(journal: "Journal", zone: ZoneInfo, trouble: str) -> dict[str, Any]:
    """Return how everything is, as --json has it."""
    now = journal.now()
    states = Counter(str(one.state) for one in now.values())
    from collector.commands.incident import as_json  # noqa: PLC0415

    return {
        "devices": len(now),
        "states": {str(state): states[str(state)] for state in State},
        "incidents": [as_json(one, zone) for one in journal.incidents(open_only=True)],
        "trouble": trouble or None,
        "messages": [one for one in journal.messages() if one["done_ns"] is None],
    }


def _print(voice: Voice, summary: dict[str, Any], *, dry_run: bool) -> None:
    typer.echo(voice.word("watch_looked", devices=f"{summary['devices']:,}", open=len(summary["incidents"])))
    for state in State:
        if number := summary["states"][str(state)]:
            typer.echo(f"  {voice.state(state)}  {number:,}")
    if summary["trouble"]:
        typer.echo(f"{word('trouble', voice.language)}: {summary['trouble']}", err=True)
    for message in summary["messages"] if dry_run else ():
        typer.echo("\n" + voice.word("watch_would_send", address=message["address"]))
        typer.echo(f"{message['title']}\n{message['text']}".rstrip())
