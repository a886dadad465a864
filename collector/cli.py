"""`santong`: the commands at the centre."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from collector import up as up_room
from collector.centre_points import CentrePoints
from collector.commands import backup as backup_commands
from collector.commands import ca as ca_commands
from collector.commands import calendar as calendar_commands
from collector.commands import depot as depot_commands
from collector.commands import dispute as dispute_commands
from collector.commands import evidence as evidence_commands
from collector.commands import form as form_commands
from collector.commands import incident as incident_commands
from collector.commands import notify as notify_commands
from collector.commands import report as report_commands
from collector.commands import rollout as rollout_commands
from collector.commands import roster as roster_commands
from collector.commands import sample as sample_commands
from collector.commands import targets as targets_commands
from collector.commands import user as user_commands
from collector.commands.api import api
from collector.commands.ask import ask
from collector.commands.board import board
from collector.commands.close import close
from collector.commands.common import (
    DEFAULT_DATA,
    DEFAULT_ZONE,
    AsJson,
    Data,
    Lang,
    StoreOption,
    Zone,
    language_of,
    on_stop_signals,
    open_for_reading,
    zone_of,
)
from collector.commands.glossary import glossary
from collector.commands.inventory import show_inventory
from collector.commands.panels import ByPanel
from collector.commands.restore import restore
from collector.commands.simulate import simulate
from collector.commands.verify import verify
from collector.commands.watch import watch
from collector.foreign import Foreign, Rule, rules_of
from collector.metering import Meter, families_of
from collector.migrate import migrate as migrate_stores
from collector.pipeline import Collector, wait_until_prepared
from collector.quarantine import FILE as QUARANTINE_FILE
from collector.quarantine import Quarantine
from collector.roster.speakers import RosterSpeakers
from collector.roster_points import RosterPoints
from collector.screen import console, device_table, import_table, quarantine_table
from collector.status import iso, read_status
from collector.store.base import StoreError
from collector.store.open import StoreUrl, open_store
from collector.words import word
from contract import __version__
from contract.broker import BrokerSettings, BrokerUrl
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError, Problem, SantongError
from contract.settings import load

if TYPE_CHECKING:
    from collector.by_hand import Imported, Importer

app = typer.Typer(
    cls=ByPanel,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="The centre: collects the evidence of a city's classrooms and hotspots, and shows it.",
)
app.add_typer(ca_commands.app, name="ca")
app.add_typer(calendar_commands.app, name="calendar")
app.add_typer(depot_commands.app, name="depot")
app.add_typer(dispute_commands.app, name="dispute")
app.add_typer(targets_commands.app, name="targets")
app.add_typer(roster_commands.app, name="roster")
app.add_typer(evidence_commands.app, name="evidence")
app.add_typer(sample_commands.app, name="sample")
app.add_typer(notify_commands.app, name="notify")
app.add_typer(form_commands.app, name="form")
app.add_typer(incident_commands.app, name="incident")
app.add_typer(user_commands.app, name="user")
app.add_typer(rollout_commands.app, name="rollout")
app.command()(simulate)
app.command()(verify)
app.command()(watch)
app.command()(close)
app.add_typer(report_commands.app, name="report")
app.add_typer(backup_commands.app, name="backup")
app.command()(restore)
app.command()(glossary)
app.command()(api)
app.command()(board)
app.command("inventory")(show_inventory)
app.command()(ask)


class CollectSettings(NamedTuple):
    """Settings of `santong collect`: TOML, `SANTONG_*` variables, flags."""

    broker: BrokerSettings
    store: StoreUrl
    data: Path = DEFAULT_DATA
    foreign: tuple[Foreign, ...] = ()
    metrics: str = ""


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)


@app.command()
def up(
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after so many seconds.")] = None,
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(help="Port of the broker on 127.0.0.1; else 1883, or a free one.")] = 0,
    device: Annotated[str, typer.Option(help="Id of this machine, <county>-<school>.<place>.")] = "",
    broker: Annotated[str, typer.Option(help="A broker's URL, or auto, mosquitto, embedded.")] = "auto",
    store: Annotated[str, typer.Option(help="A store's URL, instead of a SQLite file in DATA.")] = "",
    board_port: Annotated[int, typer.Option(help="Port of the board on 127.0.0.1; else 8080, or a free one.")] = 0,
    simulate: Annotated[int, typer.Option(min=0, max=5000, help="Add a pretend district of so many devices.")] = 0,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Run everything here: broker, collector, store, board, and an agent that measures this machine. Ctrl-C ends it."""
    stopping = on_stop_signals()
    is_url = "://" in broker
    if is_url:
        try:
            BrokerUrl.parse(broker)
        except ValueError as error:
            fail(f"--broker: {error}")
    plan = up_room.Plan(
        data,
        port,
        seconds,
        device,
        broker=broker if is_url else "",
        broker_kind="auto" if is_url else broker,
        store=store,
        language=language_of(lang),
        zone=zone_of(zone),
        board_port=board_port,
        simulate=simulate,
    )
    screen = console()
    with one_line_errors():
        up_room.run(plan, screen, stopping.is_set)
    screen.print(word("ended", plan.language), style="dim")


@app.command()
def collect(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="TOML file with the same settings.")] = None,
    broker: Annotated[str | None, typer.Option(help="mqtt://, mqtts://, ws:// or wss://[user[:password]@]host")] = None,
    store: StoreOption = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the quarantine.")] = None,
    broker_ca: Annotated[Path | None, typer.Option(help="CA certificate of the broker.")] = None,
    broker_certificate: Annotated[Path | None, typer.Option(help="Our certificate, for the broker.")] = None,
    broker_key: Annotated[Path | None, typer.Option(help="Key of our certificate.")] = None,
    broker_password_file: Annotated[Path | None, typer.Option(help="File with our password.")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Port on 127.0.0.1, or host:port, for Prometheus to read counters from.")
    ] = None,
) -> None:
    """Receive, check, store, acknowledge: with your own broker and store, until stopped."""
    flags = {
        "broker.url": broker,
        "broker.ca": broker_ca,
        "broker.certificate": broker_certificate,
        "broker.key": broker_key,
        "broker.password_file": broker_password_file,
        "store": store,
        "data": data,
        "metrics": metrics,
    }
    _log_to_stderr()
    stopping = on_stop_signals()
    with one_line_errors():
        settings = load(CollectSettings, config, os.environ, flags)
        rules = _foreign_rules(settings, str(config or "settings"))
        opened = open_store(settings.store)
        quarantine = Quarantine(settings.data)
        wait_until_prepared(opened, stopping)
        zone = zone_of(os.environ.get("SANTONG_ZONE", DEFAULT_ZONE))
        speakers = RosterSpeakers(settings.data, zone)
        collector = Collector(settings.broker, opened, quarantine, foreign=rules, speakers=speakers)
        centre = CentrePoints(collector, quarantine, opened, RosterPoints(settings.data, zone))
        meter = Meter(settings.metrics, lambda: families_of(collector, quarantine)) if settings.metrics else None
    collector.start()
    centre.start()
    _report_progress(collector, stopping)
    centre.stop()
    collector.stop()
    if meter:
        meter.stop()
    opened.close()


def _foreign_rules(settings: CollectSettings, source: str) -> tuple[Rule, ...]:
    if settings.foreign and str.startswith(settings.store, "sqlite:"):
        message = "needs an InfluxDB store: the SQLite store has no tables for measurements of others"
        raise ConfigError(source, [Problem("foreign", message)])
    return rules_of(settings.foreign, source)


def _report_progress(collector: Collector, stopping: threading.Event) -> None:
    """Log once a minute what was done, until `stopping`."""
    before = collector.counters()
    while not stopping.wait(60):
        now = collector.counters()
        if now != before:
            changes = (f"{name} +{new - old}" for name, old, new in zip(now._fields, before, now, strict=True))
            logging.getLogger("santong.collect").info("last minute: %s", ", ".join(changes))
        before = now


@app.command()
def status(
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    hours: Annotated[float, typer.Option(help="How far back to look.", min=0, max=1e6)] = 24,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """Show each device: last seen, minutes proven, interfaces, completeness of delivery."""
    language, place = language_of(lang), zone_of(zone)
    now_ns = time.time_ns()
    with one_line_errors():
        opened = open_for_reading(data, store)
        devices = read_status(opened, now_ns - int(hours * 3600e9), now_ns + 60 * 10**9)
        opened.close()
    if as_json:
        typer.echo(json.dumps([device.as_json(place) for device in devices], ensure_ascii=False, indent=2))
    elif devices:
        console().print(device_table(devices, language, place, full=True))
    else:
        typer.echo(word("no_devices", language))


@app.command()
def migrate(
    target: Annotated[str, typer.Option("--to", help="influxdb://user:password@host:8086/santong")],
    source: Annotated[str | None, typer.Option("--from", help="sqlite:///path; else the store in DATA.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Move all evidence to another store, counted on both sides. Can be repeated. Exit code 1: something is left."""
    with one_line_errors():
        old, new = open_for_reading(data, source), open_store(target)
        new.prepare()
        screen = console(stderr=True)
        complete = True
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=screen, transient=True) as bar:
            task = bar.add_task("…")
            moves = migrate_stores(
                old, new, time.time_ns(), lambda name, rows: bar.update(task, description=f"{name} {rows:,}")
            )
            for moved in moves:
                complete &= moved.is_complete
                if moved.rows:
                    typer.echo(
                        f"{moved.measurement:<12} rows {moved.rows:>12,}  found {moved.found:>12,}  "
                        f"expired {moved.expired:>10,}  refused {len(moved.refused):,}"
                    )
                for poison in moved.refused[:5]:
                    typer.echo(f"refused: {poison.message}", err=True)
    raise typer.Exit(0 if complete else 1)


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="What santong-agent spool export wrote.", show_default=False)],
    ca: Annotated[
        Path | None, typer.Option(envvar="SANTONG_CA", help="Authority of the agents' certificates, PEM.")
    ] = None,
    crl: Annotated[
        Path | None, typer.Option(envvar="SANTONG_CRL", help="The authority's list of revoked certificates, PEM.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Vouch for files without proof of who wrote them.")] = False,
    data: Data = DEFAULT_DATA,
    store: StoreOption = None,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """
    Store what came by hand from sites without a network. Can be repeated: everything is stored once.

    Exit code 1: something was refused and is in quarantine; 2: a file was not imported.
    """
    from collector.by_hand import Importer, Trust  # noqa: PLC0415  brings 9 MB that no other command needs

    language, place = language_of(lang), zone_of(zone)
    with one_line_errors():
        # The store that is there already: evidence must not end in a new one that nobody reads.
        opened = open_for_reading(data, store)
        opened.prepare()
        importer = Importer(opened, data, Trust(ca, trust, crl), RosterSpeakers(data, place))
    outcomes = [(file, _import_file(importer, file)) for file in files]
    importer.close()
    opened.close()
    done = [(file, outcome) for file, outcome in outcomes if not isinstance(outcome, str)]
    if as_json:
        rows = [{"file": str(f)} | ({"error": o} if isinstance(o, str) else o.as_json(place)) for f, o in outcomes]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif done:
        console().print(import_table(done, language, place))
    is_refused = any(outcome.refused for _, outcome in done)
    raise typer.Exit(2 if len(done) < len(files) else 1 if is_refused else 0)


def _import_file(importer: "Importer", file: Path) -> "Imported | str":
    """Import a file with a progress bar; what is wrong is one line, and returned."""
    screen = console(stderr=True)
    try:
        size = file.stat().st_size
        columns = TextColumn("{task.description}"), BarColumn()
        with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
            task = bar.add_task(escape(file.name), total=2 * size)
            return importer.run(
                file,
                lambda more: bar.advance(task, more),
                lambda number, total: bar.update(task, completed=size + size * number / total),
            )
    except (StoreError, sqlite3.Error) as error:
        flaw = f"{error}: import the file again when that is repaired"
    except SantongError as error:
        flaw = str(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename not in (None, str(file)) else ""
        flaw = where + (error.strerror or str(error))
    typer.echo(f"{file}: {flaw}", err=True)
    return flaw


@app.command()
def quarantine(
    data: Data = DEFAULT_DATA,
    device: Annotated[str | None, typer.Option(help="Only this device or agent.")] = None,
    most: Annotated[int, typer.Option(help="How many entries, newest first.")] = 50,
    as_json: AsJson = False,
    lang: Lang = None,
    zone: Zone = DEFAULT_ZONE,
) -> None:
    """List what was refused, with the reason."""
    language, place = language_of(lang), zone_of(zone)
    if not (data / QUARANTINE_FILE).is_file():
        fail(f"{data / QUARANTINE_FILE}: no quarantine here (--data names its folder)")
    with one_line_errors():
        opened = Quarantine(data)
        entries = opened.newest(most, device)
        opened.close()
    if as_json:
        rows = [
            entry._asdict()
            | {"received_ns": iso(entry.received_ns, place), "content": entry.content.decode(errors="backslashreplace")}
            for entry in entries
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        console().print(quarantine_table(entries, language, place))


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
def profiles(context: typer.Context) -> None:
    """Profiles of hardware: list, show, check, match, try, record. The same program as `santong-agent profiles`."""
    command = [sys.executable, "-P", "-m", "agent.profiles.cli", *context.args]
    if os.name == "nt":
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    os.execv(sys.executable, command)  # noqa: S606


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    """Print the version when asked."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
