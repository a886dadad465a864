"""`santong-agent`: the commands at the edge."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent import health as health_file
from agent import stopmark
from agent.config import DEFAULT_FILE, HostSettings, InterfaceSettings, Settings
from agent.devices import all_questions, devices_of, problems_of_credentials
from agent.export import export
from agent.gather.host import Host
from agent.gather.identity import Identity
from agent.gather.interface import Interface
from agent.gather.network import default_gateway
from agent.pipeline import main as run_agent
from agent.pipeline import one_round
from agent.probe.ask import ask_of, kinds_as_text
from agent.probe.show import as_json as as_json_of
from agent.probe.show import as_text
from agent.probing import NOT_HERE
from agent.profiles.cli import app as profiles_app
from agent.resolved import profiles_for
from agent.sign import signer
from agent.spoolfile import peek, repair
from agent.worker.client import ask_once
from contract import __version__
from contract.broker import address, tls_context
from contract.command_line import fail, one_line_errors
from contract.errors import ConfigError
from contract.settings import load

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="The agent at the edge: measures this machine, keeps the evidence, publishes it.",
)
spool_app = typer.Typer(no_args_is_help=True, help="Waiting data: what the centre has not stored yet.")
app.add_typer(spool_app, name="spool")
app.add_typer(profiles_app, name="profiles")

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help=f"TOML file; {DEFAULT_FILE} where it exists.", show_default=False)
]
SpoolFolder = Annotated[
    Path | None, typer.Option("--spool", help="Folder of the waiting data, instead of the one in the settings.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _settings(config: Path | None) -> Settings:
    return load(Settings, _file(config), os.environ)


def _file(config: Path | None) -> Path | None:
    return config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)


def _spool_folder(config: Path | None, spool: Path | None) -> Path:
    return spool or _settings(config).spool.path


@app.command()
def run(
    config: Config = None,
    check: Annotated[bool, typer.Option("--check", help="Check the settings and stop.")] = False,
) -> None:
    """Measure and publish until stopped. Exit code 2: settings, 3: the waiting data."""
    with one_line_errors():
        settings = _settings(config)
        if check:  # else the loop leaves out those that do not work
            devices = devices_of(settings, profiles_for)
            all_questions(settings, devices)
            if problems := list(problems_of_credentials(settings, devices)):
                raise ConfigError("settings", problems)
        if address(settings.broker).tls:
            tls_context(settings.broker)
    if check:
        typer.echo("settings are fine")
        return
    file = _file(config)
    arguments = [str(file)] if file else []
    if sys.platform == "win32":  # which has no exec
        raise typer.Exit(run_agent(arguments))
    # The loop does not need typer and what it brings: a fresh interpreter saves the memory of it, and one malloc arena
    # for both threads saves more.
    command = [sys.executable, "-P", "-m", "agent.pipeline", *arguments]
    os.execve(sys.executable, command, os.environ | {"MALLOC_ARENA_MAX": "1"})  # noqa: S606


@app.command()
def sample(config: Config = None, as_json: AsJson = False) -> None:
    """Read every source and every profile's readings once and print them; nothing is sent or kept."""
    with one_line_errors():
        settings = _settings(config)
        samples = one_round(settings, devices_of(settings, profiles_for))
    if as_json:
        shown = [{"device": device, **read._asdict()} for device, read in samples]
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for device, read in samples:
        tags = "".join(f" {key}={value}" for key, value in read.tags.items())
        typer.echo(f"{read.measurement}{tags}" + (f"  ({device})" if device != settings.agent else ""))
        for name, value in read.fields.items():
            typer.echo(f"    {name:<22}{value}")


@app.command()
def probe(
    kind: Annotated[str, typer.Argument(help="icmp, tcp, dns, dhcp, arp, http, portal, throughput, wifi_scan …")] = "",
    target: Annotated[str, typer.Argument(help="What is asked: an address, a name, an interface, an SSID.")] = "",
    given: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A setting of this kind of probe; can be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """
    Run one probe and print what it finds. Exit code 1: the target fails, 2: it could not be asked.

    Without KIND it lists the kinds and the settings of each.
    """
    if not kind:
        typer.echo(kinds_as_text())
        return
    kind = kind.replace("-", "_")
    with one_line_errors():
        ask = ask_of(kind, target, given or [])
    outcome = NOT_HERE if sys.platform == "win32" else ask_once(kind, ask)
    shown = as_json_of(kind, ask.target, outcome) if as_json else None
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2) if shown else as_text(kind, ask.target, outcome))
    raise typer.Exit({True: 0, False: 1, None: 2}[outcome.success])


@app.command()
def detect(as_json: AsJson = False) -> None:
    """Say what this machine is: hardware, serial number, network, interfaces; which profile fits it, and why."""
    from agent.profiles.show import fit_of_machine  # noqa: PLC0415  YAML is not for every start of the agent

    gateway = default_gateway()
    facts: dict[str, object] = {
        **Identity().read(),
        "gateway": gateway.address if gateway else None,
        "gateway_interface": gateway.interface if gateway else None,
        "interfaces": [s.tags["name"] for s in Interface(InterfaceSettings().exclude).gather(0)],
        "readings": sorted({name for s in Host(HostSettings().disk).gather(0) for name in s.fields}),
        **fit_of_machine(),
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        typer.echo(f"{name:<20}{', '.join(map(str, value)) if isinstance(value, list) else value}")


@app.command()
def health(
    config: Config = None,
    spool: SpoolFolder = None,
    within: Annotated[int, typer.Option(help="Seconds since the centre last stored something.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Exit 0 when the centre stored something of this agent lately, 1 when not, with the reason."""
    with one_line_errors():
        state = health_file.read(_spool_folder(config, spool))
    age_s = time.time() - state.stored if state.stored else None
    healthy = age_s is not None and age_s <= within
    if as_json:
        typer.echo(json.dumps({"healthy": healthy, "stored_seconds_ago": age_s, "note": state.note}))
    else:
        last = "nothing stored by the centre yet" if age_s is None else f"last stored by the centre {age_s:.0f} s ago"
        typer.echo(f"{'healthy' if healthy else 'not healthy'}: {last}; {state.note}")
    raise typer.Exit(0 if healthy else 1)


@app.command()
def stopped(
    config: Config = None,
    spool: SpoolFolder = None,
    reason: Annotated[str, typer.Option(help="Why; systemd's own words where they are set.")] = "",
) -> None:
    """Leave a stop mark: for the supervisor to run after each end of the agent (systemd: ExecStopPost=)."""
    with one_line_errors():
        folder = _spool_folder(config, spool)
    try:
        stopmark.write(folder, reason or stopmark.reason_from_systemd(os.environ))
    except OSError as error:
        fail(f"stop mark not written: {folder}: {error.strerror}", 1)


@spool_app.command("status")
def spool_status(config: Config = None, spool: SpoolFolder = None, as_json: AsJson = False) -> None:
    """Count what waits, what was refused and what was dropped."""
    with one_line_errors():
        status, refused = peek(_spool_folder(config, spool))
    if as_json:
        rows = [dict(zip(("epoch", "seq", "device", "reason"), row, strict=True)) for row in refused]
        typer.echo(json.dumps({**status._asdict(), "refused_batches": rows}, ensure_ascii=False, indent=2))
        return
    for name, value in status._asdict().items():
        typer.echo(f"{name:<20}{value}")
    for epoch, seq, device, reason in refused[:20]:
        typer.echo(f"refused: {device} {epoch}/{seq}: {reason}")


@spool_app.command("export")
def spool_export(
    config: Config = None,
    spool: SpoolFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The file, or the folder for it; else the working directory.", show_default=False),
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Also what the centre refused.")] = False,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Without a signature: somebody must vouch.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Write what waits into a signed file, to be carried to the centre: santong import. Exit code 1: nothing waits.

    The agent may be running; nothing is removed, and the centre stores once what comes twice. What the agent measured
    in its last minute is not in the file yet.
    """
    with one_line_errors():
        settings = _settings(config)
        key = None if unsigned else signer(settings.broker, settings.agent)
        done = export(spool or settings.spool.path, settings.agent, out, key, with_refused=refused)
    first, last = (datetime.fromtimestamp(ns / 1e9, UTC).astimezone() for ns in (done.first_ns, done.last_ns))
    if as_json:
        period = {"from": first.isoformat(), "to": last.isoformat(), "file": str(done.file)} if done.batches else {}
        typer.echo(json.dumps({"batches": done.batches, "skipped": done.skipped, **period}, ensure_ascii=False))
    elif done.batches:
        typer.echo(f"{done.batches} batches from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M %Z}: {done.file}")
    else:
        typer.echo("nothing waits: no file was written")
    if done.skipped:
        typer.echo(f"{done.skipped} batches cannot be read any more and are left out", err=True)
    raise typer.Exit(0 if done.batches else 1)


@spool_app.command("repair")
def spool_repair(config: Config = None, spool: SpoolFolder = None) -> None:
    """Examine the waiting data of an agent that is stopped, and mend it. The agent does the same when it starts."""
    with one_line_errors():
        folder = _spool_folder(config, spool)
        mended, bad_rows, status = repair(folder)
    if mended:
        typer.echo(f"{mended}; the damaged file is {mended.aside}")
    elif bad_rows:
        typer.echo(f"{bad_rows} damaged batches were moved to the refused ones; the file is sound")
    else:
        typer.echo("the spool is sound")
    typer.echo(f"{status.batches} batches wait")


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    """Print the version when asked."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    app()
